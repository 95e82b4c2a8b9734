"""References of choices: experts and tokens. A choice is right where no other is better by more than rounding can make of it."""
import dataclasses
import math
import re

import torch

from values import SUM, U, Value, Verdict, within

FORBIDDEN = -1e30  # the logit of a masked token
MOST_TOP = 20
LIST_ERROR = 2e-6  # of the noise, as kimi.sample says


@dataclasses.dataclass
class Experts:
    """ids: the i-th chosen expert's score may miss the i-th best by the error of two scores; no expert twice."""
    scores: torch.Tensor
    best: torch.Tensor  # ids

    def compare(self, found, index):
        ids = found[index].long()
        if bool(((ids < 0) | (ids >= self.scores.shape[1])).any()) or bool((ids.sort(1)[0].diff(dim=1) == 0).any()):
            return within(math.inf, 0.0)
        lead = (self.scores.gather(1, self.best) - self.scores.gather(1, ids)).abs()
        limit = 16 * U * (1 + self.scores.abs().max())
        return within(float(lead.max()), float(limit))


@dataclasses.dataclass
class Weights:
    """The weights of the experts that were chosen."""
    sigmoids: torch.Tensor
    normalise: bool
    scaling: float
    ids: int  # which of the results holds them

    def compare(self, found, index):
        chosen = self.sigmoids.gather(1, found[self.ids].long().clamp(0, self.sigmoids.shape[1] - 1))
        weights = chosen / (chosen.sum(1, keepdim=True) + 1e-20) if self.normalise else chosen
        return Value(weights * self.scaling, 24 * U * weights * self.scaling).compare(found, index)


def route_experts(op, logits, bias):
    text = op["attributes"]
    if "groups 1 keep 1" not in text:
        raise NotImplementedError(f"no reference for route_experts with {text}")
    sigmoids = logits.value.sigmoid()
    scores = sigmoids + bias.data.double()
    count = int(op["types"][0].split("x")[1])
    best = scores.argsort(dim=1, descending=True, stable=True)[:, :count]
    scaling = float(re.search(r"scaling (\S+)", text)[1])
    return [Experts(scores, best), Weights(sigmoids, "normalise true" in text, scaling, 0)]


def unsigned(number):
    return number & 0xFFFFFFFF


def mix(x):
    """MurmurHash3's 32-bit finaliser on int64 tensors."""
    x = unsigned((x ^ (x >> 16)) * 0x85EBCA6B)
    x = unsigned((x ^ (x >> 13)) * 0xC2B2AE35)
    return x ^ (x >> 16)


def key_of(words):
    key = torch.zeros_like(words[0])
    for word in words:
        key = mix(unsigned(key + 0x9E3779B9) ^ word)
    return key


def noise(seed, draw, vocabulary):
    """Standard exponential noise of every token: -ln(1 - u), u = (h + 1/2) / 2^31."""
    low, high, draw = (unsigned(word.long()) for word in (seed[0], seed[1], draw))
    tokens = torch.arange(vocabulary, device=seed.device)
    hashed = mix(unsigned(mix(tokens ^ key_of([low, high, draw])) + key_of([draw, high, low])))
    u = ((hashed >> 1).float() + 0.5) * torch.tensor(2.0**-31, device=seed.device)
    u = u.clamp_max(1 - 2.0**-24).double()
    return torch.where(u < 1 / 64, u * (1 + u * (0.5 + u * torch.tensor(1 / 3).double())), -torch.log1p(-u))


