"""Quantised weights: from float32 to what a checkpoint stores, and back. Needs numpy only. QuantisedFill.cpp writes the
same bytes.

    fp8    blocks of 128 x 128, the last ones smaller: scale = max|x| / 448; code = e4m3(x / scale), to nearest even
    int4   groups of 32 along the columns: scale = bf16(max|x| / 7.5); nibble = 8 + round(x / scale) in [-8, 7]

All divisions are float32. Back: value = float32(code) * float32(scale), one float32 product.
"""

import numpy as np

import weights

BLOCK, GROUP = 128, 32
FP8_PARTS = [(".weight", "F8_E4M3"), (".weight_scale_inv", "F32")]
INT4_PARTS = [(".weight_packed", "I32"), (".weight_scale", "BF16"), (".weight_shape", "I32")]


def is_quantised(name, traits):
    """Whether a family stores the weight `name` quantised. `kept` lists suffixes that stay bf16."""
    kind = traits.get("quantised")
    if kind == "fp8":
        is_projection = name.endswith(("_proj.weight", "_proj_with_mqa.weight"))
        return is_projection and not name.endswith(tuple(traits["kept"]))
    return kind == "int4" and ".mlp.experts." in name


def part_shape(suffix, shape):
    rows, columns = shape
    return {".weight": [rows, columns], ".weight_scale_inv": [-(-rows // BLOCK), -(-columns // BLOCK)],
            ".weight_packed": [rows, columns // 8], ".weight_scale": [rows, columns // GROUP], ".weight_shape": [2]}[suffix]


def e4m3_value(code):
    """The number of a code without its sign, as float64."""
    exponent, fraction = code >> 3, code & 7
    return fraction * 2.0**-9 if exponent == 0 else (8 + fraction) * 2.0 ** (exponent - 10)


E4M3 = np.array([e4m3_value(code) for code in range(127)])  # ascending; 127 is not a number
E4M3_ALL = np.concatenate([E4M3, [np.nan], -E4M3, [np.nan]]).astype(np.float32)


def encode_e4m3(values):
    """Codes of float32 values: nearest, ties to the even code, beyond 448 saturated."""
    size = np.abs(values).astype(np.float64)
    low = np.minimum(np.searchsorted(E4M3, size, side="right") - 1, 125)
    below, above = size - E4M3[low], E4M3[low + 1] - size
    up = (above < below) | ((above == below) & (low % 2 == 1))
    return ((low + up) | np.where(np.signbit(values), 128, 0)).astype(np.uint8)


def spread(scales, shape, rows=BLOCK, columns=BLOCK):
    """A scale for every element."""
    return np.repeat(np.repeat(scales, rows, 0), columns, 1)[: shape[0], : shape[1]]


def quantise_fp8(values):
    rows, columns = (-(-size // BLOCK) for size in values.shape)
    padded = np.zeros((rows * BLOCK, columns * BLOCK), np.float32)
    padded[: values.shape[0], : values.shape[1]] = np.abs(values)
    scales = padded.reshape(rows, BLOCK, columns, BLOCK).max((1, 3)) / np.float32(448)
    return {".weight": encode_e4m3(values / spread(scales, values.shape)), ".weight_scale_inv": scales}


def quantise_int4(values):
    largest = np.abs(values).reshape(values.shape[0], -1, GROUP).max(-1)
    scales = weights.round_to_bf16(largest / np.float32(7.5))
    divisor = spread(bf16_values(scales), values.shape, 1, GROUP)
    nibbles = (np.clip(np.rint(values / divisor), -8, 7) + 8).astype(np.uint32)
    shifts = np.arange(0, 32, 4, dtype=np.uint32)
    packed = np.bitwise_or.reduce(nibbles.reshape(values.shape[0], -1, 8) << shifts, axis=-1)
    return {".weight_packed": packed, ".weight_scale": scales, ".weight_shape": np.array(values.shape, np.int32)}


def bf16_values(bits):
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def unpack_int4(packed):
    """Nibbles, lowest first, along the columns."""
    return (packed.view(np.uint32)[..., None] >> np.arange(0, 32, 4, dtype=np.uint32) & 15).reshape(packed.shape[0], -1)


def dequantise_fp8(codes, scales, name=""):
    """The values of the weight `name`, whose name plays no part but for mistakes.py."""
    return E4M3_ALL[codes] * spread(scales, codes.shape)


def dequantise_int4(packed, scales, name=""):
    codes = unpack_int4(packed).astype(np.float32) - np.float32(8)
    return codes * spread(bf16_values(scales), codes.shape, 1, GROUP)
