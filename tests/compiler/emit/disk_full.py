"""A disk that is too full: one line, the old artifact stays, and with room the same command goes on.

    python disk_full.py BIN_FOLDER WORK_FOLDER         needs to mount a tmpfs: exits with 77 where it may not
"""
import re
import shutil
import signal
import subprocess
import sys

from pack_run import Packing, contents, expect, finished, partial


def one_line(said):
    return len([line for line in said.splitlines() if "error:" in line]) == 1


def main(packing, disk):
    artifact = disk / "a.kimi"
    code, said = packing.run(artifact)
    expect(code == 0, "fits a disk with room")
    before = contents(artifact)

    # Full from the beginning: nothing is begun.
    with open(disk / "filler", "wb") as filler:
        filler.write(bytes(500 << 20))
    shutil.copytree(artifact, disk / "b.kimi", ignore=lambda *_: ["weights", "pack.jsonl"])
    code, said = packing.run(disk / "b.kimi")
    wanted = re.search(r"the weights need (\d+) bytes \(.*\) but (\d+) \(.*\) are available: make room", said)
    expect(code == 1 and one_line(said) and wanted, "says at once what it wants and what there is")
    expect(int(wanted[1]) > int(wanted[2]), f"{wanted[1]} bytes wanted, {wanted[2]} available")
    expect(not partial(disk / "b.kimi").exists(), "and leaves nothing")
    shutil.rmtree(disk / "b.kimi")
    (disk / "filler").unlink()

    # Full in the middle.
    for old in artifact.glob("pack.jsonl"):
        old.unlink()  # an artifact that offers nothing: all is packed again beside it
    process = packing.start_until(artifact, 5)
    filler = open(disk / "filler", "wb", buffering=0)
    try:
        while filler.write(bytes(1 << 20)):
            pass
    except OSError:
        pass
    process.send_signal(signal.SIGCONT)
    said = process.communicate()[1]
    expect(process.returncode == 1 and one_line(said), "a disk that fills up meanwhile is an error")
    expect(re.search(r"cannot write .*/weights/\d+\.part: No space left on device: \d+ bytes wanted, \d+ available; "
                     r"make room and run the same command \(finished weights stay in .*a\.kimi\.partial", said),
           "that names the file, what it wanted, what there was, and what to do")
    expect(contents(artifact) == {k: v for k, v in before.items() if k != "pack.jsonl"}, "the old artifact is as it was")
    kept = finished(artifact)
    expect(len(kept) >= 5, f"{len(kept)} finished weights are kept")
    filler.close()
    (disk / "filler").unlink()
    code, said = packing.run(artifact)
    expect(code == 0 and f"({len(kept)} unchanged)" in said, "with room, the same command goes on")
    expect(contents(artifact) == before, "to the same artifact")


packing = Packing(sys.argv[1], sys.argv[2], 0.2)
disk = packing.work / "disk"
disk.mkdir()
mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900m", "tmpfs", str(disk)], capture_output=True, text=True)
if mounted.returncode != 0:
    print(f"skipped: disk_full: cannot mount a tmpfs here: {mounted.stderr.strip()}")
    sys.exit(77)
try:
    main(packing, disk)
finally:
    subprocess.run(["umount", str(disk)], check=True)
