"""run.py's checks on the CPU, on small models' kernels that tests/gpu/emulate made; and whether the checks notice mistakes.

    CUDA_HOME=build/tests/gpu/emulate/cuda python emulated.py BIN_FOLDER WORK

First every kernel must pass. Then every result of every kernel is spoilt in one place, and then what the reference is told is
changed in one place (MISTAKES): each time, the check must fail. Exit code 77: torch is missing.
"""
import copy
import json
import pathlib
import re
import shutil
import subprocess
import sys

try:
    import torch
except ImportError:
    print("skipped: Python has no torch")
    sys.exit(77)

import describe
import inputs
import launch
import run
import values

MODELS = {"w8a16": ("k2-fp8", "w8a16", "absorbed"), "expanded": ("k2-fp8", "w8a16", "expanded"),
          "w8a8": ("k2-fp8", "w8a8-1x128", "absorbed"), "w4a16": ("thinking-int4", "w4a16", "absorbed")}
TOKENS, CONTEXT = [1] * 18, 100
passed, failed = 0, 0


def count(good, text):
    global passed, failed
    passed, failed = passed + good, failed + (not good)
    if not good:
        print(f"FAILED {text}", flush=True)


def compile_small(programs, work):
    shutil.rmtree(work, ignore_errors=True)
    for name, (family, numerics, attention) in MODELS.items():
        checkpoint = work / "checkpoints" / family
        if not checkpoint.exists():
            subprocess.run([programs / "kimi-random-checkpoint", family, checkpoint, "--seed", "1"], check=True,
                           stdout=subprocess.DEVNULL)
        describe.compile_model(programs / "kimic", checkpoint / "config.json", work / name,
                               [f"--numerics={numerics}", f"--prefill-attention={attention}", "--target=cuda:sm_90a"])


def spoil(index):
    """The largest number of a result becomes a little larger: by a 64th in bf16, by a 1024th in f32, by 1 in integers."""
    def change(found):
        data = found[index].view(-1)
        if data.dtype.is_floating_point:
            at = int(data.float().nan_to_num().abs().argmax())
            data[at] = data[at] * (1 + (2.0**-6 if data.dtype == torch.bfloat16 else 2.0**-10))
        else:
            data[0] += 1
    return change


def replaced(pattern, text):
    """A mistake in the attributes of an operation."""
    def change(kernel):
        for op in kernel["graph"]:
            if re.search(pattern, op["attributes"]):
                op["attributes"] = re.sub(pattern, text, op["attributes"])
                return True
        return False
    return change


def reads(name, change_reads):
    """A mistake in what an operation reads."""
    def change(kernel):
        for op in kernel["graph"]:
            if op["op"] == name:
                before = list(op["reads"])
                change_reads(op["reads"])
                return op["reads"] != before
        return False
    return change


def swap(a, b):
    def change(numbers):
        numbers[a], numbers[b] = numbers[b], numbers[a]
    return change


def first_twice(numbers):
    numbers[1] = numbers[0]


MISTAKES = {  # what → the change, which operation a kernel must hold
    "an eps twice as large": (replaced(r"eps \S+", "eps 2e-06"), "rms_norm"),
    "a slice that begins elsewhere": (replaced(r"\[0, 128\]", "[0, 112]"), "rope"),
    "a head's slice that begins elsewhere": (replaced(r"\[0, 0, 48\]", "[0, 0, 40]"), "rope"),
    "blocks of 256 rows": (replaced(r"128 x 128", "256 x 128"), "linear"),
    "the gate taken for the other factor": (reads("swiglu", swap(0, 1)), "swiglu"),
    "a sum with the wrong operand": (reads("add", first_twice), "add"),
    "a scale of scores off by a thousandth": (replaced(r"scale (\S+)", "scale 0.1"), "paged_attention"),
    "the same, expanded": (replaced(r"scale (\S+)", "scale 0.1"), "latent_attention"),
    "weights that are not normalised": (replaced("normalise true", "normalise false"), "route_experts"),
    "another factor of the experts": (replaced("scaling 2.827", "scaling 2.826"), "route_experts"),
    "one penalty taken for another": (reads("sample", swap(17, 16)), "sample"),
    "min_p taken for top_p": (reads("sample", swap(2, 3)), "sample"),
    "other draws": (reads("sample", lambda numbers: numbers.__setitem__(6, numbers[7])), "sample"),
}


def is_noticed(found):
    """Whether a comparison failed; an error of the reference would be no notice."""
    return isinstance(found, values.Verdict) and not found.passed


def verdict(machine, folder, kernel, model, spoiler=None, case=(TOKENS, CONTEXT)):
    step = inputs.Step(*case, model, machine.device)
    function = machine.load(folder / kernel["code"], kernel)
    try:
        return run.check(machine, function, kernel, step, inputs.Weights(), spoiler)[0]
    except (launch.LaunchError, AssertionError, RuntimeError, IndexError) as error:
        return error


def main():
    programs, work = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
    compile_small(programs, work)
    machine, used = launch.Emulated(), set()
    for name in MODELS:
        folder = work / name
        model = json.loads((folder / "kernels.json").read_text())
        for kernel in model["kernels"]:
            for lengths, context in run.cases(kernel, [1, 5, 18], [CONTEXT]):
                found = verdict(machine, folder, kernel, model, case=(lengths, context))
                count(getattr(found, "passed", False), f"{name} {kernel['name']} of {lengths} tokens: {found}")
            for index in range(max(1, len(kernel["values"]))):
                found = verdict(machine, folder, kernel, model, spoil(index))
                count(is_noticed(found), f"{name} {kernel['name']}: result {index} spoilt, and nothing noticed: {found}")
            for what, (change, op) in MISTAKES.items():
                wrong = copy.deepcopy(kernel)
                if op in kernel["ops"] and change(wrong):
                    used.add(what)
                    found = verdict(machine, folder, wrong, model)
                    count(is_noticed(found), f"{name} {kernel['name']}: {what}, and nothing noticed: {found}")
    for what in MISTAKES.keys() - used:
        count(False, f"no kernel could be given the mistake: {what}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if passed and not failed else 1)


if __name__ == "__main__":
    main()
