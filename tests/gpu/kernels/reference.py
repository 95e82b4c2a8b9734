"""What the operations of the kimi dialect compute, in float64 with error bounds (values.py). Mathematics after the descriptions
of dialects/kimi/KimiOps.td and the papers they name.

Each function takes the operation as describe.py wrote it and its operands, and returns its results: Value, or a class with
the same `compare`. Operands are what they are stored as: Value of activations, Matrix of weights, tensors of integers.
"""
import dataclasses
import re

import torch

import attention
import sampling
from values import DTYPES, U, Dequantised, Matrix, Value, as_value, half_place, of_sum, product, shape_of, within


def number(op, word):
    return float(re.search(rf"(?:^|\s){word} (\S+)", op["attributes"])[1])


def reshape(op, x):
    return [as_value(x).map(lambda t: t.reshape(shape_of(op["types"][0])[0]))]


def extract_slice(op, x):
    offsets = [int(offset) for offset in re.search(r"\[([\d, ]+)\]", op["attributes"])[1].split(",")]
    sizes = shape_of(op["types"][0])[0]
    cut = tuple(slice(None) if size < 0 else slice(offset, offset + size) for offset, size in zip(offsets, sizes))
    return [as_value(x).map(lambda t: t[cut])]


def embedding(op, ids, table):
    return [Value(table.data[ids.long()].double())]


def gather_rows(op, x, rows):
    return [x.map(lambda t: t[rows.long()])]


def rms_norm(op, x, weight):
    columns = x.value.shape[-1]
    assert x.error is None, "rms_norm of what was rounded on the way has no bound here"
    result = x.value * (x.value.square().mean(-1, keepdim=True) + number(op, "eps")).rsqrt() * weight.data.double()
    return [Value(result, result.abs() * U * (4 * columns**0.5 + 8))]  # all terms of the sum are positive


def dequantise(op, codes, scales):
    rows, columns = re.search(r"blocks (\d+) x (\d+)", op["attributes"]).groups()
    packed = codes.shape[-1] * 2 == shape_of(op["types"][0])[0][-1]
    scales = scales.value.float() if isinstance(scales, Value) else scales.data
    return [Dequantised(codes, scales, int(rows), int(columns), packed)]


def linear(op, x, weight):
    return [product(as_value(x), weight)]


def round_(op, x):
    """Half a place more; the values stay as they are, so that a bound never hangs on which way a tie went."""
    dtype = DTYPES[shape_of(op["types"][0])[1]]
    error = x.bound()
    return [Value(x.value, error, half_place(x.value.abs() + error, dtype))]


def add(op, a, b):
    total = a.value + b.value
    return [Value(total, a.bound() + b.bound() + U * total.abs())]


def swiglu(op, gate, up):
    """|d silu / dx| <= 1.1; expf, a sum, a quotient and two products round."""
    silu = gate.value * torch.sigmoid(gate.value)
    error = 1.1 * gate.bound() * (up.value.abs() + up.bound()) + silu.abs() * up.bound()
    return [Value(silu * up.value, error + 10 * U * (silu * up.value).abs() * (1 + gate.value.abs()))]


def quantise(op, x):
    """Exact: one quotient in float32 and one rounding; see the description of the operation."""
    assert x.error is None
    rows = x.value.float()
    columns = int(number(op, "blocks"))
    padded = torch.nn.functional.pad(rows.abs(), (0, -rows.shape[1] % columns))
    scales = padded.reshape(len(rows), -1, columns).amax(-1).clamp_min(1e-4) / torch.tensor(448.0, device=rows.device)
    quotients = rows / scales.repeat_interleave(columns, 1)[:, :rows.shape[1]]
    return [Value(quotients.clamp(-448, 448).to(torch.float8_e4m3fn).view(torch.uint8).double()), Value(scales.double())]


def rope(op, x, positions, table):
    angles = table.data[positions.long()].double()
    cos, sin = angles[:, 0], angles[:, 1]
    if x.value.dim() == 3:
        cos, sin = cos[:, None], sin[:, None]
    a, b = x.value[..., 0::2], x.value[..., 1::2]
    result = torch.stack([a * cos - b * sin, b * cos + a * sin], -1).flatten(-2)
    terms = torch.stack([(a * cos).abs() + (b * sin).abs(), (b * cos).abs() + (a * sin).abs()], -1).flatten(-2)
    return [Value(result, 2 * U * terms)]


