"""Mistakes in reading quantised weights, as wrong versions of quantise.py's two functions: (codes, scales, name) → values.

The rest of the model is transformers' own, so each shows what a wrong reader of codes does to logits.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

import quantise
import weights
from quantise import BLOCK, GROUP


@dataclasses.dataclass
class QuantisedMistake:
    name: str
    kind: str  # fp8 or int4
    read: Callable


def blocks(shape, scales, row_of=lambda n: n // BLOCK, column_of=lambda k: k // BLOCK):
    """The scale of every element, by the block that row_of and column_of say."""
    row = np.minimum(row_of(np.arange(shape[0])), scales.shape[0] - 1)
    column = np.minimum(column_of(np.arange(shape[1])), scales.shape[1] - 1)
    return scales[row][:, column]


def fp8_scaled(scale_of):
    return lambda codes, scales, name: quantise.E4M3_ALL[codes] * scale_of(codes.shape, scales, name)


def transposed(shape, scales, name):
    return blocks(shape[::-1], scales).T


def last_rows(shape, scales, name):
    """The last rows, where they do not fill a block, belong to the block before."""
    return blocks(shape, scales, lambda n: np.minimum(n // BLOCK, max(shape[0] // BLOCK - 1, 0)))


def last_columns(shape, scales, name):
    return blocks(shape, scales, column_of=lambda k: np.minimum(k // BLOCK, max(shape[1] // BLOCK - 1, 0)))


def even_blocks(shape, scales, name):
    """Blocks cut evenly: 160 rows in two of 80."""
    return blocks(shape, scales, lambda n: n * scales.shape[0] // shape[0], lambda k: k * scales.shape[1] // shape[1])


def one_scale(shape, scales, name):
    return blocks(shape, scales, lambda n: n * 0, lambda k: k * 0)


def kv_b_by_half(shape, scales, name):
    """Keys and values, once they are split off, look up scales by their row there: about half of that in kv_b_proj."""
    return blocks(shape, scales, lambda n: n // 2 // BLOCK) if "kv_b" in name else blocks(shape, scales)


def no_subnormals(codes, scales, name):
    values = quantise.dequantise_fp8(codes, scales)
    return np.where(codes & 0x78, values, np.float32(0))


def as_e5m2(codes, scales, name):
    half = (codes.astype(np.uint16) << 8).view(np.float16).astype(np.float32)
    return np.nan_to_num(half, posinf=0, neginf=0) * blocks(codes.shape, scales)


def in_bf16(read):
    return lambda codes, scales, name: quantise.bf16_values(weights.round_to_bf16(read(codes, scales)))


def int4_scaled(packed, nibbles, scales, shift=0):
    scale = np.roll(quantise.bf16_values(scales), shift, 1)
    return nibbles.astype(np.float32) * quantise.spread(scale, nibbles.shape, 1, GROUP)


def int4_nibbles(change):
    """`change` makes numbers of nibbles [rows, columns], lowest first."""
    return lambda packed, scales, name: int4_scaled(packed, change(quantise.unpack_int4(packed).astype(np.int32)), scales)


def highest_first(nibbles):
    return nibbles.reshape(len(nibbles), -1, 8)[..., ::-1].reshape(nibbles.shape) - 8


def pairs_swapped(nibbles):
    return nibbles.reshape(len(nibbles), -1, 2)[..., ::-1].reshape(nibbles.shape) - 8


def halves_of_words(nibbles):
    """Low nibbles of the four bytes first, then the high ones."""
    return nibbles.reshape(len(nibbles), -1, 4, 2).swapaxes(2, 3).reshape(nibbles.shape) - 8


MISTAKES = [
    QuantisedMistake("fp8 scales transposed", "fp8", fp8_scaled(transposed)),
    QuantisedMistake("9 last rows of a matrix take the scale of the block before", "fp8", fp8_scaled(last_rows)),
    QuantisedMistake("last columns take the scale of the block before", "fp8", fp8_scaled(last_columns)),
    QuantisedMistake("blocks cut evenly, not in 128", "fp8", fp8_scaled(even_blocks)),
    QuantisedMistake("one scale for the whole matrix", "fp8", fp8_scaled(one_scale)),
    QuantisedMistake("kv_b rows look up scales by their place after the split", "fp8", fp8_scaled(kv_b_by_half)),
    QuantisedMistake("weight_scale_inv divides", "fp8", fp8_scaled(lambda shape, scales, name: 1e-4 / blocks(shape, scales))),
    QuantisedMistake("subnormal codes are 0", "fp8", no_subnormals),
    QuantisedMistake("codes read as e5m2", "fp8", as_e5m2),
    QuantisedMistake("fp8 values rounded to bf16", "fp8", in_bf16(quantise.dequantise_fp8)),
    QuantisedMistake("int4 nibbles highest first", "int4", int4_nibbles(highest_first)),
    QuantisedMistake("int4 nibbles of a byte swapped", "int4", int4_nibbles(pairs_swapped)),
    QuantisedMistake("int4 low nibbles of a word before its high ones", "int4", int4_nibbles(halves_of_words)),
    QuantisedMistake("int4 nibbles as two's complement", "int4", int4_nibbles(lambda n: np.where(n > 7, n - 16, n))),
    QuantisedMistake("int4 offset 7 for 8", "int4", int4_nibbles(lambda n: n - 7)),
    QuantisedMistake("int4 scale of the group before", "int4",
                     lambda packed, scales, name: int4_scaled(packed, quantise.unpack_int4(packed).astype(np.int32) - 8,
                                                              scales, 1)),
    QuantisedMistake("14 int4 values rounded to bf16", "int4", in_bf16(quantise.dequantise_int4)),
]
