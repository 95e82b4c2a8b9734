"""close_logits.py A.npy B.npy LIMIT: the RMS of the difference over the RMS of B is at most LIMIT."""
import math
import struct
import sys


def values(path):
    data = open(path, "rb").read()
    data = data[10 + int.from_bytes(data[8:10], "little"):]
    return struct.unpack(f"<{len(data) // 4}f", data)


a, b, limit = values(sys.argv[1]), values(sys.argv[2]), float(sys.argv[3])
assert len(a) == len(b), f"{len(a)} and {len(b)} values"
error = math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b)) / sum(y * y for y in b))
print(f"error {error:.2e}, limit {limit:.0e}")
sys.exit(not error <= limit)
