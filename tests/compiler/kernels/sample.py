"""kimi.sample as machine code against a plain reference. Usage: sample.py FOLDER [DRAWS]

FOLDER holds sample.mlir's kernels: the CPU's in one .so, or emulated ones of a GPU in .cubin files (tests/gpu/emulate),
which are slow: take fewer DRAWS.
"""
import ctypes
import math
import pathlib
import random
import struct
import sys
from array import array
from dataclasses import dataclass, field
from typing import Optional

LIBRARIES = [ctypes.CDLL(str(path)) for path in pathlib.Path(sys.argv[1]).iterdir() if path.suffix in (".so", ".cubin")]
DRAWS = int((sys.argv[2:] or ["20000"])[0])
failures = 0


def check(what, good, detail=""):
    global failures
    failures += not good
    print(f"{'ok    ' if good else 'FAILED'} {what} {detail}")


def f32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


@dataclass
class Row:
    """The step inputs of one row: what runtime/schema/artifact.fbs calls temperature .. logprob_counts."""
    temperature: float = 0.0
    top_p: float = 1.0
    min_p: float = 0.0
    top_k: int = 0
    seed: tuple = (0, 0)
    draw: int = 0
    mask: Optional[list] = None
    bias: list = field(default_factory=list)  # (token, bias)
    penalties: list = field(default_factory=list)  # (token, count)
    repetition: float = 1.0
    presence: float = 0.0
    frequency: float = 0.0
    logprobs: int = 0


def mask_words(row, words):
    bits = sum(1 << token for token, allowed in enumerate(row.mask or []) if allowed)
    return [(bits >> (32 * word)) & 0xFFFFFFFF for word in range(words)]


def offsets(lists):
    return [sum(map(len, lists[:end])) for end in range(len(lists) + 1)]


def run_tasks(name, buffers, dims, tasks):
    """The kernel ABI of runtime/schema/artifact.fbs; or, with all shared memory there is, tests/gpu/emulate/device.h's."""
    for library in LIBRARIES:
        if block := getattr(library, name + "_block", None):
            pointers = [ctypes.c_void_p(ctypes.addressof(dims)), *map(ctypes.c_void_p, buffers)]
            parameters = (ctypes.c_void_p * len(pointers))(*map(ctypes.addressof, pointers))
            block.restype = ctypes.c_char_p
            for task in range(tasks):
                if error := block(parameters, task, 256, 232448):
                    sys.exit(error.decode())
        elif task_function := getattr(library, name, None):
            pointers = (ctypes.c_void_p * len(buffers))(*buffers)
            for task in reversed(range(tasks)):
                task_function(pointers, dims, ctypes.c_int64(task))


