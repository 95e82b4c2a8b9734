"""Writes the checkpoints of kimi-random-checkpoint, byte for byte, from Python.

    python checkpoint.py FAMILY OUTDIR [--seed S] [--shards N]
    python checkpoint.py --sums                    writes checkpoints.sha256, which the C++ program is tested against
"""

import argparse
import hashlib
import json
import pathlib
import tempfile

import quantise
import weights

HERE = pathlib.Path(__file__).resolve().parent
FAMILIES = HERE / "families"
# The sums cover one sharded checkpoint per spelling of shard names.
SUMMED = [("deepseek-v3", 1), ("deepseek-v3-fp8", 1), ("example", 1), ("k2", 1), ("k2", 3), ("k2-fp8", 1), ("k25", 1), ("k25", 2),
          ("k25-int4", 1), ("moonlight", 1), ("moonlight-fp8", 1), ("thinking", 1), ("thinking-int4", 2)]


def families():
    return json.loads((FAMILIES / "families.json").read_text())


def family_config(family):
    return json.loads((FAMILIES / f"{family}.json").read_text())


def text_config(config):
    return config.get("text_config", config)


def feed_forward(block, hidden, inner):
    return [(f"{block}gate_proj.weight", [inner, hidden]), (f"{block}up_proj.weight", [inner, hidden]),
            (f"{block}down_proj.weight", [hidden, inner])]


