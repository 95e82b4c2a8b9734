"""A golden family on an emulated GPU. Usage: golden.py BUILD FAMILY PROFILE

Compiles the family's random checkpoint with --target cuda:sm_90a, walks the plan on the CPU (plan.py) and judges the logits as
tests/golden/run.py does, three times: threads in ascending, descending and random order, which must give the same bits. $CUDA_HOME
holds the stand-in for NVRTC. Exit code 77: something to run is missing.

A step of two sequences through the mixed entry, then one of one token each through the decode entry:

  first   tokens 0 .. N-2 of the case, logits of all; second: its first half
  first   token N-1; second: the one after its half
"""
import faulthandler
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "golden"))
try:
    import numpy as np
except ImportError:
    print("golden.py: skipped: Python has no numpy")
    sys.exit(77)
import criterion
from plan import KernelError, Plan, step_inputs

ORDERS = ["ascending", "descending", "random:1"]
TABLE_BLOCKS, CACHE_BLOCKS = 3, 8
FIRST, SECOND = [5, 2], [7]  # blocks of the cache


def entry_for(plan, kind, tokens):
    """The smallest of a kind that takes so many tokens."""
    fitting = [entry for entry in plan.entries.values()
               if entry["kind"] == kind and entry["capacity"]["max_tokens"] >= tokens]
    return min(fitting, key=lambda entry: entry["capacity"]["max_tokens"])["name"]


def run(plan, ids):
    """Outputs of both steps."""
    plan.forget()
    last, half = len(ids) - 1, len(ids) // 2
    inputs = lambda pieces: step_inputs(pieces, TABLE_BLOCKS, plan.vocabulary)
    mixed = plan.step(entry_for(plan, "mixed", last + half),
                      inputs([(ids[:last], 0, FIRST, range(last)), (ids[:half], 0, SECOND, [])]))
    decode = plan.step(entry_for(plan, "decode", 2),
                       inputs([(ids[last:], last, FIRST, [last]), (ids[half:half + 1], half, SECOND, [half])]))
    return mixed, decode


def same_bits(one, other):
    return all(np.array_equal(a[name].view(np.uint32), b[name].view(np.uint32))
               for a, b in zip(one, other) for name in a if name not in ("top_tokens", "top_logprobs"))


def judged(outputs, half, family, profile, manifest):
    """Verdicts over the case's rows, without and with the second sequence's in place of the first's."""
    mixed, decode = outputs
    rows = np.concatenate([mixed["logits"], decode["logits"][:1]])
    yield criterion.judge(rows, family, "short", profile, manifest)
    rows[half] = decode["logits"][1]
    yield criterion.judge(rows, family, "short", profile, manifest)


def compile_artifact(build, family, profile, seed, folder):
    tools = build / "bin"
    subprocess.run([tools / "kimi-random-checkpoint", family, folder / family, "--seed", str(seed)], check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run([tools / "kimic", folder / family, "-o", folder / "artifact.kimi", "--target", "cuda:sm_90a", "--numerics",
                    profile, "--quiet"], check=True)
    return folder / "artifact.kimi"


def main():
    build, family, profile = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    if not (build / "bin" / "kimic").exists():
        print("golden.py: skipped: kimic is not built")
        sys.exit(77)
    manifest = criterion.load_manifest()
    (sequence,) = json.loads((criterion.HERE / "ids" / f"{family}-short.json").read_text())["sequences"]
    ids, results, start = sequence["ids"], [], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(compile_artifact(build, family, profile, manifest["seed"], pathlib.Path(folder)), CACHE_BLOCKS)
        print(f"compiled {len(plan.kernels)} kernels: {time.monotonic() - start:.1f} s", flush=True)
        for order in ORDERS:
            os.environ["KIMI_EMULATE_ORDER"] = order
            results.append(run(plan, ids))
            print(f"{order}: {time.monotonic() - start:.1f} s", flush=True)
    good = True
    for verdict in judged(results[0], len(ids) // 2, family, profile, manifest):
        print(verdict.row())
        good &= verdict.passed
    for order, result in zip(ORDERS[1:], results[1:]):
        same = same_bits(results[0], result)
        print(f"{order} threads give {'the same bits' if same else 'OTHER BITS'}")
        good &= same
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    faulthandler.enable()
    try:
        main()
    except (KernelError, subprocess.CalledProcessError) as error:
        sys.exit(f"golden.py: {error}")
