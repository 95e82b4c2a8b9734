"""A checkpoint that shrinks, and a file that may not grow: one line, nothing half-written is taken.

    python short_read.py BIN_FOLDER WORK_FOLDER
"""
import os
import re
import resource
import signal
import subprocess
import sys

from pack_run import Packing, contents, expect, finished, partial

packing = Packing(sys.argv[1], sys.argv[2], 0.2)
artifact = packing.work / "a.kimi"
expect(packing.run(artifact)[0] == 0, "packs")
before = contents(artifact)
shard = next(packing.work.glob("model/*.safetensors"))
shard_bytes = shard.stat().st_size

# Truncated while it is packed; the artifact that is there offers nothing.
(artifact / "pack.jsonl").unlink()
process = packing.start_until(artifact, 3)
os.truncate(shard, shard_bytes // 2)
process.send_signal(signal.SIGCONT)
said = process.communicate()[1]
expect(process.returncode == 1 and said.count("error:") == 1, "a shard that shrinks meanwhile is an error")
expect(re.search(rf"{re.escape(str(shard))} has {shard_bytes // 2} bytes but \d+ were expected", said),
       "that names the file, what it has and what was wanted")
expect(contents(artifact) == {k: v for k, v in before.items() if k != "pack.jsonl"}, "the artifact is as it was")

# Truncated after import.
code, said = packing.run(artifact)
expect(code == 1 and said.count("error:") == 1 and "it is truncated; fetch it again" in said,
       "a truncated shard is named before anything is packed")

# Whole again, and the disk (here: a limit) takes no large file.
os.truncate(shard, shard_bytes)
limited = packing.work / "limited.kimi"
result = subprocess.run(packing.command(limited), capture_output=True, text=True,
                        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20)))
expect(result.returncode == 1 and result.stderr.count("error:") == 1, "a file that may not grow is an error")
expect(re.search(r"cannot write .*\.part: (No space left on device|File too large): \d+ bytes wanted, 8388608 available; "
                 "make room and run the same command", result.stderr), "that says what was wanted and what there was")
kept = finished(limited)
expect(kept and not limited.exists(), f"{len(kept)} finished weights are kept, and no artifact is there")
code, said = packing.run(limited)
expect(code == 0 and f"({len(kept)} unchanged)" in said, "without the limit the same command goes on")
expect(not partial(limited).exists(), "and nothing is left beside it")