def attention(c, layer):
    name = f"{layer}self_attn."
    hidden, heads, latent = c["hidden_size"], c["num_attention_heads"], c["kv_lora_rank"]
    nope, rope, value = c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
    if c["q_lora_rank"] is None:
        tensors = [(name + "q_proj.weight", [heads * (nope + rope), hidden])]
    else:
        rank = c["q_lora_rank"]
        tensors = [(name + "q_a_proj.weight", [rank, hidden]), (name + "q_a_layernorm.weight", [rank]),
                   (name + "q_b_proj.weight", [heads * (nope + rope), rank])]
    tensors += [(name + "kv_a_proj_with_mqa.weight", [latent + rope, hidden]), (name + "kv_a_layernorm.weight", [latent]),
                (name + "kv_b_proj.weight", [heads * (nope + value), latent]), (name + "o_proj.weight", [hidden, heads * value])]
    # K2-Instruct ships this buffer with a wrong shape (56 where 32 would be right); importers must ignore it.
    if c["model_type"] == "kimi_k2" and c["rms_norm_eps"] < 5e-6:
        tensors.append((name + "rotary_emb.inv_freq", [rope * 7 // 8]))
    return tensors


def experts(c, layer):
    hidden, inner = c["hidden_size"], c["moe_intermediate_size"]
    tensors = [(f"{layer}mlp.gate.weight", [c["n_routed_experts"], hidden]),
               (f"{layer}mlp.gate.e_score_correction_bias", [c["n_routed_experts"]])]
    for expert in range(c["n_routed_experts"]):
        tensors += feed_forward(f"{layer}mlp.experts.{expert}.", hidden, inner)
    return tensors + feed_forward(f"{layer}mlp.shared_experts.", hidden, inner * c["n_shared_experts"])


def list_tensors(config):
    """(name, shape) of every tensor in the order in which they are stored."""
    c = text_config(config)
    hidden, vocab = c["hidden_size"], c["vocab_size"]
    tensors = [("model.embed_tokens.weight", [vocab, hidden])]
    for i in range(c["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        tensors += [(layer + "input_layernorm.weight", [hidden])] + attention(c, layer)
        tensors += [(layer + "post_attention_layernorm.weight", [hidden])]
        is_dense = i < c["first_k_dense_replace"]
        tensors += feed_forward(layer + "mlp.", hidden, c["intermediate_size"]) if is_dense else experts(c, layer)
    tensors += [("model.norm.weight", [hidden]), ("lm_head.weight", [vocab, hidden])]
    if c is not config:
        tensors = [("language_model." + name, shape) for name, shape in tensors]
        width, patch = config["vision_config"]["vt_hidden_size"], config["vision_config"]["patch_size"]
        tensors += [("mm_projector.proj.0.weight", [hidden, width]),
                    ("vision_tower.patch_embed.proj.weight", [width, 3, patch, patch])]
    return tensors


def list_stored(config, traits):
    """(stored name, dtype or None, stored shape, name, shape) of every tensor: quantised weights are stored in parts."""
    stored = []
    for name, shape in list_tensors(config):
        if not quantise.is_quantised(name, traits):
            stored.append((name, None, shape, name, shape))
            continue
        parts = quantise.FP8_PARTS if traits["quantised"] == "fp8" else quantise.INT4_PARTS
        stored += [(name.removesuffix(".weight") + suffix, dtype, quantise.part_shape(suffix, shape), name, shape)
                   for suffix, dtype in parts]
    return stored


def fill_stored(stored_name, dtype, name, shape, latent, seed):
    """The array of one stored tensor, and its dtype."""
    rules = json.loads((FAMILIES / "rules.json").read_text())
    rule = next(rule for rule in rules if name.endswith(rule["suffix"]))
    if dtype is None:
        return weights.fill(name, shape, rule, latent, seed), rule.get("dtype", "BF16")
    suffix = stored_name.removeprefix(name.removesuffix(".weight"))
    values = weights.values(name, shape, rule, latent, seed)
    make = quantise.quantise_fp8 if suffix in dict(quantise.FP8_PARTS) else quantise.quantise_int4
    return make(values)[suffix], dtype


def safetensors_bytes(tensors, latent, seed):
    header, chunks, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for stored_name, dtype, stored_shape, name, shape in tensors:
        array, dtype = fill_stored(stored_name, dtype, name, shape, latent, seed)
        assert list(array.shape) == list(stored_shape), stored_name
        data = array.tobytes()
        header[stored_name] = {"dtype": dtype, "shape": stored_shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        chunks.append(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *chunks])


def write_weights(folder, tensors, latent, seed, shards, is_plain):
    if shards == 1:
        (folder / "model.safetensors").write_bytes(safetensors_bytes(tensors, latent, seed))
        return
    weight_map, total = [], 0
    for shard in range(shards):
        part = tensors[shard * len(tensors) // shards : (shard + 1) * len(tensors) // shards]
        name = f"model-{shard + 1}-of-{shards}" if is_plain else f"model-{shard + 1:05}-of-{shards:06}"
        data = safetensors_bytes(part, latent, seed)
        (folder / f"{name}.safetensors").write_bytes(data)
        weight_map += [f'\n    "{tensor}": "{name}.safetensors"' for tensor, *_ in part]
        total += len(data) - 8 - int.from_bytes(data[:8], "little")
    (folder / "model.safetensors.index.json").write_text(
        f'{{\n  "metadata": {{"total_size": {total}}},\n  "weight_map": {{{",".join(weight_map)}\n  }}\n}}\n')


def write_tokenizer(folder, layout, num_ranks, max_length):
    ranks = (FAMILIES / "tiktoken.model").read_text().splitlines(keepends=True)[:num_ranks]
    (folder / "tiktoken.model").write_text("".join(ranks))
    write_tokenizer_config(folder, layout, num_ranks, max_length)


def write_tokenizer_config(folder, layout, num_ranks, max_length):
    """Names of the special tokens at K2's offsets, and the chat template."""
    chat = (FAMILIES / f"chat-template-{layout}.jinja").read_text()
    text = (FAMILIES / f"tokenizer_config-{layout}.json.in").read_text()
    text = text.replace("@CHAT_TEMPLATE@", chat.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
    text = text.replace("@MODEL_MAX_LENGTH@", str(max_length))
    for special in range(256):
        text = text.replace(f"@{special}@", str(num_ranks + special))
    (folder / "tokenizer_config.json").write_text(text)


def write_checkpoint(family, folder, seed=1, shards=1):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    traits, config = families()[family], family_config(family)
    c = text_config(config)
    num_ranks = c["vocab_size"] - 256
    (folder / "config.json").write_bytes((FAMILIES / f"{family}.json").read_bytes())
    # As upstream, generation_config.json ends turns with <|im_end|> where config.json may say [EOS].
    (folder / "generation_config.json").write_text(
        f'{{\n  "bos_token_id": {num_ranks},\n  "eos_token_id": {num_ranks + 2}\n}}\n')
    write_tokenizer(folder, traits["layout"], num_ranks, c["max_position_embeddings"])
    write_weights(folder, list_stored(config, traits), c["kv_lora_rank"], seed, shards, traits["shardName"] == "plain")


def write_sums():
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        for family, shards in SUMMED:
            name = family if shards == 1 else f"{family}/{shards}"
            folder = pathlib.Path(scratch) / f"{family}-{shards}"
            write_checkpoint(family, folder, shards=shards)
            for path in sorted(folder.iterdir()):
                lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}/{path.name}\n")
    (HERE / "checkpoints.sha256").write_text("".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", nargs="?", choices=sorted(families()))
    parser.add_argument("outdir", nargs="?", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--sums", action="store_true", help="write checkpoints.sha256")
    args = parser.parse_args()
    if args.sums:
        write_sums()
    elif args.family and args.outdir:
        write_checkpoint(args.family, args.outdir, args.seed, args.shards)
    else:
        parser.error("FAMILY and OUTDIR, or --sums")


if __name__ == "__main__":
    main()
