"""The first layers of a model at its real dimensions, with random weights: compiled, loaded, run, measured, and compared with
transformers. By hand, because K2-Thinking's two layers (one dense, one of 384 experts) take 16 GB of disk for some minutes:

    python slice.py BIN_FOLDER WORK_FOLDER CHECKPOINT [--layers N] [--only run|reference] [--tokenizer FOLDER]
        [--kimic-arg=--max-tokens=64 ..]

CHECKPOINT: a config.json, a folder with one (and a tokenizer), or the name of a small family of tests/golden, with which
tests/run runs the part that needs no torch. Needs numpy,
and for the comparison torch, transformers (tests/golden/requirements.txt) and flatc. Timings are the best of three. Fails
where a limit is broken; exit code 77: a package is missing. Deletes what it made, however it ends.
"""
import argparse
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import slice_serve

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "golden"))

MAX_PACK_MEMORY = 2 << 30
SANE = (0.3, 3.0)  # root mean square of logits
PROMPTS, FORCED = [12, 5], [3, 0]  # tokens of the sequences that are compared, side by side
SKIPPED = 77
GIB = 1 << 30


class Slice:
    """The folder that all happens in, and the rows of the table."""

    def __init__(self, args):
        self.bin, self.work, self.layers = args.bin.resolve(), args.work.resolve(), args.layers
        self.model, self.artifact = self.work / "model", self.work / "slice.kimi"
        self.options, self.numerics, self.failed = args.kimic_arg, None, False

    def row(self, what, value, is_right=True):
        print(f"{'' if is_right else 'FAILED  '}{what:36} {value}", flush=True)
        self.failed |= not is_right

    def copy_model(self, checkpoint, tokenizer):
        """Only config and tokenizer count."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.model.mkdir(parents=True)
        if not checkpoint.exists():
            self.run("kimi-random-checkpoint", checkpoint, self.work / "family")
            checkpoint = self.work / "family"
        config = checkpoint / "config.json" if checkpoint.is_dir() else checkpoint
        shutil.copyfile(config, self.model / "config.json")
        for folder in [config.parent] + ([tokenizer] if tokenizer else []):
            for pattern in ("tiktoken.model", "tokenizer_config*.json"):
                for path in sorted(folder.glob(pattern))[:1]:
                    shutil.copyfile(path, self.model / (pattern.replace("*", "")))

    def run(self, program, *arguments):
        """What it said on both streams, seconds, the most memory it held in bytes."""
        start = time.monotonic()
        command = [str(self.bin / program), *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, said = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"FAILED  {' '.join(command)}: {said}")
        return out, said, time.monotonic() - start, usage.ru_maxrss * 1024

    def compile(self, *options):
        return self.run("kimic", self.model, "--weights=random", f"--layers={self.layers}", "-o", self.artifact,
                        *self.options, *options)


def measure_compile(slice_):
    _, said, seconds, memory = slice_.compile()
    phases = dict(re.findall(r"^(\w+) +([\d.]+) s$", said, re.M))
    slice_.row("seconds of each phase", "  ".join(f"{name} {value}" for name, value in phases.items()))
    slice_.row("packing", re.search(r"packed .*", said)[0])
    slice_.row("compiling, all", f"{seconds:.1f} s")
    slice_.row("memory of compiling and packing", f"{memory / 2**20:.0f} MiB (bound: {MAX_PACK_MEMORY / 2**20:.0f})",
               memory <= MAX_PACK_MEMORY)
    inspected = json.loads(slice_.run("kimi-inspect", slice_.artifact, "--json")[0])
    slice_.numerics = inspected["numerics"]
    size = sum(path.stat().st_size for path in slice_.artifact.rglob("*") if path.is_file())
    slice_.row("artifact", f"{size / 1e9:.2f} GB, {inspected['numerics']}, weights {inspected['weights_kind']}, "
               f"layers {inspected['layers_kind']}", inspected["weights_kind"].startswith("random"))
    slice_.row("memory it asks for, without cache", f"{inspected['memory']['total_without_cache'] / GIB:.2f} GiB")
    return size


def bench(slice_, batch, context, tokens):
    said, _, _, memory = slice_.run("kimi-bench", slice_.artifact, "--batch", batch, "--context", context, "--tokens",
                                    tokens, "--json")
    return json.loads(said), memory


def bytes_of(phase):
    return sum(kernel["bytes"] for kernel in phase["kernels"])


def measure_speed(slice_):
    for batch in (1, 4):
        rounds = [bench(slice_, batch, 16, 16) for _ in range(3)]
        best, memory = max(rounds, key=lambda each: each[0]["decode"]["tokens_per_second"])
        if batch == 1:
            slice_.row("load, weights verified", f"{min(each['load_seconds'] for each, _ in rounds):.2f} s")
        decode = best["decode"]
        moved = bytes_of(decode) / decode["tokens"] * batch
        share = bytes_of(decode) / decode["seconds"] / best["read_bytes_per_second"]
        slice_.row(f"decode, batch {batch}", f"{decode['tokens_per_second']:.2f} tokens/s, {moved / 1e9:.3f} GB a step, "
                   f"{share:.0%} of {best['read_bytes_per_second'] / 1e9:.1f} GB/s; prefill "
                   f"{max(each['prefill']['tokens_per_second'] for each, _ in rounds):.1f} tokens/s; "
                   f"at most {memory / GIB:.2f} GiB")
        for kernel in decode["kernels"][:3]:
            slice_.row("", f"{kernel['seconds'] / decode['seconds']:4.0%}  {kernel['name']}: "
                       f"{kernel['percent_of_ceiling']:.0f} % of the {kernel['ceiling']} ceiling")


def measure_touched(slice_, size):
    """Pages of weights that a process holds after a step of one token, against what the plan says such a step moves."""
    if not (slice_.artifact / "tiktoken.model").exists():
        print("skipped: weights touched by one token: kimi-serve needs a tokenizer (--tokenizer)")
        return
    planned = bytes_of(bench(slice_, 1, 1, 1)[0]["prefill"])
    touched, said = slice_serve.touched_by_one_token(slice_.bin / "kimi-serve", slice_.artifact)
    # Pages are mapped 64 KiB or 2 MiB at a time: of a small model nearly all are.
    is_right = size < GIB or 0.99 <= touched / planned <= 1.05
    slice_.row("weights touched by one token", f"{touched / 1e9:.3f} GB; by the plan, with activations, "
               f"{planned / 1e9:.3f} GB: {touched / planned:.3f}", is_right)
    slice_.row("kimi-serve warns", "of random weights", "holds random weights" in said)


def measure_run(slice_):
    import numpy as np

    ids, logits = slice_.work / "few.json", slice_.work / "few.npy"
    ids.write_text(json.dumps({"sequences": [{"ids": [7, 100, 3, 42]}], "positions": [[0, 1, 2, 3]]}))
    said, warned, seconds, _ = slice_.run("kimi-run", slice_.artifact, "--ids", ids, "--max-tokens", 8)
    slice_.row("kimi-run, 8 tokens, start to end", f"{seconds:.1f} s: {json.loads(said)['sequences'][0]['ids']}")
    slice_.row("kimi-run warns", "of random weights", "holds random weights" in warned)
    slice_.run("kimi-run", slice_.artifact, "--ids", ids, "--logits", logits)
    values = np.load(logits).astype(np.float64)
    size = float(np.sqrt(np.mean(values**2)))
    slice_.row("logits", f"rms {size:.2f}", bool(np.isfinite(values).all()) and SANE[0] < size < SANE[1])


def run_case(slice_):
    """The case that is compared, and our logits in the profile of the checkpoint and in f32. Before torch is loaded: the
    weights may need all memory that there is."""
    import numpy as np
    import weights

    ids, logits = slice_.work / "case.json", slice_.work / "case.npy"
    vocabulary = json.loads(slice_.run("kimi-inspect", slice_.artifact, "--json")[0])["vocabulary"]
    draw = lambda name, count: weights.token_ids(1, f"slice/{name}", count, vocabulary)
    case = {"sequences": [{"ids": draw(f"prompt/{i}", count)} for i, count in enumerate(PROMPTS)],
            "forced": [draw(f"forced/{i}", count) for i, count in enumerate(FORCED)],
            "positions": [list(range(a + b)) for a, b in zip(PROMPTS, FORCED)]}
    ids.write_text(json.dumps(case))
    run = lambda: slice_.run("kimi-run", slice_.artifact, "--ids", ids, "--logits", logits, "--skip-verification")
    run()
    own = np.load(logits)
    said = slice_.compile("--numerics=f32")[1]  # over the same weights
    assert "packed 0 bytes" in said, said
    run()
    return case, own, np.load(logits)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--only", choices=["run", "reference"])
    parser.add_argument("--kimic-arg", action="append", default=[], help="passed on to kimic")
    parser.add_argument("--tokenizer", type=pathlib.Path, help="folder with tiktoken.model and tokenizer_config*.json")
    args = parser.parse_args()
    wanted = {"run": ["numpy"], "reference": ["numpy", "torch", "transformers"]}[args.only or "reference"]
    missing = [name for name in wanted if not importlib.util.find_spec(name)]
    if missing:
        print(f"skipped: Python has no {', '.join(missing)} (tests/golden/requirements.txt)")
        sys.exit(SKIPPED)
    slice_ = Slice(args)
    try:
        slice_.copy_model(args.checkpoint, args.tokenizer)
        size = measure_compile(slice_)
        if args.only != "reference":
            measure_run(slice_)
            measure_speed(slice_)
            measure_touched(slice_, size)
        if args.only != "run":
            compared = run_case(slice_)
            import slice_compare
            slice_compare.compare(slice_, *compared)
    finally:
        shutil.rmtree(slice_.work, ignore_errors=True)
    sys.exit(slice_.failed)


if __name__ == "__main__":
    main()
