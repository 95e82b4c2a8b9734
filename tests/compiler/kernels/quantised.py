"""Kernels on quantised weights and activations, against numpy. Usage: quantised.py KIMI_OPT [TARGET]"""
import pathlib
import sys

import numpy as np

from kernel_abi import Kernels, bf16, widen

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "golden"))
import quantise  # what checkpoints hold, from the same values

kernels = Kernels(sys.argv[1], HERE / "Inputs" / "quantised.mlir",
                  ["--kimi-fuse", "--kimi-select-implementation", "--kimi-select-layout"],
                  target=(sys.argv[2:] or ["cpu:x86-64-v3"])[0])
random = np.random.default_rng(11)
failures = 0


def check(what, good, detail=""):
    global failures
    failures += not good
    print(f"{what}: {'ok' if good else 'FAILED'} {detail}")


def panels(array):
    """[.., N, K] as [.., N / 16, K, 16] on the CPU; a GPU's weights stay as they are."""
    if kernels.is_cuda:
        return np.ascontiguousarray(array)
    *outer, rows, columns = array.shape
    return np.ascontiguousarray(array.reshape(*outer, rows // 16, 16, columns).swapaxes(-1, -2))


def check_product(what, got, x, w):
    """Sums in f32 of K terms: at most 2 K roundings of 2^-24 of the sum of magnitudes, and one per value."""
    x, w = x.astype(np.float64), w.astype(np.float64)
    bound = (2 * x.shape[1] + 4) * 2.0**-24 * (np.abs(x) @ np.abs(w).T) + 1e-30
    worst = float(np.max(np.abs(got - x @ w.T) / bound))
    check(what, worst <= 1, f"{worst:.2e} of the bound")


def product(name, x, codes, scales, columns):
    y = np.full((len(x), columns), np.nan, np.float32)
    kernels.run(name, [x, codes, scales, y], tokens=len(x))
    return y


def check_every_code():
    """x = 1: what comes out are the codes' values, exactly; the two that are no number are left out."""
    codes = np.arange(256, dtype=np.uint8)
    codes[(codes & 127) == 127] = 0
    codes = codes.reshape(32, 8)
    y = product("dequantise_linear_32x8", np.eye(8, dtype=np.float32), panels(codes), np.ones((1, 1), np.float32), 32)
    check("every e4m3 code is exact", np.array_equal(y, quantise.E4M3_ALL[codes].T))


def check_fp8(name, rows, columns, pack):
    parts = quantise.quantise_fp8(random.standard_normal((rows, columns)).astype(np.float32))
    codes, scales = parts[".weight"], parts[".weight_scale_inv"]
    for tokens in (1, 3, 33):
        x = bf16(random.standard_normal((tokens, columns)))
        y = product(name, x, pack(codes), scales, rows)
        check_product(f"{name}, {tokens} rows", y, widen(x), quantise.dequantise_fp8(codes, scales))


def check_int4(name, rows, columns, pack):
    parts = quantise.quantise_int4(random.standard_normal((rows, columns)).astype(np.float32))
    packed, scales = parts[".weight_packed"], parts[".weight_scale"]
    assert set(quantise.unpack_int4(packed).ravel()) == set(range(16))
    for tokens in (1, 3, 33):
        x = bf16(random.standard_normal((tokens, columns)))
        y = product(name, x, pack(packed.view(np.uint8)), pack(scales), rows)
        check_product(f"{name}, {tokens} rows", y, widen(x), quantise.dequantise_int4(packed, scales))


def quantise_rows(x):
    """Codes and scales of activations, as numpy has them."""
    padded = np.zeros((len(x), -(-x.shape[1] // 128) * 128), np.float32)
    padded[:, : x.shape[1]] = np.abs(x)
    scales = np.maximum(padded.reshape(len(x), -1, 128).max(-1), np.float32(1e-4)) / np.float32(448)
    return quantise.encode_e4m3(x / np.repeat(scales, 128, 1)[:, : x.shape[1]]), scales


def check_activations():
    """Codes and scales bit for bit, ties, zeros and what overflows by a rounding included."""
    tokens = 37
    x = random.standard_normal((tokens, 320)).astype(np.float32) * np.exp(random.uniform(-12, 8, (tokens, 1))).astype(np.float32)
    x[0] = 0
    x[1, :127] = ((quantise.E4M3[1:] + quantise.E4M3[:-1]) / 2).astype(np.float32).repeat(2)[:127]  # ties, with scale 1
    x[1, 127] = 448
    codes, scales = np.zeros((tokens, 320), np.uint8), np.full((tokens, 3), np.nan, np.float32)
    kernels.run("quantise_320", [x, codes, scales], tokens=tokens)
    wanted, wanted_scales = quantise_rows(x)
    check("scales of activations", np.array_equal(scales, wanted_scales))
    check("codes of activations", np.array_equal(codes, wanted), f"{(codes != wanted).sum()} differ")
    return x, codes, scales


def check_both_sides(x, codes, scales):
    values = quantise.E4M3_ALL[codes] * np.repeat(scales, 128, 1)[:, :320]
    parts = quantise.quantise_fp8(random.standard_normal((160, 320)).astype(np.float32))
    y = np.full((len(x), 160), np.nan, np.float32)
    kernels.run("dequantise_linear_160x320_v2",
                [codes, scales, panels(parts[".weight"]), parts[".weight_scale_inv"], y], tokens=len(x))
    check_product("codes on both sides", y, values, quantise.dequantise_fp8(parts[".weight"], parts[".weight_scale_inv"]))
    experts = [quantise.quantise_fp8(random.standard_normal((48, 320)).astype(np.float32)) for _ in range(3)]
    rows = random.permutation(np.repeat(np.arange(len(x)), 2)).astype(np.int32)
    offsets = np.array([0, 20, 21, len(rows)], np.int32)
    z = np.full((len(rows), 48), np.nan, np.float32)
    kernels.run("dequantise_expert_linear_3x48x320",
                [codes, scales, rows, offsets, panels(np.stack([e[".weight"] for e in experts])),
                 np.stack([e[".weight_scale_inv"] for e in experts]), z], tokens=len(x))
    a = np.full((len(x), 80), np.nan, np.float32)  # in expert order already: rows are rows of codes
    whole = np.array([0, 30, 30, len(x)], np.int32)
    matrices = [quantise.quantise_fp8(random.standard_normal((80, 320)).astype(np.float32)) for _ in range(3)]
    kernels.run("dequantise_expert_linear_3x80x320",
                [codes, scales, whole, panels(np.stack([e[".weight"] for e in matrices])),
                 np.stack([e[".weight_scale_inv"] for e in matrices]), a], tokens=len(x))
    for expert in (0, 2):
        begin, end = whole[expert], whole[expert + 1]
        w = quantise.dequantise_fp8(matrices[expert][".weight"], matrices[expert][".weight_scale_inv"])
        check_product(f"codes in expert order, expert {expert}", a[begin:end], values[begin:end], w)
    for expert, (begin, end) in enumerate(zip(offsets, offsets[1:])):
        w = quantise.dequantise_fp8(experts[expert][".weight"], experts[expert][".weight_scale_inv"])
        check_product(f"gathered codes, expert {expert}", z[begin:end], values[rows[begin:end]], w)


check_every_code()
check_fp8("dequantise_linear_160x320", 160, 320, panels)
check_fp8("dequantise_linear_140x200", 140, 200, lambda codes: codes)
check_int4("dequantise_linear_32x96", 32, 96, panels)
check_int4("dequantise_linear_7x64", 7, 64, lambda codes: codes)
check_both_sides(*check_activations())
sys.exit(failures != 0)
