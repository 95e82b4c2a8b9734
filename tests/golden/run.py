"""Runs our tools on every family and case, compares with the goldens and prints the golden table.

    python run.py [--build DIR] [--family F ...] [--case C ...] [--profile f32 own] [--kimic-arg=--target=cpu ...]

For each family: kimi-random-checkpoint FAMILY CKPT; for each profile (f32, and the family's own: bf16, w8a16 or w4a16):
kimic CKPT -o X.kimi --numerics PROFILE; for each case: kimi-run X.kimi --ids ids/FAMILY-CASE.json --logits OUT.npy. Needs
numpy only. Exit code 0: everything passed; 1: something failed; 77: a tool is not built or numpy is missing (ctest takes it
as skipped).
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
try:
    import numpy as np
except ImportError:
    print("run.py: skipped: Python has no numpy")
    sys.exit(SKIPPED)

import criterion

TOOLS = ("kimi-random-checkpoint", "kimic", "kimi-run")


class ToolError(Exception):
    pass


def run_tool(command, timeout):
    """Runs a program; a failure carries its last line."""
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise ToolError(f"{pathlib.Path(command[0]).name}: no end after {timeout} s") from None
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise ToolError(f"{pathlib.Path(command[0]).name}: exit code {done.returncode}: {lines[-1]}")


def run_cases(tools, artifact, family, profile, names, args, manifest):
    """Verdicts of one artifact; prints each row as it comes."""
    verdicts = []
    for name in names:
        out = artifact.parent / f"{family}-{name}-{profile}.npy"
        try:
            run_tool([tools["kimi-run"], artifact, "--ids", criterion.HERE / "ids" / f"{family}-{name}.json",
                      "--logits", out, *args.run_arg], args.timeout)
            verdicts.append(criterion.judge(np.load(out), family, name, profile, manifest))
            print(verdicts[-1].row(), flush=True)
        except (ToolError, OSError, ValueError) as error:
            verdicts.append(None)
            print(f"| {family} | {name} | {profile} | | | | | | | FAIL: {error} |", flush=True)
    return verdicts


def run_family(tools, family, scratch, args, manifest):
    checkpoint = scratch / family
    names = [name for name in manifest["families"][family] if not args.case or name in args.case]
    verdicts = []
    for profile in (criterion.own_profile(family) if name == "own" else name for name in args.profile):
        artifact = scratch / f"{family}-{profile}.kimi"
        try:
            if not checkpoint.exists():
                run_tool([tools["kimi-random-checkpoint"], family, checkpoint, "--seed", manifest["seed"]], args.timeout)
            run_tool([tools["kimic"], checkpoint, "-o", artifact, "--numerics", profile, *args.kimic_arg], args.timeout)
        except ToolError as error:
            print(f"| {family} | all | {profile} | | | | | | | FAIL: {error} |", flush=True)
            verdicts += [None] * len(names)
            continue
        verdicts += run_cases(tools, artifact, family, profile, names, args, manifest)
    return verdicts


def conclude(verdicts):
    """The last lines of the table, and the exit code."""
    done = [verdict for verdict in verdicts if verdict]
    passed = sum(verdict.passed for verdict in done)
    ours = sum(verdict.loose_differ for verdict in done if verdict.profile != "f32")
    allowed = sum(verdict.loose_allowed for verdict in done if verdict.profile != "f32")
    print(f"\n{passed} of {len(verdicts)} rows pass. Loose rows with another argmax: {ours}, torch's bf16 run {allowed}"
          f" ({'pass' if ours <= allowed else 'FAIL'}).")
    return 0 if passed == len(verdicts) and ours <= allowed else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=criterion.HERE.parents[1] / "build",
                        help="build folder whose bin/ holds the tools")
    parser.add_argument("--family", nargs="*", default=[])
    parser.add_argument("--case", nargs="*", default=[])
    parser.add_argument("--profile", nargs="*", default=["f32", "own"], choices=["f32", "own"])
    parser.add_argument("--kimic-arg", action="append", default=[], help="passed on to kimic")
    parser.add_argument("--run-arg", action="append", default=[], help="passed on to kimi-run")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for each program")
    args = parser.parse_args()

    tools = {name: args.build / "bin" / name for name in TOOLS}
    missing = [name for name, path in tools.items() if not path.exists()]
    if missing:
        print(f"run.py: skipped: {', '.join(missing)} not found in {args.build / 'bin'} (use --build DIR)")
        sys.exit(SKIPPED)
    manifest = criterion.load_manifest()
    unknown = set(args.family) - manifest["families"].keys()
    if unknown:
        sys.exit(f"run.py: unknown family {', '.join(sorted(unknown))}: use {', '.join(sorted(manifest['families']))}")
    start = time.monotonic()
    print(criterion.HEADER, flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        verdicts = [verdict for family in args.family or sorted(manifest["families"])
                    for verdict in run_family(tools, family, pathlib.Path(scratch), args, manifest)]
    code = conclude(verdicts)
    print(f"{time.monotonic() - start:.0f} s")
    sys.exit(code)


if __name__ == "__main__":
    main()
