"""What the scripts of this folder do without a GPU: archives, a folder that holds nothing, a made-up recording.

Exit code 77: numpy is missing (run.py needs it).
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import unittest

try:
    import numpy  # noqa: F401
except ImportError:
    print("skipped: Python has no numpy")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import archive
import timeline


def run_script(name, *arguments):
    return subprocess.run([sys.executable, HERE / name, *map(str, arguments)], capture_output=True, text=True)


class Archives(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.out = pathlib.Path(self.folder.name) / "out"
        incompressible = [numpy.random.default_rng(seed).bytes(100_000) for seed in range(3)]
        for name, weights in {"a": incompressible[0], "b": incompressible[0], "c": incompressible[1]}.items():
            (self.out / "artifacts" / f"{name}.kimi").mkdir(parents=True)
            (self.out / "artifacts" / f"{name}.kimi" / "w.bin").write_bytes(weights)
        (self.out / "bin").mkdir()
        (self.out / "bin" / "program").write_bytes(incompressible[2])
        (self.out / "bin" / "program").chmod(0o755)

    def tearDown(self):
        self.folder.cleanup()

    def test_groups_run_by_themselves_and_store_equal_files_once(self):
        archives = self.out.parent / "archives"
        archive.pack(self.out, archives, 250_000)
        names = [sorted(tarfile.open(path).getnames()) for path in sorted(archives.iterdir())]
        self.assertEqual(names, [["gpu/artifacts/a.kimi/w.bin", "gpu/artifacts/b.kimi/w.bin", "gpu/bin/program"],
                                 ["gpu/artifacts/c.kimi/w.bin", "gpu/bin/program"]])
        self.assertTrue(all(path.stat().st_size <= 250_000 for path in archives.iterdir()))
        with tarfile.open(archives / "1.tar.gz") as tar:
            tar.extractall(self.out.parent, filter="data")
        unpacked = self.out.parent / "gpu"
        self.assertEqual((unpacked / "artifacts/b.kimi/w.bin").read_bytes(), (self.out / "artifacts/b.kimi/w.bin").read_bytes())
        self.assertEqual((unpacked / "artifacts/b.kimi/w.bin").stat().st_nlink, 2)
        self.assertTrue((unpacked / "bin/program").stat().st_mode & 0o100)

    def test_an_artifact_that_fits_nowhere_is_named(self):
        with self.assertRaisesRegex(SystemExit, r"a\.kimi takes \d+ bytes, \d+ are left"):
            archive.pack(self.out, self.out.parent / "archives", 150_000)

    def test_sizes(self):
        self.assertEqual([archive.size_of(text) for text in ("34MB", "2 MiB", "7")], [34_000_000, 2 << 20, 7])
        with self.assertRaisesRegex(argparse.ArgumentTypeError, "'x' is no size"):
            archive.size_of("x")


class Runs(unittest.TestCase):
    def test_checking_nothing_fails(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run_script("run.py", "--root", folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn("0 passed, 0 failed\nrun.py: nothing was checked", done.stdout)

    def test_an_unknown_part_is_refused(self):
        self.assertIn("unknown part gold: use golden, ", run_script("run.py", "--only", "gold").stderr)


def kernel(name, start, end, graph=1):
    return {"name": name, "start": start, "end": end, "graph": graph, "blocks": 1}


class Timelines(unittest.TestCase):
    STEP = [kernel("embedding_8x4", 10_000, 12_000), kernel("linear_4x4", 13_000, 20_000), kernel("rope", 19_000, 21_000),
            kernel("sample", 21_500, 30_000)]

    def test_the_last_decode_step_and_its_gaps(self):
        before = [{**part, "start": part["start"] - 40_000, "end": part["end"] - 40_000} for part in self.STEP]
        prefill = [kernel("embedding_8x4", 40_000, 41_000, 0), kernel("sample", 42_000, 43_000, 0)]
        steps = timeline.decode_steps([*prefill, *self.STEP, *before, kernel("embedding_8x4", 50_000, 51_000)])
        self.assertEqual(steps, [before, self.STEP])
        numbers = timeline.measure(steps)
        self.assertEqual([numbers[name] for name in ("total", "busy", "overlap", "gaps", "gap_sum", "gap_longest", "between_steps")],
                         [20.0, 18.5, 1.0, 2, 1.5, 1.0, 20.0])

    def test_the_picture_names_every_kernel(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "kernels.json").write_text(json.dumps(self.STEP))
            done = run_script("timeline.py", "--kernels", folder / "kernels.json", folder)
            picture = (folder / "step.svg").read_text()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(all(f"<title>{part['name']}: " in picture for part in self.STEP))

    def test_a_recording_without_a_step_is_refused(self):
        with self.assertRaisesRegex(SystemExit, "among 1 kernels no step runs"):
            timeline.decode_steps([kernel("linear", 0, 1)])


if __name__ == "__main__":
    unittest.main()
