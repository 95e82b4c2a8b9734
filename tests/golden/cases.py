"""The cases: which tokens go in and at which positions logits are compared. Written as kimi-run's --ids files.

    {"sequences": [{"ids": [...]}, ...],   prompts
     "chunk": 64,                          optional: tokens of prefill at a time
     "forced": [[...], ...],               optional: tokens fed one by one after each prompt, whatever the model says
     "positions": [[...], ...]}            per sequence, into prompt + forced: whose logits are wanted
"""

import weights

SEED = 1


def prompt(family, case, sequence, length, vocab_size):
    return {"ids": weights.token_ids(SEED, f"ids/{family}/{case}/{sequence}", length, vocab_size)}


def short(family, vocab_size):
    return {"sequences": [prompt(family, "short", 0, 12, vocab_size)], "positions": [list(range(12))]}


def chunked(family, vocab_size):
    """A prompt that the chunk does not divide; positions on both sides of the borders of chunks and of cache blocks."""
    positions = [0, 15, 16, 63, 64, 65, 127, 128, 200, 255, 256, 319, 320, 332]
    return {"sequences": [prompt(family, "chunked", 0, 333, vocab_size)], "chunk": 64, "positions": [positions]}


def batch(family, vocab_size):
    """Unequal lengths side by side: nothing may leak between neighbours."""
    lengths = [5, 33, 70]
    return {"sequences": [prompt(family, "batch", i, length, vocab_size) for i, length in enumerate(lengths)],
            "positions": [list(range(length - 5, length)) for length in lengths]}


def decode(family, vocab_size):
    forced = weights.token_ids(SEED, f"ids/{family}/decode/forced", 12, vocab_size)
    return {"sequences": [prompt(family, "decode", 0, 40, vocab_size)], "forced": [forced],
            "positions": [list(range(39, 52))]}


def long(family, vocab_size):
    """Across position 4096, where YaRN's original context ends. The only case with tokens whose routing is unclear:
    among 4096 keys one flipped expert decides nothing."""
    positions = [2048, 4090, 4093, 4094, 4095, 4096, 4097, 4098, 4105, 4112]
    return {"sequences": [prompt(family, "long", 0, 4113, vocab_size)], "chunk": 512, "positions": [positions]}


CASES = {"short": short, "chunked": chunked, "batch": batch, "decode": decode, "long": long}
UNCLEAR = {"long"}
