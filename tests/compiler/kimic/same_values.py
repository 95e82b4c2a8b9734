"""same_values.py WEIGHTS WEIGHTS: both folders hold the same values, in files that may differ in the order of them."""
import pathlib
import sys


def values(folder):
    return sorted(bytes(sorted(path.read_bytes())) for path in pathlib.Path(folder).iterdir())


first, second = (values(folder) for folder in sys.argv[1:])
if first != second:
    sys.exit(f"of {len(first)} and {len(second)} files, {len(set(first) & set(second))} hold the same bytes")
