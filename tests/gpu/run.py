"""Runs what prepare.py made, on this machine's GPU. Ends with 'N passed, N failed'.

    python run.py [--root DIR] [--only golden,repeat,..]

golden      every family, case and profile: logits against Hugging Face transformers, by the golden tests' criterion
repeat      the same logits, bit for bit: a second time, with poisoned scratch memory, and without CUDA graphs
errors      what is refused, in one line
evaluation  the example models' answers to 1280 held-out questions, against the stored ones of transformers
kernels     every generated kernel at Kimi-K2's dimensions against torch (kernels/run.py)

The folder may hold some of the artifacts only (archive.py): what is missing is said, and counted neither way. A part that
finds nothing at all to do is said to be skipped; a run in which no part checked anything fails.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "golden"))
import criterion
import numpy as np
import run as golden

MODELS = ["instruct-fp8", "thinking-int4"]  # of examples/model
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


def wanted_artifacts(root, manifest):
    """(family, profile, cases, artifact) of every golden artifact that the manifest asks for."""
    for family in sorted(manifest["families"]):
        for profile in golden.profiles_of(family, golden.PROFILES, manifest):
            artifact = root / "artifacts" / f"{family}-{profile}.kimi"
            goldens = manifest["families" if profile in ("f32", criterion.own_profile(family)) else criterion.W8A8]
            yield family, profile, [case for case in goldens[family]
                                    if profile != criterion.W8A8_F32 or case in criterion.W8A8_F32_CASES], artifact


def artifacts(root, manifest):
    return [wanted for wanted in wanted_artifacts(root, manifest) if wanted[-1].exists()]


def run_golden(root, manifest):
    missing = [artifact.stem for *_, artifact in wanted_artifacts(root, manifest) if not artifact.exists()]
    if missing:
        print(f"skipped, not in {root / 'artifacts'}: {', '.join(missing)}")
    print(criterion.HEADER)
    verdicts = []
    for family, profile, cases, artifact in artifacts(root, manifest):
        for case in cases:
            name, verdict = f"golden {family} {case} {profile}", None
            try:
                verdict = criterion.judge(logits(root, artifact, family, case), family, case, profile, manifest)
                print(verdict.row(), flush=True)
                check(name, verdict.passed, "over its limit")
            except (golden.ToolError, OSError, ValueError) as error:
                check(name, False, error)
            verdicts.append(verdict)
    code = golden.conclude(verdicts)
    if not missing:  # how many loose rows may differ is a rule about all of them together
        check("golden, all rows together", code == 0, "see the line above")


def run_repeat(root, manifest):
    ways = {"again": [], "poisoned": ["--poison"], "without graphs": ["--no-graph"],
            "poisoned, without graphs": ["--poison", "--no-graph"]}
    for family, profile, cases, artifact in artifacts(root, manifest):
        if profile != criterion.own_profile(family):
            continue
        case = cases[0]
        try:
            first = logits(root, artifact, family, case)
            for way, options in ways.items():
                other = logits(root, artifact, family, case, *options)
                check(f"repeat {family} {case} {way}", np.array_equal(first.view(np.uint32), other.view(np.uint32)),
                      f"{np.count_nonzero(first.view(np.uint32) != other.view(np.uint32))} of {first.size} logits differ")
        except (golden.ToolError, OSError, ValueError) as error:
            check(f"repeat {family} {case}", False, error)


def run_errors(root, manifest):
    found = artifacts(root, manifest)
    if not found:
        return
    cases = {
        "no driver": ({"KIMI_CUDA_DRIVER": "libnone.so.1"}, [], "libnone.so.1"),
        "no GPU": ({"CUDA_VISIBLE_DEVICES": ""}, [], "GPU"),
        "cache too large": ({}, ["--kv-cache-memory", "9TiB"], "only"),
    }
    for name, (environment, options, words) in cases.items():
        done = subprocess.run([root / "bin/kimi-run", found[0][-1], "--prompt", "hi", *options], text=True,
                              capture_output=True, env=os.environ | environment)
        lines = done.stderr.strip().splitlines()
        check(f"errors {name}", done.returncode == 1 and len(lines) == 1 and words in lines[0], done.stderr)
        print(f"{name}: {done.stderr.strip()}")


def run_evaluation(root, manifest):
    """evaluate.py exits with 0 where at most one answer in a hundred is another than the reference's."""
    folder = root / "examples" / "model"
    for model in MODELS:
        artifact = root / "artifacts" / f"{model}.kimi"
        if not artifact.exists():
            print(f"skipped, not in {root / 'artifacts'}: {model}")
            continue
        done = subprocess.run([sys.executable, folder / "evaluate.py", folder / model, "--artifact", artifact,
                               "--bin", root / "bin", "--stored"], text=True, capture_output=True)
        print(f"{model}\n{done.stdout}", flush=True)
        same = re.search(r"^\d+ of \d+ answers are the same$", done.stdout, re.MULTILINE)
        check(f"evaluation {model}", done.returncode == 0 and same, f"{same[0] if same else done.stderr.strip()[-300:]}")


def run_kernels(root, manifest):
    if not (root / "kernels").exists():
        return
    done = subprocess.run([sys.executable, HERE / "kernels" / "run.py", root / "kernels"], text=True, stdout=subprocess.PIPE)
    print(done.stdout, end="", flush=True)
    counts = re.search(r"(\d+) passed, (\d+) failed\s*$", done.stdout)
    check("kernels, to the end", counts, f"exit code {done.returncode}")
    if counts:
        passed.extend(["kernels"] * int(counts[1]))
        failed.extend(["kernels"] * int(counts[2]))


PARTS = {"golden": run_golden, "repeat": run_repeat, "errors": run_errors, "evaluation": run_evaluation,
         "kernels": run_kernels}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=HERE.parents[1], help="the folder that prepare.py made")
    parser.add_argument("--only", default=",".join(PARTS))
    args = parser.parse_args()
    unknown = set(args.only.split(",")) - PARTS.keys()
    if unknown:
        sys.exit(f"run.py: unknown part {', '.join(sorted(unknown))}: use {', '.join(PARTS)}")
    manifest = criterion.load_manifest()
    for part in args.only.split(","):
        before = len(passed) + len(failed)
        PARTS[part](args.root, manifest)
        if len(passed) + len(failed) == before:
            print(f"skipped {part}: {args.root} holds nothing for it")
    print(f"{len(passed)} passed, {len(failed)} failed")
    if not passed and not failed:
        print(f"run.py: nothing was checked: is {args.root} a folder that prepare.py made?")
    sys.exit(0 if passed and not failed else 1)


if __name__ == "__main__":
    main()
