"""Values with a bound on the error that float32 arithmetic may have made of them, and how results are compared with them.

A kernel computes in float32 in an order of its own. With u = 2^-24, a sum of K terms t is expected within

    4 u sqrt(K) (|sum t| + sqrt(sum t^2))

of the exact one: rounding errors are independent and have mean 0 (Higham and Mary 2019, "A new approach to probabilistic
rounding error analysis"), partial sums stay near their random walk. A wrong term, a product in bf16 or TF32, a sum in bf16
are far outside of it. Bounds add up over operations; a result that is stored in bf16 may be off by half of its last place more.
"""
import dataclasses
import math

import torch

U = 2.0**-24
SUM = 4.0
SIGNIFICAND = {torch.bfloat16: 8, torch.float32: 24}
DTYPES = {"bf16": torch.bfloat16, "f32": torch.float32, "i32": torch.int32, "f8E4M3FN": torch.uint8, "i4": torch.uint8,
          "i8": torch.uint8}
CHUNK = 1 << 25  # elements of a matrix that are widened to float64 at a time


def shape_of(type_):
    """('?x64x128xbf16') → [-1, 64, 128], 'bf16'"""
    *sizes, element = type_.split("x")
    return [-1 if size == "?" else int(size) for size in sizes], element


@dataclasses.dataclass
class Verdict:
    """At the element that is worst: its error, its limit, and how much of the limit for arithmetic in float32 is used."""
    error: float
    limit: float
    share: float
    passed: bool

    def order(self):
        return not self.passed, self.share


def within(error, limit):
    """The verdict of one number."""
    share = 0.0 if error == 0 else error / limit if limit else math.inf
    return Verdict(error, limit, share, share <= 1)


@dataclasses.dataclass
class Value:
    """Float64 values; `error` bounds the kernel's error in float32 element by element, None: there is none. `place` is what a
    rounding to the stored type adds, half of the last place."""
    value: torch.Tensor
    error: torch.Tensor | None = None
    place: torch.Tensor | None = None

    def map(self, reshape):
        return Value(reshape(self.value), *(None if part is None else reshape(part) for part in (self.error, self.place)))

    def bound(self):
        total = torch.zeros_like(self.value) if self.error is None else self.error
        return total if self.place is None else total + self.place

    def compare(self, found, index):
        difference = (found[index].double() - self.value.double()).abs()
        excess = difference if self.place is None else (difference - self.place).clamp_min(0)
        limit = torch.zeros_like(excess) if self.error is None else self.error
        share = torch.where(excess == 0, 0.0, excess / limit)  # NaN stays NaN, and no NaN is within a limit
        worst = int(torch.where(share.isnan(), torch.inf, share).argmax())
        return Verdict(*(float(part.flatten()[worst]) for part in (difference, self.bound(), share)), bool((share <= 1).all()))


def half_place(size, dtype):
    """Half of the last place of `dtype` at magnitudes `size`."""
    _, exponent = torch.frexp(size)
    return torch.ldexp(torch.ones_like(size), exponent.clamp_min(-125) - SIGNIFICAND[dtype] - 1)


def of_sum(total, squares, count, factor=SUM):
    """The bound of a sum: its value, the sum of its terms' squares, how many."""
    return factor * U * count**0.5 * (total.abs() + squares.clamp_min(0).sqrt())


class Matrix:
    """[.., N, K] of a plain weight, read in pieces as float64."""

    def __init__(self, data):
        self.data, self.shape = data, tuple(data.shape)

    def at(self, index):
        return Matrix(self.data[index])

    def rows(self, begin, end):
        return self.data[begin:end].double()

    def all(self):
        return self.rows(0, self.shape[0]) if len(self.shape) == 2 else self.data.double()


class Dequantised(Matrix):
    """Codes and their scales: values are products in float32, rounded once, as kimi.dequantise says."""

    def __init__(self, codes, scales, block_rows, block_columns, packed):
        self.codes, self.scales, self.blocks, self.packed = codes, scales, (block_rows, block_columns), packed
        self.shape = (*codes.shape[:-1], codes.shape[-1] * (2 if packed else 1))

    def at(self, index):
        return Dequantised(self.codes[index], self.scales[index], *self.blocks, self.packed)

    def rows(self, begin, end):
        codes = self.codes[begin:end]
        if self.packed:  # two codes in a byte, the lower one first, each plus 8
            values = torch.stack([codes & 15, codes >> 4], -1).flatten(-2).float() - 8
        else:
            values = codes.view(torch.float8_e4m3fn).float()
        numbers = torch.arange(begin, begin + len(codes), device=codes.device) // self.blocks[0]
        scales = self.scales[numbers].float().repeat_interleave(self.blocks[1], 1)[:, :values.shape[1]]
        return (values * scales).double()

    def all(self):
        return self.rows(0, self.shape[0])


def as_value(operand):
    """An activation: its values, whatever stores them."""
    if isinstance(operand, Value):
        return operand
    return Value(operand.all())


def product(x, matrix):
    """x [M, K] times the transpose of a matrix [N, K], in pieces of the matrix."""
    columns = matrix.shape[-1]
    step = max(1, CHUNK // columns)
    values, errors = [], []
    for begin in range(0, matrix.shape[0], step):
        rows = matrix.rows(begin, min(begin + step, matrix.shape[0]))
        total = x.value @ rows.T
        error = of_sum(total, (x.value**2).float() @ (rows**2).float().T, columns)
        if x.error is not None:
            error = error + x.bound() @ rows.abs().T
        values.append(total)
        errors.append(error.double())
    return Value(torch.cat(values, 1), torch.cat(errors, 1))
