"""Checkpoints of any size, quickly: random bf16 values that repeat after 32 MiB, each tensor from another place on.

    python big_checkpoint.py FOLDER GIGABYTES
"""
import json
import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "golden"))
import checkpoint as golden

BLOCK = 16 << 20  # values


def sized_config(gigabytes):
    """The example model, wider, with as many layers of 32 experts as fill the size."""
    config = golden.family_config("example")
    config.update(hidden_size=1024, intermediate_size=4096, moe_intermediate_size=512, n_routed_experts=32)
    layer_bytes = 32 * 3 * 512 * 1024 * 2
    config["num_hidden_layers"] = 1 + max(1, round(gigabytes * 1e9 / layer_bytes))
    return config


def random_block():
    """bf16 patterns with exponents from 2^-8 to 2^-1 and any sign: finite and sane."""
    bits = np.random.default_rng(1).integers(0, 1 << 16, BLOCK, dtype=np.uint16)
    return (bits & 0x807F) | (((bits >> 7 & 7) + 119) << 7).astype(np.uint16)


def write_shard(path, tensors, block, start):
    """`start`: where in the block the first tensor begins. Returns where the next one would."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors:
        size = int(np.prod(shape)) * 2
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, shape in tensors:
            left = int(np.prod(shape))
            start = (start * 5 + 7919) % BLOCK  # equal shapes shall not hold equal bytes
            at = start
            while left:
                values = block[at:at + left]
                file.write(values.tobytes())
                left, at = left - len(values), 0
    return start


def write(folder, config, shard_bytes=4 << 30):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    (folder / "generation_config.json").write_text('{"eos_token_id": 514}\n')
    golden.write_tokenizer(folder, "0905", config["vocab_size"] - 256, config["max_position_embeddings"])
    shards, size = [[]], 0
    for name, shape in golden.list_tensors(config):
        tensor = int(np.prod(shape)) * 2
        if size and size + tensor > shard_bytes:
            shards.append([])
            size = 0
        shards[-1].append((name, shape))
        size += tensor
    block, start, names = random_block(), 1, {}
    for number, tensors in enumerate(shards, 1):
        shard = f"model-{number:05}-of-{len(shards):05}.safetensors"
        start = write_shard(folder / shard, tensors, block, start)
        names.update({name: shard for name, _ in tensors})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))


if __name__ == "__main__":
    write(sys.argv[1], sized_config(float(sys.argv[2])))
