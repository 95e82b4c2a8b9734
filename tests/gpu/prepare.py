"""Compiles here what tests/gpu/run runs on a machine with a GPU, which need have neither kimic nor its libraries.

    python prepare.py OUT [--build DIR] [--target cuda:sm_90a] [--family F ...]

OUT gets programs (bin/), the golden tests' artifacts (artifacts/FAMILY-PROFILE.kimi), the scripts and the expected logits.
"""
import argparse
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "golden"))
import criterion
import run as golden

PROGRAMS = ["kimi-run", "kimi-bench", "kimi-inspect"]
MODELS = {"instruct-fp8": [], "thinking-int4": []}  # of examples/model, with kimic's options


def compile_golden(tools, out, family, target, manifest):
    checkpoint = out / "checkpoints" / family
    golden.run_tool([tools["kimi-random-checkpoint"], family, checkpoint, "--seed", manifest["seed"]], 600)
    for profile in golden.profiles_of(family, golden.PROFILES, manifest):
        artifact = out / "artifacts" / f"{family}-{profile}.kimi"
        golden.run_tool([tools["kimic"], checkpoint, "-o", artifact, "--numerics", profile, f"--target={target}"], 600)
        print(f"{artifact.name}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build")
    parser.add_argument("--target", default="cuda:sm_90a")
    parser.add_argument("--family", nargs="*", default=[])
    args = parser.parse_args()
    manifest = criterion.load_manifest()
    tools = {name: args.build / "bin" / name for name in golden.TOOLS}
    shutil.rmtree(args.out, ignore_errors=True)
    for folder in ("bin", "artifacts", "checkpoints", "tests"):
        (args.out / folder).mkdir(parents=True)
    for name in PROGRAMS:
        shutil.copy2(args.build / "bin" / name, args.out / "bin" / name)
    for family in args.family or sorted(manifest["families"]):
        compile_golden(tools, args.out, family, args.target, manifest)
    shutil.rmtree(args.out / "checkpoints")
    for model, options in MODELS.items():
        checkpoint = HERE.parents[1] / "examples" / "model" / model
        golden.run_tool([tools["kimic"], checkpoint, "-o", args.out / "artifacts" / f"{model}.kimi",
                         f"--target={args.target}", *options], 600)
    shutil.copytree(HERE, args.out / "tests" / "gpu", ignore=shutil.ignore_patterns("__pycache__", "emulate"))
    shutil.copytree(HERE.parent / "golden", args.out / "tests" / "golden",
                    ignore=shutil.ignore_patterns("*.cpp", "*.h", "__pycache__"))
    total = sum(path.stat().st_size for path in args.out.rglob("*") if path.is_file())
    print(f"{args.out}: {total / 1e6:.1f} MB; run {args.out}/tests/gpu/run on a machine with a GPU")


if __name__ == "__main__":
    main()
