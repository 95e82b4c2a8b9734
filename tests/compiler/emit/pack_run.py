"""What the tests of packing share: a checkpoint and its plan, and a kimic that is stopped at a chosen moment."""
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import big_checkpoint


class Packing:
    """A folder with a checkpoint, its plan, and artifacts made from them."""

    def __init__(self, bin_folder, work, gigabytes):
        self.kimic = str(pathlib.Path(bin_folder) / "kimic")
        self.work = pathlib.Path(work)
        shutil.rmtree(self.work, ignore_errors=True)
        big_checkpoint.write(self.work / "model", big_checkpoint.sized_config(gigabytes))
        subprocess.run([self.kimic, str(self.work / "model"), "--compile-to=plan", "--max-sequences=1",
                        "--max-tokens=64", "-o", str(self.work / "plan.mlir"), "--quiet"], check=True)

    def command(self, output):
        return [self.kimic, str(self.work / "plan.mlir"), "--compile-from=emit", "-o", str(output)]

    def run(self, output):
        """Exit code and what it said."""
        result = subprocess.run(self.command(output), capture_output=True, text=True)
        return result.returncode, result.stderr

    def start_until(self, output, files):
        """A run that is held after it finished `files` weights in this directory; fails when it ends before. It runs in
        slices and is looked at while it stands still: on a busy machine, too, it cannot run away meanwhile."""
        process = subprocess.Popen(self.command(output), stderr=subprocess.PIPE, text=True)
        while True:
            time.sleep(0.005)
            process.send_signal(signal.SIGSTOP)
            if process.poll() is not None:
                sys.exit(f"kimic ended before {files} weights were finished: {process.stderr.read()}")
            if len(finished(output)) >= files:
                return process
            process.send_signal(signal.SIGCONT)


def partial(output):
    return pathlib.Path(f"{output}.partial")


def finished(output):
    """Names of whole weight files of an interrupted run."""
    return {path.name for path in partial(output).glob("weights/*.bin")}


def kill(process):
    process.kill()  # SIGKILL, also while it is stopped
    process.wait()


def contents(folder):
    """Every file of an artifact and its bytes."""
    folder = pathlib.Path(folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def expect(condition, what):
    if not condition:
        sys.exit(f"FAILED  {what}")
    print(f"ok      {what}")
