"""How fast kimic packs, against what dd reaches from and to the same disk, and how much memory it takes.

    python rate.py BIN_FOLDER WORK_FOLDER [GIGABYTES] [ROUNDS]        default: 4 GB, 3 rounds

Page cache: the checkpoint is written to the disk and dropped from the cache before every measurement, so all reading is
from the disk; all times end when what was written is on the disk (dd: conv=fsync; kimic: it syncs). dd and kimic take
turns, because a shared disk's speed changes from minute to minute. Time for reading back, which dd does not do, is
printed apart.
"""
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

from pack_run import Packing


def drop_cache(folder):
    for path in folder.glob("*.safetensors"):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def run_dd(model, target):
    """Bytes per second."""
    target.mkdir()
    size, start = 0, time.monotonic()
    for path in sorted(model.glob("*.safetensors")):
        subprocess.run(["dd", f"if={path}", f"of={target / path.name}", "bs=4M", "conv=fsync", "status=none"], check=True)
        size += path.stat().st_size
    rate = size / (time.monotonic() - start)
    shutil.rmtree(target)
    return rate


def run_kimic(packing, artifact):
    """Bytes per second as kimic says it (from the first read until the disk has everything), of the whole command, and
    the most memory it held."""
    start = time.monotonic()
    process = subprocess.Popen(packing.command(artifact), stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    usage = os.wait4(process.pid, 0)[2]
    seconds = time.monotonic() - start
    found = re.search(r"packed .*? \((.*?) (.)B/s\), read back .*", said)
    if not found:
        sys.exit(said)
    size = sum(path.stat().st_size for path in (artifact / "weights").iterdir())
    shutil.rmtree(artifact)
    return float(found[1]) * {"K": 1e3, "M": 1e6, "G": 1e9}[found[2]], size / seconds, usage.ru_maxrss * 1024, found[0]


if __name__ == "__main__":
    gigabytes = float(sys.argv[3]) if len(sys.argv) > 3 else 4
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 3
    packing = Packing(sys.argv[1], sys.argv[2], gigabytes)
    model, rates = packing.work / "model", []
    for round_ in range(rounds):
        drop_cache(model)
        dd = run_dd(model, packing.work / "dd")
        drop_cache(model)
        pack, whole, memory, said = run_kimic(packing, packing.work / "rate.kimi")
        rates.append((dd, pack, whole, memory))
        print(f"round {round_ + 1}: dd {dd / 1e6:.0f} MB/s; kimic {pack / 1e6:.0f} MB/s, {pack / dd:.0%} of it, "
              f"{whole / 1e6:.0f} MB/s with reading back; at most {memory / 2**20:.0f} MiB; {said}", flush=True)
    dd, pack, whole, memory = (statistics.median(column) for column in zip(*rates))
    print(f"median: dd {dd / 1e6:.0f} MB/s, kimic {pack / 1e6:.0f} MB/s = {pack / dd:.0%}; memory at most "
          f"{max(row[3] for row in rates) / 2**20:.0f} MiB (bound: 2048)")