class Row:
    """One row of kimi.sample. `c` holds the controls in the order of the step table."""

    def __init__(self, logits, c, row):
        (self.temperature, self.top_p, self.min_p, self.top_k, seeds, draws, masked, mask, bias_offsets, bias_tokens, bias_values,
         offsets, tokens, counts, repetition, presence, frequency, self.top_count) = \
            [t if i in (8, 9, 10, 11, 12, 13) else t[row] for i, t in enumerate(c)]
        self.mask = c[7][row] if bool(masked) else None
        begin, end = offsets[row], offsets[row + 1]
        self.penalties = tokens[begin:end].long(), counts[begin:end].double(), repetition, presence, frequency
        begin, end = bias_offsets[row], bias_offsets[row + 1]
        self.bias = bias_tokens[begin:end].long(), bias_values[begin:end]
        self.logits, self.seed, self.draw = logits, seeds, draws

    def adjusted(self):
        """Penalised, biased, masked logits in float64."""
        z = self.logits.double().clone()
        tokens, counts, repetition, presence, frequency = self.penalties
        taken = z[tokens]
        taken = torch.where(taken > 0, taken / repetition.double(), taken * repetition.double())
        z[tokens] = taken - presence.double() * (counts > 0) - frequency.double() * counts
        z.index_add_(0, self.bias[0], self.bias[1].double())
        if self.mask is not None:
            bits = torch.arange(32, device=z.device)
            allowed = (self.mask.long()[:, None] >> bits & 1).flatten()[:len(z)] != 0
            z = torch.where(allowed, z, FORBIDDEN)
        return z

    def limits(self, distance):
        """(surely within, possibly within): the largest distances that the cuts leave, rounding considered."""
        surely, possibly = math.inf, math.inf
        ordered = distance.sort()[0]
        if self.top_k > 0:
            limit = float(ordered[min(int(self.top_k), len(ordered)) - 1])
            surely, possibly = limit * (1 - 4 * U), limit * (1 + 4 * U)
        if self.top_p < 1:
            inside = ordered[ordered <= possibly]
            mass = (-inside).exp().cumsum(0)
            slack = SUM * U * len(ordered)**0.5
            at = [int(torch.searchsorted(mass, mass[-1] * float(self.top_p) * (1 + s))) for s in (-slack, slack)]
            ends = [float(inside[min(i, len(inside) - 1)]) for i in at]
            surely, possibly = min(surely, ends[0] * (1 - 4 * U)), min(possibly, ends[1] * (1 + 4 * U))
        if self.min_p > 0:
            limit = -math.log(min(float(self.min_p), 1.0))
            surely, possibly = min(surely, limit - 8 * U * (1 + limit)), min(possibly, limit + 8 * U * (1 + limit))
        return surely, possibly

    def lead(self, token):
        """(how much another token is better than `token`, how much it may be)"""
        z = self.adjusted()
        if self.temperature == 0:
            touched = torch.cat([self.penalties[0], self.bias[0]])
            lead = float(z.max() - z[token])
            exact = lead == 0 and token == int(z.argmax())
            return (0.0 if exact else max(lead, 1e-300)), (8 * U * float(z.max().abs()) if len(touched) else 0.0)
        distance = (z.max() - z) / self.temperature.double()
        surely, possibly = self.limits(distance)
        score = -(distance + noise(self.seed, self.draw, len(z)).log())
        best = score[distance <= max(surely, 0.0)].max()
        limit = 2 * LIST_ERROR + 8 * U * float(distance[token].abs() + score[token].abs() + z.max().abs() / self.temperature)
        return (math.inf if distance[token] > possibly else max(0.0, float(best - score[token]))), limit

    def log_softmax(self):
        logits = self.logits.double()
        result = logits.log_softmax(0)
        return result, SUM * U * len(logits)**0.5 + 4 * U * (result.abs() + 2 * logits.abs().max())


@dataclasses.dataclass
class Sampled:
    """One of the five results of kimi.sample: of rows that hold a NaN or an infinity only `finite` means something."""
    rows: list
    part: str

    def compare(self, found, index):
        worst = within(0.0, 0.0)
        for number, row in enumerate(self.rows):
            finite = bool(row.logits.isfinite().all())
            if self.part == "finite":
                part = within(float(int(found[index][number]) != finite), 0.0)
            elif not finite:
                continue
            else:
                part = getattr(self, self.part)(row, found[index][number], found, number)
            worst = max(worst, part, key=Verdict.order)
        return worst

    def token(self, row, got, found, number):
        if not 0 <= int(got) < len(row.logits):
            return within(math.inf, 0.0)
        return within(*row.lead(int(got)))

    def logprob(self, row, got, found, number):
        wanted, error = row.log_softmax()
        token = int(found[0][number].clamp(0, len(wanted) - 1))
        return Value(wanted[token:token + 1], error[token:token + 1]).compare([got[None]], 0)

    def top(self, row):
        count = min(int(row.top_count), MOST_TOP, len(row.logits))
        return row.logits.sort(descending=True, stable=True)[1][:count]

    def top_ids(self, row, got, found, number):
        ids = self.top(row)
        wanted = torch.zeros(MOST_TOP, device=ids.device, dtype=torch.float64)
        wanted[:len(ids)] = ids.double()
        return Value(wanted).compare([got], 0)

    def top_logprobs(self, row, got, found, number):
        ids = self.top(row)
        logprobs, error = row.log_softmax()
        wanted, bound = torch.zeros_like(got, dtype=torch.float64), torch.zeros_like(got, dtype=torch.float64)
        wanted[:len(ids)], bound[:len(ids)] = logprobs[ids], error[ids]
        return Value(wanted, bound).compare([got], 0)


def sample(op, logits, *controls):
    """Greedy and drawn tokens after the description of kimi.sample: Gumbel-max over what the cuts leave."""
    controls = [control.value.float() if isinstance(control, Value) else control for control in controls]
    rows = [Row(logits.value[row].float(), controls, row) for row in range(len(logits.value))]
    return [Sampled(rows, part) for part in ("token", "logprob", "top_ids", "top_logprobs", "finite")]
