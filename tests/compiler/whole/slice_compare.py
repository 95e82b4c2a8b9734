"""An artifact of random weights against transformers with the same weights, by the rule of tests/golden/criterion.py.

One expert more or less moves a row far more than all rounding, and among hundreds of experts most rows have two that are
nearly alike. Such rows are not clear and do not count in the rule. So that most of a run counts somewhere: rows that got the
reference's experts, as their error tells, are held to the same factor of torch's own such rows.
"""
import json

import numpy as np
import torch

import plan_weights
import slice_reference
import criterion, generate, reference  # of tests/golden, whose path slice_reference adds

SANE = (0.2, 5.0)  # root mean square of the hidden state behind a layer; the embedding's rows have length 1


def run_reference(slice_, values, case):
    """Rows of float32 and of bf16."""
    model, tables = slice_reference.load(slice_.artifact, values)
    exact, sizes = slice_reference.run_with_sizes(model, case)
    slice_.row("hidden state, rms", "embedding {:.3f}, then ".format(sizes[0]) + ", ".join(f"{s:.2f}" for s in sizes[1:]),
               all(SANE[0] < size < SANE[1] for size in sizes[1:]))
    slice_.row("experts that tokens chose", f"{len(tables[0].used)} of {exact.choice.shape[-1]} by {len(exact.logits)} tokens",
               len(tables[0].used) > exact.choice.shape[-1] / 10)
    del model, tables
    model, _ = slice_reference.load(slice_.artifact, values, torch.bfloat16)
    return exact, reference.run_case(model, case)


def same_experts(found, wanted):
    """Rows that are off by rounding only: another expert moves a row by ten times as much."""
    errors = np.array([criterion.error_of(a, b) for a, b in zip(found, wanted)])
    return errors < 4 * np.median(errors)


def judge_own(slice_, profile, found, exact, half, about):
    clear, firm = np.array(about["clear"], bool), np.array(about["firm"], bool)
    error, limit = criterion.error_of(found[clear], exact.logits[clear]), criterion.BF16_FACTOR * about["bf16_error"]
    other = int(((found.argmax(1) != exact.logits.argmax(1)) & firm).sum())
    slice_.row(f"{profile}: clear rows", f"{clear.sum()} of {len(clear)}, error {error:.4f}, limit {limit:.4f}: "
               f"{error / limit:.2f} of it; other tokens in firm rows: {other}", bool(error <= limit) and other == 0)
    ours, torchs = (same_experts(rows, exact.logits) for rows in (found, half.logits))
    error, limit = criterion.error_of(found[ours], exact.logits[ours]), criterion.BF16_FACTOR * criterion.error_of(
        half.logits[torchs], exact.logits[torchs])
    slice_.row(f"{profile}: rows of the same experts", f"{ours.sum()} of {len(ours)} (torch's bf16 run: {torchs.sum()}), error "
               f"{error:.4f}, limit {limit:.4f}: {error / limit:.2f} of it",
               bool(error <= limit) and not (clear & ~ours).any() and ours.sum() > len(ours) / 2)


def judge_f32(slice_, found, exact):
    error = criterion.error_of(found, exact.logits)
    other = int((found.argmax(1) != exact.logits.argmax(1)).sum())
    slice_.row("f32: all rows", f"{len(found)}, error {error:.1e}, limit {criterion.F32_LIMIT:.0e}: "
               f"{error / criterion.F32_LIMIT:.2f} of it; other tokens: {other}",
               bool(error <= criterion.F32_LIMIT) and other == 0)


def compare(slice_, case, own, f32):
    """`own`, `f32`: our logits of the case in the two profiles. The artifact may be of either: its weights are the same."""
    values = plan_weights.PlanWeights(slice_.artifact)
    slice_reference.check_experts_differ(values)
    exact, half = run_reference(slice_, values, case)
    # The third run measures float32's own noise, which is of no use here.
    config = json.loads((slice_.artifact / "config.json").read_text())
    judge_own(slice_, slice_.numerics, own, exact, half, generate.describe(config, exact, half, exact, fewest=0))
    judge_f32(slice_, f32, exact)
