"""damage_scale.py FILE.safetensors TENSOR ELEMENT: makes one bf16 value infinite, in place."""
import json
import sys

path, tensor, element = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(path, "r+b") as file:
    size = int.from_bytes(file.read(8), "little")
    place = json.loads(file.read(size))[tensor]
    assert place["dtype"] == "BF16", place
    file.seek(8 + size + place["data_offsets"][0] + 2 * element)
    file.write(b"\x80\x7f")  # little-endian 0x7f80
