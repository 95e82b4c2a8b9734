"""The bf16 checkpoint behind an FP8 or INT4 one: every quantised weight multiplied out and rounded, all else copied.

    python examples/model/dequantise.py examples/model/instruct-fp8 OUT [--dtype bf16|f32]

Needs numpy only. f32 keeps the product of code and scale exact to float32: what kernels that widen weights compute with.
"""

import argparse
import json
import pathlib
import shutil

import numpy as np

NUMPY = {"F8_E4M3": np.uint8, "BF16": np.uint16, "F32": np.uint32, "I32": np.int32}


def e4m3_table():
    """The value of each of the 256 codes; 0x7f and 0xff are NaN."""
    codes = np.arange(256)
    sign = np.where(codes & 0x80, -1.0, 1.0)
    exponent, mantissa = codes >> 3 & 15, codes & 7
    magnitude = np.where(exponent == 0, mantissa / 8 * 2.0**-6, (1 + mantissa / 8) * 2.0 ** (exponent - 7.0))
    return np.where(codes & 0x7F == 0x7F, np.nan, sign * magnitude).astype(np.float32)


def widen(bf16):
    return (bf16.astype(np.uint32) << 16).view(np.float32)


def to_bf16(values):
    """Round to nearest, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def multiply_blocks(codes, scales):
    """e4m3 [N, K] and float32 [ceil(N / 128), ceil(K / 128)]"""
    rows, columns = codes.shape
    spread = scales.view(np.float32).repeat(128, 0)[:rows].repeat(128, 1)[:, :columns]
    return e4m3_table()[codes] * spread


def multiply_groups(packed, scales, shape):
    """int32 [N, K / 8], bf16 [N, K / 32]: eight nibbles a word, lowest first, 8 stands for 0."""
    nibbles = packed.view(np.uint32)[:, :, None] >> np.arange(0, 32, 4, dtype=np.uint32) & 15
    values = nibbles.reshape(shape).astype(np.float32) - 8
    return values * widen(scales).repeat(32, 1)


def read_tensors(folder):
    """name → (type, array), of every shard."""
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        for name, entry in json.loads(data[8 : 8 + length]).items():
            if name != "__metadata__":
                begin, end = (8 + length + offset for offset in entry["data_offsets"])
                tensors[name] = entry["dtype"], np.frombuffer(data[begin:end], NUMPY[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def multiply_out(tensors):
    """name → array: float32 where it was quantised, else as it was (uint16 is bf16, uint32 the bits of float32)."""
    for name, (_, array) in tensors.items():
        if f"{name}_scale_inv" in tensors:
            yield name, multiply_blocks(array, tensors[f"{name}_scale_inv"][1])
        elif name.endswith(".weight_packed"):
            name = name.removesuffix("_packed")
            yield name, multiply_groups(array, tensors[f"{name}_scale"][1], tuple(tensors[f"{name}_shape"][1]))
        elif not name.endswith(("_scale_inv", "_scale", "_shape")):
            yield name, array


def convert(array, dtype):
    """(safetensors type, array) of one weight under `dtype`; float32 that was float32 stays."""
    if array.dtype == np.uint32:
        return "F32", array
    if dtype == "f32":
        return "F32", widen(array) if array.dtype == np.uint16 else array
    return "BF16", array if array.dtype == np.uint16 else to_bf16(array)


def save(path, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, array) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, array in tensors.values():
            file.write(np.ascontiguousarray(array).tobytes())


def dequantise(folder, out, dtype="bf16"):
    out.mkdir(parents=True, exist_ok=True)
    settings = json.loads((folder / "config.json").read_text())
    settings.pop("quantization_config")
    (out / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
    for name in ("generation_config.json", "tokenizer_config.json", "tiktoken.model"):
        shutil.copyfile(folder / name, out / name)
    save(out / "model.safetensors", {name: convert(array, dtype) for name, array in multiply_out(read_tensors(folder))})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--dtype", choices=("bf16", "f32"), default="bf16")
    args = parser.parse_args()
    dequantise(args.checkpoint, args.out, args.dtype)


if __name__ == "__main__":
    main()
