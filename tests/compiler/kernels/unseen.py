"""Kernels that no operation produces, against numpy. Usage: unseen.py KIMI_OPT [TARGET]"""
import pathlib
import sys

import numpy as np

from kernel_abi import Kernels, bf16, widen

kernels = Kernels(sys.argv[1], pathlib.Path(__file__).with_name("Inputs") / "unseen.mlir",
                  target=(sys.argv[2:] or ["cpu:x86-64-v3"])[0])
random = np.random.default_rng(7)
failures = 0


def check(what, got, want, bound):
    global failures
    error = float(np.max(np.abs(got - want)) / np.max(np.abs(want)))
    good = error <= bound
    failures += not good
    print(f"{what}: max error {error:.2e}, bound {bound:.0e}: {'ok' if good else 'FAILED'}")


for tokens in (1, 3, 4, 9):
    x = random.standard_normal((tokens, 37)).astype(np.float32) * 3
    y = np.full((tokens, 37), np.nan, np.float32)
    kernels.run("row_chain", [x, y], tokens=tokens)
    top = np.maximum(np.abs(x).max(1, keepdims=True), 1)
    # tanh is upstream's rational approximation: a few units in the last place of its values.
    check(f"row_chain, {tokens} rows", y, np.tanh(x / top) * np.arange(37), 1e-6)

for tokens in (1, 2, 5):
    counts = random.multinomial(3 * tokens, [0.2] * 5)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    rows = random.integers(0, tokens, 3 * tokens).astype(np.int32)
    x = random.standard_normal((tokens, 11)).astype(np.float32)
    w = bf16(random.standard_normal((5, 7, 11)))
    y = np.full((3 * tokens, 7), np.nan, np.float32)
    kernels.run("grouped_odd", [x, rows, offsets, w, y], tokens=tokens)
    group = np.repeat(np.arange(5), counts)
    product = np.einsum("ak,ank->an", x[rows].astype(np.float64), widen(w)[group].astype(np.float64))
    check(f"grouped_odd, {tokens} tokens", y, product * product + product, 11 * 2.0**-22)

sys.exit(failures != 0)