def heads(x, matrix, transposed):
    """Each head's rows times its own matrix, transposed or not: x [T, H, *]."""
    values, errors = [], []
    for head in range(matrix.shape[0]):
        weights, rows = matrix.at(head).all(), x.value[:, head]
        weights = weights.T if transposed else weights
        values.append(rows @ weights)
        errors.append(of_sum(values[-1], rows.square() @ weights.square(), weights.shape[0]))
    return [Value(torch.stack(values, 1), torch.stack(errors, 1))]


def absorb_query(op, query, weight):
    return heads(query, weight, transposed=False)  # [H, D, L]: over D


def expand_value(op, latent, weight):
    return heads(latent, weight, transposed=True)  # [H, V, L]: over L


@dataclasses.dataclass
class WrittenCache:
    """The whole cache behind cache_write: what was not written is as it was."""
    cache: torch.Tensor

    def compare(self, found, index):
        wrong = int((found[index].view(torch.int16) != self.cache.view(torch.int16)).sum())
        return within(float(wrong), 0.0)


def cache_write(op, slots, cache, latent, rotary):
    result = cache.clone()
    rows = torch.cat([latent.value, rotary.value], 1).to(cache.dtype)
    result.view(-1, cache.shape[-1])[slots.long()] = rows
    return [WrittenCache(result)]


def dispatch(op, ids):
    """A stable sort of pairs by expert."""
    tokens, choices = ids.shape
    order = ids.flatten().argsort(stable=True)
    slots = torch.empty_like(order)
    slots[order] = torch.arange(len(order), device=ids.device)
    counts = torch.bincount(ids.flatten(), minlength=shape_of(op["types"][2])[0][0] - 1)
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return [Value(order // choices), Value(slots.reshape(tokens, choices)), Value(offsets)]


def expert_linear(op, x, *rest):
    *rows, offsets, weight = rest
    x, borders = as_value(x), offsets.tolist()
    pairs, columns = borders[-1], weight.shape[1]
    result = Value(*(torch.full((pairs, columns), torch.nan, dtype=torch.float64, device=offsets.device) for _ in range(2)))
    for expert, (begin, end) in enumerate(zip(borders, borders[1:])):
        if begin == end:
            continue
        taken = rows[0][begin:end].long() if rows else slice(begin, end)
        part = product(x.map(lambda t: t[taken]), weight.at(expert))
        result.value[begin:end], result.error[begin:end] = part.value, part.error
    return [result]


def combine(op, x, slots, weights):
    terms = x.value[slots.long()] * weights.value[..., None]
    total = terms.sum(1)
    return [Value(total, of_sum(total, terms.square().sum(1), terms.shape[1]))]


OPS = {"tensor.expand_shape": reshape, "tensor.collapse_shape": reshape, "tensor.extract_slice": extract_slice,
       "embedding": embedding, "gather_rows": gather_rows, "rms_norm": rms_norm, "dequantise": dequantise, "linear": linear,
       "round": round_, "add": add, "swiglu": swiglu, "quantise": quantise, "rope": rope, "absorb_query": absorb_query,
       "expand_value": expand_value, "paged_attention": attention.paged_attention,
       "latent_attention": attention.latent_attention, "cache_write": cache_write, "route_experts": sampling.route_experts,
       "dispatch": dispatch, "expert_linear": expert_linear, "combine": combine, "sample": sampling.sample}


def operand(tensor, source):
    """An argument as operations take it."""
    if source["kind"] == "cache" or tensor.dtype in (torch.int32, torch.uint8):
        return tensor
    return Matrix(tensor) if source["kind"] == "weight" else Value(tensor.double())


def evaluate(kernel, arguments):
    """What a kernel must write: a result each; for one without results, the cache that it writes."""
    values = dict(zip(kernel["arguments"], map(operand, arguments, kernel["sources"])))
    for op in kernel["graph"]:
        if op["op"] not in OPS:
            raise NotImplementedError(f"no reference for the operation {op['op']}")
        results = OPS[op["op"]](op, *(values[number] for number in op["reads"]))
        if not op["writes"]:
            return results
        values |= zip(op["writes"], results)
    return [values[number] for number in kernel["values"]]