def run(logits, rows):
    """(tokens, logprobs, top ids, top logprobs, finite) of the kernel that takes rows of this many tokens."""
    vocabulary, count = len(logits[0]), len(rows)
    floats = lambda name: array("f", [getattr(row, name) for row in rows])
    biases, penalties = [row.bias for row in rows], [row.penalties for row in rows]
    flat = lambda lists, part: [entry[part] for entries in lists for entry in entries] + [0]
    buffers = [
        array("f", [x for row in logits for x in row]), floats("temperature"), floats("top_p"), floats("min_p"),
        array("i", [row.top_k for row in rows]), array("I", [word for row in rows for word in row.seed]),
        array("I", [row.draw for row in rows]), array("i", [row.mask is not None for row in rows]),
        array("I", [word for row in rows for word in mask_words(row, -(-vocabulary // 32))]),
        array("i", offsets(biases)), array("i", flat(biases, 0)), array("f", flat(biases, 1)),
        array("i", offsets(penalties)), array("i", flat(penalties, 0)), array("i", flat(penalties, 1)),
        floats("repetition"), floats("presence"), floats("frequency"), array("i", [row.logprobs for row in rows])]
    tokens, finite, ids = array("i", [-7] * count), array("i", [-7] * count), array("i", [-7] * 20 * count)
    logprobs, top = array("f", [-7] * count), array("f", [-7] * 20 * count)
    buffers += [tokens, logprobs, ids, top, finite]
    addresses = [buffer.buffer_info()[0] for buffer in buffers]
    # enum DimSymbol: the logits are an argument of the test's functions, whose rows are called tokens
    dims = (ctypes.c_int64 * 9)(1, count, 0, count, 0, 0, len(buffers[10]), len(buffers[13]), 0)
    run_tasks({640: "sample", 75: "sample_v2"}[vocabulary], addresses, dims, count)
    split = lambda values: [list(values[20 * row:20 * row + 20]) for row in range(count)]
    return list(tokens), list(logprobs), split(ids), split(top), list(finite)


def adjusted(logits, row):
    z = list(logits)
    for token, count in row.penalties:
        x = z[token] / f32(row.repetition) if z[token] > 0 else z[token] * f32(row.repetition)
        x = f32(f32(x) - (f32(row.presence) if count > 0 else 0))
        z[token] = f32(x - f32(f32(row.frequency) * count))
    for token, bias in row.bias:
        z[token] = f32(z[token] + f32(bias))
    return [x if row.mask is None or row.mask[token] else f32(-1e30) for token, x in enumerate(z)]


def kept(z, row):
    """Distances from the largest in units of the temperature; the most that stays; how near the top_p cut came."""
    largest, temperature = max(z), f32(row.temperature)
    d = [f32(f32(largest - x) / temperature) for x in z]
    order, limit, near = sorted(d), math.inf, 1.0
    if row.top_k > 0:
        limit = order[min(row.top_k, len(d)) - 1]
    if row.top_p < 1:
        weights = [(x, math.exp(-x)) for x in order if x <= limit]
        whole, mass, limit = sum(w for _, w in weights), 0.0, None
        for x, weight in weights:
            mass += weight / whole
            near = min(near, abs(mass - f32(row.top_p)))
            if limit is None and mass >= f32(row.top_p):
                limit = x
        limit = weights[-1][0] if limit is None else limit
    if row.min_p > 0:
        limit = min(limit, f32(-math.log(min(f32(row.min_p), 1))))
    return d, limit, near


def mix(x):
    x = (x ^ x >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    x = (x ^ x >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return x ^ x >> 16


def key_of(*words):
    key = 0
    for word in words:
        key = mix((key + 0x9E3779B9 & 0xFFFFFFFF) ^ word)
    return key


def gumbel(row, token):
    (low, high), draw = row.seed, row.draw
    hashed = mix(mix(token ^ key_of(low, high, draw)) + key_of(draw, high, low) & 0xFFFFFFFF)
    u = min(f32(f32(f32(hashed >> 1) + 0.5) * 2.0**-31), 1 - 2.0**-24)
    return -math.log(-math.log1p(-u))


def reference(logits, row):
    """The token, and how far it is from another one by the rounding of a sum or a logarithm."""
    z = adjusted(logits, row)
    if row.temperature <= 0:
        return z.index(max(z)), 1.0
    d, limit, near = kept(z, row)
    scores = [gumbel(row, token) - x if x <= limit else -math.inf for token, x in enumerate(d)]
    first, *rest = sorted(scores, reverse=True)
    return scores.index(first), min(near, first - rest[0])


def random_row(source, vocabulary):
    maybe = lambda yes, no: yes() if source.random() < 0.4 else no
    tokens = source.sample(range(vocabulary), 9)
    word = lambda: source.getrandbits(32)
    return Row(temperature=source.choice([0, 0.3, 1, 1.5]), top_p=maybe(lambda: source.choice([0, 0.1, 0.5, 0.9]), 1.0),
               min_p=maybe(lambda: source.choice([0.01, 0.1, 1, 2]), 0.0), seed=(word(), word()), draw=word(),
               top_k=maybe(lambda: source.randint(1, vocabulary + 5), 0), logprobs=source.randint(0, 20),
               mask=maybe(lambda: [source.random() < 0.5 or token == tokens[0] for token in range(vocabulary)], None),
               bias=maybe(lambda: [(token, source.gauss(0, 5)) for token in tokens[:7]], []),
               penalties=maybe(lambda: [(token, source.randint(0, 3)) for token in tokens], []), repetition=1.3,
               presence=0.5, frequency=0.25)


def test_rows(source, vocabulary, count):
    """Random controls, half of the rows with many equal logits."""
    wrong = skipped = worst = 0
    for _ in range(count):
        row, scale = random_row(source, vocabulary), source.choice([0.1, 2, 6])
        logits = [f32(source.gauss(0, scale)) for _ in range(vocabulary)]
        if source.random() < 0.5:
            logits = [round(2 * x) / 2 for x in logits]
        (token,), (logprob,), (ids,), (top,), (finite,) = run([logits], [row])
        want, margin = reference(logits, row)
        skipped += token != want and margin < 1e-4
        wrong += token != want and margin >= 1e-4
        log_sum = max(logits) + math.log(sum(math.exp(x - max(logits)) for x in logits))
        order = sorted(range(vocabulary), key=lambda id: (-logits[id], id))[:row.logprobs]
        wrong += ids != order + [0] * (20 - len(order)) or finite != 1
        errors = [logprob - (logits[token] - log_sum)] + [x - (logits[id] - log_sum) for id, x in zip(order, top)]
        worst = max(worst, max(map(abs, errors)), *(abs(x) for x in top[row.logprobs:] + [0]))
    good = wrong == 0 and skipped < count / 50 and worst < 1e-5
    check(f"{count} rows of {vocabulary}", good,
          f"{wrong} wrong, {skipped} too near to call, log-prob error {worst:.1e}")


def test_adjustments(vocabulary):
    """Greedy rows in which token 4 leads token 5 until it is lowered by enough, or 5 is raised."""
    def leader(four, five, **controls):
        logits = [-9.0] * vocabulary
        logits[4], logits[5] = four, five
        return run([logits], [Row(**controls)])[0][0]

    seen, prompt = [(4, 2)], [(4, 0)]
    check(f"penalties, bias and mask, rows of {vocabulary}", [
        leader(3, 2.75), leader(3, 2.75, penalties=prompt, presence=0.5), leader(3, 2.75, penalties=seen, presence=0.5),
        leader(3, 2.75, penalties=prompt, frequency=0.2), leader(3, 2.75, penalties=[(4, 1)], frequency=0.2),
        leader(3, 2.75, penalties=seen, frequency=0.2), leader(3, 2.75, penalties=prompt, repetition=1.05),
        leader(3, 2.75, penalties=prompt, repetition=1.2), leader(-1, -1.1, penalties=prompt, repetition=1.05),
        leader(-1, -1.1, penalties=prompt, repetition=1.2), leader(3, 2.75, bias=[(5, 0.2)]),
        leader(3, 2.75, bias=[(5, 0.3)]), leader(3, 2.75, mask=[token != 4 for token in range(vocabulary)]),
        leader(3, 2.75, bias=[(4, 100)], mask=[token == vocabulary - 1 for token in range(vocabulary)])
    ] == [4, 4, 5, 4, 4, 5, 4, 5, 4, 5, 4, 5, 5, vocabulary - 1])


def test_not_finite(vocabulary):
    rows = [[0.0] * vocabulary for _ in range(5)]
    rows[0][3], rows[1][vocabulary - 1], rows[2][0], rows[3] = math.nan, math.inf, -math.inf, [math.nan] * vocabulary
    for temperature in (0.0, 1.0, 1e-30):
        row = Row(temperature=temperature, top_k=3, top_p=0.5, min_p=0.1, logprobs=20)
        tokens, _, ids, _, finite = run(rows, [row] * 5)
        inside = all(0 <= id < vocabulary for id in tokens + sum(ids, []))
        check(f"not finite, temperature {temperature}, rows of {vocabulary}", finite == [0, 0, 0, 0, 1] and inside)


def test_ties(vocabulary):
    flat, two = [0.0] * vocabulary, [float(token in (7, 9)) for token in range(vocabulary)]
    tokens, _, ids, _, _ = run([flat, two], [Row(logprobs=5)] * 2)
    check(f"ties go to the lowest id, rows of {vocabulary}",
          tokens == [0, 7] and ids[0][:5] == [0, 1, 2, 3, 4] and ids[1][:5] == [7, 9, 0, 1, 2])


def test_order(source, vocabulary):
    """The draw depends on the request, not on where its row lies."""
    logits = [[f32(source.gauss(0, 1)) for _ in range(vocabulary)] for _ in range(8)]
    rows = [Row(temperature=1, seed=(5, 6), draw=draw) for draw in range(8)]
    check(f"order of rows, {vocabulary}", run(logits, rows)[0] == run(logits[::-1], rows[::-1])[0][::-1])


def test_frequencies(source, name, draws=DRAWS, **controls):
    """Pearson's chi-square over the tokens expected at least five times; 5 standard deviations are an error."""
    logits = [f32(source.gauss(0, 1.5)) for _ in range(75)]
    d, limit, _ = kept(adjusted(logits, Row(**controls)), Row(**controls))
    weights = [math.exp(-x) if x <= limit else 0.0 for x in d]
    drawn = [0] * 75
    for begin in range(0, draws, 200):
        rows = [Row(**controls, draw=begin + number) for number in range(200)]
        for token in run([logits] * 200, rows)[0]:
            drawn[token] += 1
    expected = [draws * weight / sum(weights) for weight in weights]
    often = [token for token in range(75) if expected[token] >= 5]
    chi = sum((drawn[token] - expected[token])**2 / expected[token] for token in often)
    outside = sum(count for count, weight in zip(drawn, weights) if weight == 0)
    freedom = max(len(often) - 1, 1)
    check(f"frequencies, {name}", outside == 0 and abs(chi - freedom) < 5 * math.sqrt(2 * freedom) + 1,
          f"chi-square {chi:.1f} of {freedom}, outside the cut {outside}")


source = random.Random(11)
for vocabulary, count in ((640, 150), (75, 600)):
    test_rows(source, vocabulary, count if DRAWS >= 20000 else count // 5)
    test_adjustments(vocabulary)
    test_not_finite(vocabulary)
    test_ties(vocabulary)
    test_order(source, vocabulary)
test_frequencies(source, "temperature 1", temperature=1)
test_frequencies(source, "temperature 0.6", temperature=0.6, seed=(7, 9))
test_frequencies(source, "top_k", temperature=1, top_k=5)
test_frequencies(source, "top_p", temperature=1, top_p=0.7)
test_frequencies(source, "min_p", temperature=1, min_p=0.1)
test_frequencies(source, "all cuts", temperature=1.2, top_k=12, top_p=0.8, min_p=0.05, seed=(3, 0))
sys.exit(failures != 0)
