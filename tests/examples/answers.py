"""An artifact of an example checkpoint answers the evaluation set as the reference did, and well enough.

Usage: answers.py CHECKPOINT BIN_FOLDER WORK_FOLDER, CHECKPOINT a folder of examples/model. evaluate.py also checks that
server and examples/model/chat.py render the same ids.
"""
import pathlib
import re
import shutil
import subprocess
import sys

try:
    import numpy  # noqa: F401
    import tiktoken  # noqa: F401
except ImportError as error:
    print(f"skipped: {error} (tests/requirements.txt)")
    sys.exit(77)

name, bin_folder, work = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
model = pathlib.Path(__file__).resolve().parents[2] / "examples" / "model"
# Percent of right answers, from the issue that asked for the model; "valid" is JSON of the wanted shape.
WANTED = {"facts": 98, "arithmetic": 90, "tool_call": 95, "tool_calls": 95, "json": 95}


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    print(done.stdout, done.stderr, sep="", flush=True)
    return done.returncode, done.stdout


shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)
code, _ = run(bin_folder / "kimic", model / name, "-o", work / "model.kimi")
if code:
    sys.exit("kimic failed")
code, table = run(sys.executable, model / "evaluate.py", model / name, "--artifact", work / "model.kimi", "--bin", bin_folder, "--stored")
failures = code != 0
for skill, least in WANTED.items():
    row = re.search(rf"^\| {skill} \|(.*)\|$", table, re.MULTILINE)
    # items, reference, its valid JSON, ours, our valid JSON, same answer
    ours = float(row[1].split("|")[4 if skill == "json" else 3].strip().removesuffix(" %"))
    failures += ours < least
    print(f"{'ok    ' if ours >= least else 'FAILED'} {skill}: {ours} % right, {least} % wanted")
sys.exit(failures != 0)
