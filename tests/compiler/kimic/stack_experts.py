"""Writes a checkpoint's tensors in an order in which the experts of a layer lie at equal distances of whole rows.

    python stack_experts.py FROM.safetensors TO.safetensors

Gate and up of one expert lie side by side, as in checkpoints that fuse them; codes, scales and shapes apart.
"""
import json
import re
import sys

data = open(sys.argv[1], "rb").read()
size = int.from_bytes(data[:8], "little")
header = json.loads(data[8:8 + size])
metadata = header.pop("__metadata__", {})


def place(name):
    expert = re.search(r"\.experts\.(\d+)\.(gate|up|down)_proj\.(\w+)$", name)
    if not expert:
        return "", 0, "", name
    number, projection, part = expert.groups()
    return name[:expert.start()] + part + (" down" if projection == "down" else ""), int(number), projection, name


said, stacked = {"__metadata__": metadata}, b""
for name in sorted(header, key=place):
    begin, end = header[name]["data_offsets"]
    header[name]["data_offsets"] = [len(stacked), len(stacked) + end - begin]
    stacked += data[8 + size + begin:8 + size + end]
    said[name] = header[name]
text = json.dumps(said).encode()
text += b" " * (-len(text) % 8)
open(sys.argv[2], "wb").write(len(text).to_bytes(8, "little") + text + stacked)
