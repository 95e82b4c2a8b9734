"""Compiles here what tests/gpu/run runs on a machine with a GPU, which need have neither kimic nor its libraries.

    python prepare.py OUT [--build DIR] [--target cuda:sm_90a] [--family F ...] [--impl OP=NAME ...] [--archive DIR [--limit 34MB]]

OUT gets programs (bin/), the golden tests' and the example models' artifacts (artifacts/), every kernel of one layer of
Kimi-K2 (kernels/), the scripts and what they expect. `--archive` also packs it into archives no larger than the limit
(archive.py), for machines that take no more at once.

`--impl` goes to kimic for the golden artifacts in the profile that a family's weights ask for: what it names serves no kernel of
the others. cuBLASLt multiplies bf16 only:
    python prepare.py OUT --impl linear=cublaslt --family deepseek-v3 example k2 k25 moonlight thinking
"""
import argparse
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "golden"))
import archive
import criterion
import run as golden
from kernels import describe

PROGRAMS = ["kimi-run", "kimi-bench", "kimi-inspect", "kimi-serve"]
RECORDER = "libkimi_timeline.so"  # of tests/gpu/timeline; built where there is a cupti.h
MODELS = ["instruct-fp8", "thinking-int4"]  # of examples/model
EXAMPLES = HERE.parents[1] / "examples" / "model"


def compile_golden(tools, out, family, target, manifest, impls):
    checkpoint = out / "checkpoints" / family
    golden.run_tool([tools["kimi-random-checkpoint"], family, checkpoint, "--seed", manifest["seed"]], 600)
    for profile in golden.profiles_of(family, golden.PROFILES, manifest):
        artifact = out / "artifacts" / f"{family}-{profile}.kimi"
        asked = [f"--impl={impl}" for impl in impls] if profile == criterion.own_profile(family) else []
        golden.run_tool([tools["kimic"], checkpoint, "-o", artifact, "--numerics", profile, f"--target={target}", *asked], 600)
        print(f"{artifact.name}", flush=True)


def compile_models(tools, out, target):
    """The example models, and of their checkpoints what evaluate.py reads: everything but the weights."""
    for model in MODELS:
        golden.run_tool([tools["kimic"], EXAMPLES / model, "-o", out / "artifacts" / f"{model}.kimi",
                         f"--target={target}"], 600)
        print(f"{model}.kimi", flush=True)
    shutil.copytree(EXAMPLES, out / "examples" / "model",
                    ignore=shutil.ignore_patterns("*.safetensors", "corpus", "__pycache__", "*.md"))


def copy_programs(build, out):
    if not (build / "bin" / RECORDER).exists():
        print(f"skipped {RECORDER}: it is not in {build / 'bin'}; tests/gpu/timeline needs it")
    for name in [*PROGRAMS, RECORDER] if (build / "bin" / RECORDER).exists() else PROGRAMS:
        shutil.copy2(build / "bin" / name, out / "bin" / name)
        if strip := shutil.which("strip"):
            subprocess.run([strip, out / "bin" / name], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parents[1] / "build")
    parser.add_argument("--target", default="cuda:sm_90a")
    parser.add_argument("--family", nargs="*", default=[])
    parser.add_argument("--impl", action="append", default=[], metavar="OP=NAME")
    parser.add_argument("--archive", type=pathlib.Path, help="where archives of OUT go")
    parser.add_argument("--limit", type=archive.size_of, default="34MB", help="of one archive")
    args = parser.parse_args()
    manifest = criterion.load_manifest()
    tools = {name: args.build / "bin" / name for name in golden.TOOLS}
    shutil.rmtree(args.out, ignore_errors=True)
    for folder in ("bin", "artifacts", "checkpoints", "tests"):
        (args.out / folder).mkdir(parents=True)
    copy_programs(args.build, args.out)
    for family in args.family or sorted(manifest["families"]):
        compile_golden(tools, args.out, family, args.target, manifest, args.impl)
    shutil.rmtree(args.out / "checkpoints")
    compile_models(tools, args.out, args.target)
    describe.describe_published(tools["kimic"], args.target, args.out / "kernels")
    shutil.copytree(HERE, args.out / "tests" / "gpu",
                    ignore=shutil.ignore_patterns("__pycache__", "emulate", "*.cpp", "*.h", "*.cu", "*.svg"))
    shutil.copytree(HERE.parent / "golden", args.out / "tests" / "golden",
                    ignore=shutil.ignore_patterns("*.cpp", "*.h", "__pycache__"))
    total = sum(path.stat().st_size for path in args.out.rglob("*") if path.is_file())
    print(f"{args.out}: {total / 1e6:.1f} MB; run {args.out}/tests/gpu/run on a machine with a GPU")
    if args.archive:
        archive.pack(args.out, args.archive, args.limit)


if __name__ == "__main__":
    main()
