"""On the CPU a token's bits depend on its own sequence only: exact equality over batches, chunks and buckets.

Usage: exact.py BIN_FOLDER WORK_FOLDER
"""
import json
import pathlib
import shutil
import subprocess
import sys

try:
    import numpy as np
except ImportError:
    print("skipped: numpy is not installed (tests/requirements.txt)")
    sys.exit(77)

bin_folder, work = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
failures = 0


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")


def logits(artifact, name, request, *options):
    """Runs kimi-run --ids and returns the wanted logits as raw bits."""
    (work / f"{name}.json").write_text(json.dumps(request))
    run(bin_folder / "kimi-run", artifact, "--ids", work / f"{name}.json", "--logits", work / f"{name}.npy", *options)
    return np.load(work / f"{name}.npy").view(np.uint32)


def same(what, a, b):
    global failures
    equal = a.shape == b.shape and np.array_equal(a, b)
    failures += not equal
    print(f"{'ok    ' if equal else 'FAILED'} {what}", flush=True)


def check(artifact):
    rng = np.random.default_rng(3)
    long, short, other = (rng.integers(0, 250, n).tolist() for n in (150, 9, 70))
    positions = [0, 1, 63, 64, 65, 127, 128, 149]
    alone = logits(artifact, "alone", {"sequences": [{"ids": long}], "positions": [positions]})
    for chunk in (1, 7, 64, 100):
        chunked = logits(artifact, f"chunk{chunk}", {"sequences": [{"ids": long}], "chunk": chunk,
                                                     "positions": [positions]})
        same(f"prefill in chunks of {chunk}", alone, chunked)
    batch = logits(artifact, "batch", {"sequences": [{"ids": short}, {"ids": long}, {"ids": other}],
                                       "positions": [[], positions, []]})
    same("beside two other sequences", alone, batch)
    forced = logits(artifact, "forced", {"sequences": [{"ids": long[:60]}], "forced": [long[60:]],
                                         "positions": [[p for p in positions if p >= 60]]})
    same("the end decoded token by token", alone[[i for i, p in enumerate(positions) if p >= 60]], forced)
    both = logits(artifact, "both", {"sequences": [{"ids": long[:60]}, {"ids": other[:5]}, {"ids": other[:20]}],
                                     "forced": [long[60:], other[5:60], other[20:60]],
                                     "positions": [[p for p in positions if p >= 60], [], []]})
    same("decoded in a batch of three", forced, both)
    threads = logits(artifact, "threads", {"sequences": [{"ids": long}], "positions": [positions]}, "--threads", "1")
    same("one thread instead of all", alone, threads)


def main():
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for family, numerics in (("k2", "f32"), ("k2", "bf16"), ("k2-fp8", "w8a16"), ("k25-int4", "w4a16")):
        checkpoint, artifact = work / family, work / f"{family}-{numerics}.kimi"
        if not checkpoint.exists():
            run(bin_folder / "kimi-random-checkpoint", family, checkpoint)
        run(bin_folder / "kimic", checkpoint, "-o", artifact, "--numerics", numerics)
        print(f"-- {family}, {numerics}")
        check(artifact)
    sys.exit(failures != 0)


main()
