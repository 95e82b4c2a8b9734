"""Random numbers by position: element i of the tensor called N depends on (seed, N, i) alone.

    key     = mix(fnv1a64(N) ^ mix(seed + G))                  G = 0x9e3779b97f4a7c15, all modulo 2^64
    bits(i) = mix(key + (i + 1) G)                             mix = the finaliser of splitmix64
    sum(i)  = the four 16-bit quarters of bits(i), added, less 131070
    scale   = float32(gain / 1024 / (37837 sqrt(fan_in)))      computed in float64
    x(i)    = float32(sum(i)) * scale + offset                 two float32 roundings, no fused multiply-add
    stored  = x(i) rounded to bf16, ties to even (or x(i) itself for F32 tensors, or quantised: quantise.py)

sum(i) is near normal with standard deviation 37837.2 and exact in float32. No step calls libm except sqrt, which
IEEE 754 rounds correctly; CounterRandom.h does the same in C++ and gives the same bits.
"""

import numpy as np

GOLDEN_RATIO = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def mix(z):
    """The finaliser of splitmix64, on a Python integer."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def mix_array(z):
    """The same on a uint64 array, whose arithmetic wraps."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def hash_name(name):
    """FNV-1a over the bytes of a tensor's name."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def tensor_key(seed, name):
    return mix(hash_name(name) ^ mix((seed + GOLDEN_RATIO) & MASK))


def element_bits(seed, name, count):
    """bits(i) for i in [0, count)."""
    steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GOLDEN_RATIO)
    return mix_array(np.uint64(tensor_key(seed, name)) + steps)


def element_sums(seed, name, count):
    bits = element_bits(seed, name, count)
    quarters = [(bits >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48)]
    return sum(quarters).astype(np.int64) - 131070


def sum_scale(gain, fan_in):
    return np.float32(float(gain) / 1024.0 / (37837.0 * np.sqrt(np.float64(fan_in))))


def round_to_bf16(values):
    """bf16 bit patterns of finite float32 values."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)


def values(name, shape, rule, latent, seed):
    """x(i) of one tensor. `rule` is an entry of families/rules.json; the rows from `latent` on take its tailGain, where it
    has one."""
    sums = element_sums(seed, name, int(np.prod(shape))).astype(np.float32).reshape(shape)
    fan_in = shape[-1] if "gain" in rule else 1
    scaled = sums * sum_scale(rule["gain"] if "gain" in rule else rule["std"], fan_in)
    if "tailGain" in rule:
        scaled[latent:] = sums[latent:] * sum_scale(rule["tailGain"], fan_in)
    return scaled + np.float32(rule.get("offset", 0) / 1024.0)


def fill(name, shape, rule, latent, seed):
    """The stored array of one tensor: uint16 bf16 patterns, or float32."""
    x = values(name, shape, rule, latent, seed)
    return x if rule.get("dtype") == "F32" else round_to_bf16(x)


def token_ids(seed, name, count, vocab_size):
    """Prompt tokens of the goldens: bits(i) modulo the vocabulary."""
    return (element_bits(seed, name, count) % np.uint64(vocab_size)).astype(int).tolist()
