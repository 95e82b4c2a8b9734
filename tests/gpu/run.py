"""Runs what prepare.py made, on this machine's GPU. Ends with 'N passed, N failed'.

    python run.py [--root DIR] [--only golden,repeat,..]

golden   every family, case and profile: logits against Hugging Face transformers, by the golden tests' criterion
repeat   the same logits, bit for bit: a second time, with poisoned scratch memory, and without CUDA graphs
errors   what is refused, in one line
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "golden"))
import criterion
import numpy as np
import run as golden

passed, failed = [], []


def check(name, good, why=""):
    (passed if good else failed).append(name)
    if not good:
        print(f"FAILED {name}: {why}", flush=True)


def logits(root, artifact, family, case, *options):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "logits.npy"
        golden.run_tool([root / "bin/kimi-run", artifact, "--ids", criterion.HERE / "ids" / f"{family}-{case}.json",
                         "--logits", out, *options], 600)
        return np.load(out)


def artifacts(root, manifest):
    """(family, profile, cases, artifact) of every golden artifact that prepare.py made."""
    for family in sorted(manifest["families"]):
        for profile in golden.profiles_of(family, golden.PROFILES, manifest):
            artifact = root / "artifacts" / f"{family}-{profile}.kimi"
            goldens = manifest["families" if profile in ("f32", criterion.own_profile(family)) else criterion.W8A8]
            cases = [case for case in goldens[family]
                     if profile != criterion.W8A8_F32 or case in criterion.W8A8_F32_CASES]
            if artifact.exists():
                yield family, profile, cases, artifact


def run_golden(root, manifest):
    print(criterion.HEADER)
    verdicts = []
    for family, profile, cases, artifact in artifacts(root, manifest):
        for case in cases:
            name = f"golden {family} {case} {profile}"
            try:
                verdict = criterion.judge(logits(root, artifact, family, case), family, case, profile, manifest)
                verdicts.append(verdict)
                print(verdict.row(), flush=True)
                check(name, verdict.passed, "over its limit")
            except (golden.ToolError, OSError, ValueError) as error:
                check(name, False, error)
    golden.conclude(verdicts)


def run_repeat(root, manifest):
    ways = {"again": [], "poisoned": ["--poison"], "without graphs": ["--no-graph"],
            "poisoned, without graphs": ["--poison", "--no-graph"]}
    for family, profile, cases, artifact in artifacts(root, manifest):
        if profile != criterion.own_profile(family):
            continue
        case = cases[0]
        first = logits(root, artifact, family, case)
        for way, options in ways.items():
            other = logits(root, artifact, family, case, *options)
            check(f"repeat {family} {case} {way}", np.array_equal(first.view(np.uint32), other.view(np.uint32)),
                  f"{np.count_nonzero(first.view(np.uint32) != other.view(np.uint32))} of {first.size} logits differ")


def run_errors(root, manifest):
    artifact = next(artifact for *_, artifact in artifacts(root, manifest))
    cases = {
        "no driver": ({"KIMI_CUDA_DRIVER": "libnone.so.1"}, [], "libnone.so.1"),
        "no GPU": ({"CUDA_VISIBLE_DEVICES": ""}, [], "GPU"),
        "cache too large": ({}, ["--kv-cache-memory", "9TiB"], "only"),
    }
    for name, (environment, options, words) in cases.items():
        import os
        done = subprocess.run([root / "bin/kimi-run", artifact, "--prompt", "hi", *options], text=True, capture_output=True,
                              env=os.environ | environment)
        lines = done.stderr.strip().splitlines()
        check(f"errors {name}", done.returncode == 1 and len(lines) == 1 and words in lines[0], done.stderr)
        print(f"{name}: {done.stderr.strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=HERE.parents[1], help="the folder that prepare.py made")
    parser.add_argument("--only", default="golden,repeat,errors")
    args = parser.parse_args()
    manifest = criterion.load_manifest()
    parts = {"golden": run_golden, "repeat": run_repeat, "errors": run_errors}
    for part in args.only.split(","):
        parts[part](args.root, manifest)
    print(f"{len(passed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
