"""Compiles whole models from their config.json alone, and says what that took.

    python whole_model.py BIN_FOLDER WORK_FOLDER [CONFIG.json ..]

Without configs: those beside this file and the published ones of Kimi K2, where they are at hand. Fails where a phase's
dump is longer than a person reads, where memory or time are not those of a laptop, and where a dump does not lead to the
same plan.

For GPUs, one model: every kernel of every entry becomes a cubin, for both architectures.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
PUBLISHED = HERE.parents[3] / "shared" / "data" / "kimi-k2" / "config"
PHASES = ["import", "partition", "specialise", "fuse", "select", "codegen", "plan"]
MAX_LINES, MAX_MEMORY, MAX_SECONDS = 5000, 1 << 30, 120  # a phase's dump; bytes; wall clock, on a busy machine
GPU_CONFIGS = ["kimi-k2-instruct-0905", "deepseek-v3"]  # the first that is at hand
GPU_TARGETS = ["cuda:sm_90a", "cuda:sm_80"]
WIDTH = 29


def configs():
    published = sorted(PUBLISHED.glob("*.config.json"))
    if not published:
        print(f"skipped: Kimi K2's own configs: there are none in {PUBLISHED}")
    return sorted(HERE.glob("*.config.json")) + published


def run(command):
    """What it said, the seconds it took, the most memory it held in bytes."""
    start = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"FAILED  {' '.join(map(str, command))}: {said}")
    return said, time.monotonic() - start, usage.ru_maxrss * 1024


def gpu_runs(chosen):
    """(config, target) for GPUs; none, said so, without NVRTC."""
    chosen = {config.name.removesuffix(".config.json"): config for config in chosen}
    wanted = [chosen[name] for name in GPU_CONFIGS if name in chosen][:1]
    return [(config, target) for config in wanted for target in GPU_TARGETS]


def find_nvrtc(kimic, work):
    """Whether kimic finds it: what it says where it does not."""
    work.mkdir(parents=True, exist_ok=True)
    source = work / "none.mlir"
    source.write_text('module attributes {kimi.target = "cuda:sm_90a"} {}\n')
    done = subprocess.run([kimic, source, "--compile-from=codegen", "--compile-to=codegen", "-o", work / "out.mlir"],
                          capture_output=True, text=True)
    if done.returncode and "NVRTC" in done.stderr:
        print(f"skipped: GPUs: {done.stderr.strip()}")
        return False
    return True


def compile_whole(kimic, config, work, target):
    """Compiles to the plan; returns the row's columns and what is wrong."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    said, seconds, memory = run([kimic, config, "--weights=random", f"--target={target}", "--compile-to=plan",
                                 f"--dump-phases={work}", "-o", work / "plan.mlir"])
    times = dict(re.findall(r"^(\w+) +([\d.]+) s$", said, re.M))
    dumps = sorted(work.glob("0*.mlir"))
    lines = [sum(1 for _ in open(dump)) for dump in dumps]
    # Any dump leads to the same plan.
    run([kimic, work / "03-fuse.mlir", "--compile-from=select", "--compile-to=plan", "-o", work / "again.mlir"])
    faults = []
    if target != "cpu" and "skinny_gemm" not in (work / "plan.mlir").read_text():
        faults.append("no kernel is a skinny_gemm")
    if (work / "again.mlir").read_bytes() != (work / "plan.mlir").read_bytes():
        faults.append("the plan from 03-fuse.mlir is another one")
    if len(dumps) != len(PHASES):
        faults.append(f"{len(dumps)} dumps")
    faults += [f"{dump.name} has {count} lines, more than {MAX_LINES}" for dump, count in zip(dumps, lines) if count > MAX_LINES]
    if memory > MAX_MEMORY:
        faults.append(f"{memory} bytes of memory, more than {MAX_MEMORY}")
    if seconds > MAX_SECONDS:
        faults.append(f"{seconds:.1f} s, more than {MAX_SECONDS}")
    columns = [f"{count} / {float(times[phase]):.2f}" for phase, count in zip(PHASES, lines)]
    return columns + [f"{seconds:.1f}", f"{memory / 2**20:.0f}"], faults


def main():
    kimic, work = pathlib.Path(sys.argv[1]) / "kimic", pathlib.Path(sys.argv[2])
    failed = False
    print("lines of each phase's dump / seconds it took; seconds in all; MiB at most")
    print(" " * WIDTH + "".join(f"{name:>13}" for name in PHASES + ["s", "MiB"]))
    chosen = [pathlib.Path(path) for path in sys.argv[3:]] or configs()
    runs = [(config, "cpu") for config in chosen] + (gpu_runs(chosen) if find_nvrtc(kimic, work) else [])
    for config, target in runs:
        name = config.name.removesuffix(".config.json") + ("" if target == "cpu" else " " + target.removeprefix("cuda:"))
        columns, faults = compile_whole(kimic, config.resolve(), work / name.replace(" ", "-"), target)
        print(f"{name:{WIDTH}}" + "".join(f"{column:>13}" for column in columns), flush=True)
        for fault in faults:
            print(f"FAILED  {name}: {fault}")
        failed |= bool(faults)
    sys.exit(failed)


if __name__ == "__main__":
    main()
