"""kill -9 in the middle of packing, then the same command: it goes on, and the artifact is that of a run in one piece.

    python interrupt.py BIN_FOLDER WORK_FOLDER
"""
import os
import re
import sys

from pack_run import Packing, contents, expect, finished, kill, partial

packing = Packing(sys.argv[1], sys.argv[2], 0.3)
whole, again = packing.work / "whole.kimi", packing.work / "again.kimi"
code, said = packing.run(whole)
expect(code == 0, "packs in one piece")
reference = contents(whole)
count = sum(name.startswith("weights/") for name in reference)

# Killed twice, each time later.
for files in (count // 4, count // 2):
    process = packing.start_until(again, files)
    code, said = packing.run(again)
    expect(code == 1 and "another kimic is writing" in said, "a second run beside the first is refused")
    kill(process)
    kept = finished(again)
    expect(files <= len(kept) < count, f"killed with {len(kept)} of {count} weights finished")
    expect(not again.exists(), "there is no artifact yet")

# What is damaged or half-written meanwhile is not taken.
names = sorted(finished(again))
with open(partial(again) / "weights" / names[0], "r+b") as file:
    first = file.read(1)
    file.seek(0)
    file.write(bytes([first[0] ^ 1]))
os.truncate(partial(again) / "weights" / names[1], 4096)
(partial(again) / "weights" / "7.part").write_bytes(b"half")
with open(partial(again) / "pack.jsonl", "a") as log:
    log.write('{"recipe":"cut o')

code, said = packing.run(again)
expect(code == 0, "the same command goes on")
expect(said.count("it is damaged, and packed again") == 2, "damaged weights are named")
unchanged = int(re.search(r"\((\d+) unchanged\)", said)[1])
expect(unchanged == len(names) - 2, f"{unchanged} finished weights are taken over, the two damaged ones are not")
expect(contents(again) == reference, "every file is that of the run in one piece: plan, weights, log")
expect(not partial(again).exists(), "nothing is left beside it")

# Over an artifact: it stays whole until the end. Other names for the same bytes need no second packing.
process = packing.start_until(again, count // 4)
kill(process)
expect(contents(again) == reference, "an interrupted run leaves the old artifact as it was")
code, said = packing.run(again)
expect(code == 0 and f"({count} unchanged)" in said, "and the next one takes all of it")
expect(contents(again) == reference and not partial(again).exists(), "with the same result")

# A checkpoint that was touched is another one, even with equal bytes.
os.utime(next(packing.work.glob("model/*.safetensors")))
code, said = packing.run(again)
expect(code == 0 and "(1 unchanged)" in said, "all but the rotary table, which is computed, is read anew")
expect({k: v for k, v in contents(again).items() if k != "pack.jsonl"} ==
       {k: v for k, v in reference.items() if k != "pack.jsonl"}, "to the same plan and weights")
