"""References of attention over the paged cache, token by token."""
import re

import torch

from values import U, Value, of_sum


def rows_of(cache, tables, sequence, position):
    """The cached rows of positions 0 .. position of a sequence, in float64."""
    size = cache.shape[1]
    blocks = tables[sequence, :position // size + 1].long()
    return cache[blocks].reshape(-1, cache.shape[-1])[:position + 1].double()


def weighted(scores, score_error, values, value_error=None):
    """softmax(scores [H, L]) times values [L, V] or [H, L, V]. An error d of a score makes its exponential wrong by the share
    d; a difference to the maximum and expf round; the sum over L rounds; and the division by the sum of weights."""
    values = values if values.dim() == 3 else values[None]
    weights = scores.softmax(-1)
    distance = scores.amax(-1, keepdim=True) - scores
    share = score_error + score_error.amax(-1, keepdim=True) + U * (distance + 4)
    result = (weights[:, None] @ values)[:, 0]
    error = ((weights * share)[:, None] @ values.abs())[:, 0] + result.abs() * (weights * share).sum(-1, keepdim=True)
    error += of_sum(result, (weights.square()[:, None] @ values.square())[:, 0], scores.shape[-1])
    if value_error is not None:
        error += (weights[:, None] @ value_error)[:, 0]
    return result, error


def scale_of(op):
    return float(re.search(r"scale (\S+)", op["attributes"])[1])


def paged_attention(op, query, query_rope, cache, positions, sequences, tables):
    """query [T, H, L] in the latent space: cached latents are keys and values."""
    latent, scale = query.value.shape[-1], scale_of(op)
    results, errors = [], []
    for token, (position, sequence) in enumerate(zip(positions.tolist(), sequences.tolist())):
        rows = rows_of(cache, tables, sequence, position)
        full = torch.cat([query.value[token], query_rope.value[token]], -1)
        dots = full @ rows.T
        error = scale * of_sum(dots, full.square() @ rows.square().T, full.shape[-1]) + 2 * U * scale * dots.abs()
        result, bound = weighted(scale * dots, error, rows[:, :latent])
        results.append(result)
        errors.append(bound)
    return [Value(torch.stack(results), torch.stack(errors))]


def expand(rows, weight):
    """rows [L, C] times each head's [D, C], transposed: [H, L, D] and its bound."""
    matrices = torch.stack([weight.at(head).all() for head in range(weight.shape[0])])
    values = rows @ matrices.transpose(1, 2)
    return values, of_sum(values, rows.square() @ matrices.square().transpose(1, 2), rows.shape[-1])


def latent_attention(op, query, query_rope, key_weight, value_weight, cache, positions, sequences, offsets, tables):
    """query [T, H, D]: every cached latent is expanded to each head's key and value."""
    latent, scale = key_weight.shape[-1], scale_of(op)
    results, errors, last = [], [], {}
    for token, (position, sequence) in enumerate(zip(positions.tolist(), sequences.tolist())):
        if sequence not in last:
            longest = int(positions[sequences == sequence].max())
            rows = rows_of(cache, tables, sequence, longest)
            last = {sequence: (rows, expand(rows[:, :latent], key_weight), expand(rows[:, :latent], value_weight))}
        rows, keys, values = last[sequence]
        rows, keys, values = rows[:position + 1], *([part[:, :position + 1] for part in pair] for pair in (keys, values))
        nope, rotary = query.value[token][:, None], query_rope.value[token]
        dots = (nope @ keys[0].transpose(1, 2))[:, 0] + rotary @ rows[:, latent:].T
        squares = (nope.square() @ keys[0].square().transpose(1, 2))[:, 0] + rotary.square() @ rows[:, latent:].square().T
        error = of_sum(dots, squares, nope.shape[-1] + rotary.shape[-1]) + 2 * U * dots.abs()
        error += (nope.square() @ keys[1].square().transpose(1, 2))[:, 0].sqrt()
        result, bound = weighted(scale * dots, scale * error, *values)
        results.append(result)
        errors.append(bound)
    return [Value(torch.stack(results), torch.stack(errors))]
