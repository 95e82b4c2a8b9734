"""Writes a trained model as the releases are written: names, shapes, types, shards and side files."""

import json
import pathlib
import shutil
import sys

import torch
from safetensors.torch import save_file

import quantise

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden"))
from checkpoint import write_tokenizer_config  # noqa: E402  (the one writer of tokenizer_config.json)

NUM_SHARDS = 2
SHARD_NAMES = {"0905": "model-{}-of-{}.safetensors", "thinking": "model-{:05}-of-{:06}.safetensors"}


def split_experts(state):
    """transformers stacks the experts of a layer; checkpoints have three tensors for each."""
    for name, tensor in state.items():
        if not quantise.is_expert(name):
            yield name, tensor
            continue
        prefix, kind = name.rsplit(".", 1)
        for expert, matrix in enumerate(tensor):
            parts = matrix.chunk(2) if kind == "gate_up_proj" else [matrix]
            for part, projection in zip(parts, ("gate_proj", "up_proj") if kind == "gate_up_proj" else ("down_proj",)):
                yield f"{prefix}.{expert}.{projection}.weight", part


def store(name, tensor, method):
    """The tensors that stand for one weight in a checkpoint of `method`."""
    if name.endswith("e_score_correction_bias"):
        return {name: tensor.float()}
    if method == "fp8" and quantise.is_linear(name):
        codes, scales = quantise.fp8_encode(tensor)
        return {name: codes, f"{name}_scale_inv": scales}
    if method == "compressed-tensors" and quantise.is_expert(name):
        codes, scales = quantise.int4_encode(tensor)
        return {f"{name}_packed": quantise.int4_pack(codes), f"{name}_scale": scales,
                f"{name}_shape": torch.tensor(tensor.shape, dtype=torch.int32)}
    return {name: tensor.to(torch.bfloat16)}


def layer_of(name):
    """Layer by layer, with the embeddings first and the head last."""
    parts = name.split(".")
    return int(parts[2]) if parts[1] == "layers" else -1 if "embed" in name else 10**6


def write_shards(folder, tensors, layout):
    names = sorted(tensors, key=lambda name: (layer_of(name), name))
    total = sum(tensor.nbytes for tensor in tensors.values())
    shards, done = [[] for _ in range(NUM_SHARDS)], 0
    for name in names:
        shards[min(done * NUM_SHARDS // total, NUM_SHARDS - 1)].append(name)
        done += tensors[name].nbytes
    weight_map = {}
    for number, shard in enumerate(shards, 1):
        file = SHARD_NAMES[layout].format(number, NUM_SHARDS)
        save_file({name: tensors[name].contiguous().cpu() for name in shard}, folder / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(shard, file)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def write(folder, settings, state, tokenizer_path, layout):
    folder.mkdir(parents=True, exist_ok=True)
    method = settings["quantization_config"]["quant_method"]
    tensors = {}
    for name, tensor in split_experts(state):
        tensors |= store(name, tensor.detach(), method)
    write_shards(folder, tensors, layout)
    num_ranks = settings["vocab_size"] - 256
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n")
    # As upstream: turns end with <|im_end|>, where config.json may say [EOS].
    generation = {"bos_token_id": num_ranks, "eos_token_id": num_ranks + 2}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    shutil.copyfile(tokenizer_path, folder / "tiktoken.model")
    write_tokenizer_config(folder, layout, num_ranks, settings["max_position_embeddings"])
