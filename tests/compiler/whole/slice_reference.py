"""transformers' DeepseekV3 with the weights of an artifact, at any size: experts are dequantised one by one when a token
chooses them, embedding and head are read in pieces, so that a layer of K2 fits into a few GiB.
"""
import json
import pathlib
import sys

import numpy as np
import torch
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM
from transformers.models.deepseek_v3 import modeling_deepseek_v3 as deepseek

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "golden"))
import checkpoint
import reference

HEAD_PANELS = 512  # rows of the head at a time, in panels of 16


class Rows(torch.nn.Module):
    """An embedding."""

    def __init__(self, weights, dtype):
        super().__init__()
        self.weights, self.dtype = weights, dtype

    def forward(self, ids):
        return self.weights.values("embed_tokens", index=ids.numpy()).to(self.dtype)


class Head(torch.nn.Module):
    """A linear layer of many outputs."""

    def __init__(self, weights, dtype):
        super().__init__()
        self.weights, self.dtype = weights, dtype

    def forward(self, hidden):
        panels = self.weights.weight("lm_head").array.shape[0]
        pieces = [slice(start, min(start + HEAD_PANELS, panels)) for start in range(0, panels, HEAD_PANELS)]
        return torch.cat([torch.nn.functional.linear(hidden, self.weights.values("lm_head", index=piece).to(self.dtype))
                          for piece in pieces], -1)


class ExpertTable:
    """Stands for a stacked parameter that is only ever indexed by one expert."""

    def __init__(self, weights, names, layer, dtype):
        self.weights, self.names, self.layer, self.dtype = weights, names, layer, dtype
        self.used = set()

    def __getitem__(self, expert):
        self.used.add(int(expert))
        return torch.cat([self.weights.values(name, self.layer, int(expert)) for name in self.names]).to(self.dtype)


def config_of(artifact, layers):
    config = checkpoint.text_config(json.loads((artifact / "config.json").read_text()))
    config = {key: value for key, value in config.items() if key not in ("quantization_config", "auto_map")}
    return dict(config, model_type="deepseek_v3", num_hidden_layers=layers)


def plain_values(weights, dtype):
    """{name: tensor} of what is neither expert, embedding nor head; the halves of kv_b_proj joined."""
    values = {}
    for name in weights.entries:
        if name in ("embed_tokens", "lm_head", "rope_table") or ".experts." in name or name.endswith(".scales"):
            continue
        for layer in weights.layers(name):
            value = weights.values(name, layer)
            if name.endswith("kv_b_value"):
                continue
            if name.endswith("kv_b_key"):  # a head's rows: keys, then values
                value = torch.cat([value, weights.values(name.replace("key", "value"), layer)], 1).flatten(0, 1)
            is_bias = name.endswith("e_score_correction_bias")  # float32 whatever the model is
            values[weights.tensor_name(name, layer)] = value if is_bias else value.to(dtype)
    return values


def load(artifact, weights, dtype=torch.float32, attention="eager"):
    """The model, and its tables of experts."""
    c = config_of(artifact, weights.plan["model"]["layers"])
    config = DeepseekV3Config(**c)
    config._attn_implementation, config._experts_implementation = attention, "eager"
    with torch.device("meta"):
        model = DeepseekV3ForCausalLM(config)
    tables = []
    model.model.embed_tokens, model.lm_head = Rows(weights, dtype), Head(weights, dtype)
    model.model.rotary_emb = deepseek.DeepseekV3RotaryEmbedding(config)
    for number, layer in enumerate(model.model.layers):
        if not hasattr(layer.mlp, "experts"):
            continue
        for parameter, names in (("gate_up_proj", ["gate_proj", "up_proj"]), ("down_proj", ["down_proj"])):
            delattr(layer.mlp.experts, parameter)
            tables.append(ExpertTable(weights, [f"moe.experts.{name}" for name in names], number, dtype))
            setattr(layer.mlp.experts, parameter, tables[-1])
    missing, unknown = model.load_state_dict(plain_values(weights, dtype), strict=False, assign=True)
    assert not missing and not unknown, (missing, unknown)
    return reference.check_loaded(model.eval(), c, dtype), tables


def run_with_sizes(model, case):
    """Rows, and the root mean square of the first sequence's hidden state behind the embedding and every layer."""
    sizes, modules = [], [model.model.embed_tokens, *model.model.layers]
    hooks = [module.register_forward_hook(lambda _, __, out: sizes.append(float(out.float().pow(2).mean().sqrt())))
             for module in modules]
    rows = reference.run_case(model, case)
    for hook in hooks:
        hook.remove()
    return rows, sizes[:len(modules)]


def check_experts_differ(weights):
    """No expert's codes begin or end like another's: a pack that wraps at 2^31 or 2^32 bytes would make them."""
    for name in weights.entries:
        if ".experts." not in name or name.endswith(".scales"):
            continue
        for layer in weights.layers(name):
            array = weights.weight(name, layer).array
            for panel in (0, -1):
                seen = {np.array(array[expert, panel]).tobytes() for expert in range(array.shape[0])}
                assert len(seen) == array.shape[0], f"{name} {layer}: {len(seen)} of {array.shape[0]} experts differ"
