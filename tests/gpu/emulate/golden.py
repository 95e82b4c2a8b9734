"""A golden family on an emulated GPU. Usage: golden.py BUILD FAMILY PROFILE

Compiles the family's random checkpoint with --target cuda:sm_90a, walks the plan on the CPU (plan.py) and judges the
logits as tests/golden/run.py does. Then again with threads in other orders, which must give the same bits. $CUDA_HOME
holds the stand-in for NVRTC. Exit code 77: something to run is missing.

A step of two sequences through the mixed entry, then one of one token each through the decode entry:

  mixed   first: tokens 0 .. N-2 of the case, logits of all; second: tokens 0 .. 2
  decode  first: token N-1;                                  second: token 3
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

SECOND_TOKENS = 3
TABLE_BLOCKS, CACHE_BLOCKS = 3, 8
FIRST, SECOND = [5, 2], [7]  # blocks of the cache


def entry_for(plan, kind, tokens):
    """The smallest of a kind that takes so many tokens."""
    fitting = [entry for entry in plan.entries.values()
               if entry["kind"] == kind and entry["capacity"]["max_tokens"] >= tokens]
    return min(fitting, key=lambda entry: entry["capacity"]["max_tokens"])["name"]


def inputs(plan, pieces):
    return step_inputs(pieces, TABLE_BLOCKS, plan.vocabulary)


def run_mixed(plan, ids, order):
    os.environ["KIMI_EMULATE_ORDER"] = order
    plan.forget()
    first, second = ids[:-1], ids[:SECOND_TOKENS]
    return plan.step(entry_for(plan, "mixed", len(first) + len(second)),
                     inputs(plan, [(first, 0, FIRST, range(len(first))), (second, 0, SECOND, [])]))


def run_decode(plan, ids, order):
    os.environ["KIMI_EMULATE_ORDER"] = order
    last = len(ids) - 1
    return plan.step(entry_for(plan, "decode", 2),
                     inputs(plan, [(ids[last:], last, FIRST, [last]),
                                   ([ids[SECOND_TOKENS]], SECOND_TOKENS, SECOND, [SECOND_TOKENS])]))


def same_bits(one, other):
    """Entries of the top lists that nobody asked for keep what was there before, which is the same too."""
    return all(np.array_equal(one[name].view(np.uint32), other[name].view(np.uint32)) for name in one)


def judged(mixed, decode, family, profile, manifest):
    """Verdicts over the case's rows, without and with the second sequence's in place of the first's."""
    rows = np.concatenate([mixed["logits"], decode["logits"][:1]])
    yield criterion.judge(rows, family, "short", profile, manifest)
    rows[SECOND_TOKENS] = decode["logits"][1]
    yield criterion.judge(rows, family, "short", profile, manifest)


def check_orders(plan, ids, mixed, decode):
    """Whether threads in other orders give the same bits. The caches hold what the mixed step left."""
    good = True
    for order in ("descending", "random:1"):
        good &= same_bits(decode, run_decode(plan, ids, order))
    good &= same_bits(mixed, run_mixed(plan, ids, "descending"))
    print(f"threads in other orders give {'the same bits' if good else 'OTHER BITS'}")
    return good


def compile_artifact(build, family, profile, seed, folder):
    tools = build / "bin"
    subprocess.run([tools / "kimi-random-checkpoint", family, folder / family, "--seed", str(seed)], check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run([tools / "kimic", folder / family, "-o", folder / "artifact.kimi", "--target", "cuda:sm_90a",
                    "--numerics", profile, "--quiet", "--impl", "*=generated"], check=True)  # templates need a GPU
    return folder / "artifact.kimi"


def main():
    build, family, profile = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    if not (build / "bin" / "kimic").exists():
        print("golden.py: skipped: kimic is not built")
        sys.exit(77)
    manifest = criterion.load_manifest()
    (sequence,) = json.loads((criterion.HERE / "ids" / f"{family}-short.json").read_text())["sequences"]
    ids, start = sequence["ids"], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(compile_artifact(build, family, profile, manifest["seed"], pathlib.Path(folder)), CACHE_BLOCKS)
        print(f"{len(plan.kernels)} kernels, compiled in {time.monotonic() - start:.1f} s", flush=True)
        mixed, decode = run_mixed(plan, ids, "ascending"), run_decode(plan, ids, "ascending")
        verdicts = list(judged(mixed, decode, family, profile, manifest))
        for verdict in verdicts:
            print(verdict.row(), flush=True)
        good = check_orders(plan, ids, mixed, decode)
        print(f"{time.monotonic() - start:.1f} s")
    sys.exit(0 if good and all(verdict.passed for verdict in verdicts) else 1)


if __name__ == "__main__":
    faulthandler.enable()
    try:
        main()
    except (KernelError, subprocess.CalledProcessError) as error:
        sys.exit(f"golden.py: {error}")
