"""The reference: transformers' DeepseekV3ForCausalLM on one of our checkpoints, run as the goldens want it run."""

import dataclasses
import json
import pathlib
import tempfile

import numpy as np
import safetensors.torch
import torch
import transformers
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, DynamicCache

import checkpoint
import quantise

# One thread: the same bits on every machine of a kind, and no spinning beside other work.
torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
# Prompts longer than this go through the reference's own cache, which bounds the memory of eager attention.
CHUNK = 1024


@dataclasses.dataclass
class Rows:
    """What the reference says at the wanted positions, in the order of kimi-run's output."""

    logits: np.ndarray  # [rows, vocab] float32
    choice: np.ndarray  # [rows, layers with experts, experts] what the router chooses by, score + bias
    weights: np.ndarray  # [rows, layers with experts, experts] weight of each expert, 0 where not chosen


def values_of(folder, dequantise_fp8=quantise.dequantise_fp8, dequantise_int4=quantise.dequantise_int4):
    """{name: float32 array} of a checkpoint's weights, quantised ones as what they stand for. A mistake may bring its own
    way of reading codes."""
    stored = {}
    for path in sorted(pathlib.Path(folder).glob("*.safetensors")):
        stored |= safetensors.torch.load_file(path)
    values = {}
    for name, tensor in stored.items():
        base = name.removesuffix("_packed")
        if name.endswith("_packed"):
            values[base] = dequantise_int4(tensor.numpy(), stored[base + "_scale"].view(torch.uint16).numpy(), base)
        elif name + "_scale_inv" in stored:
            values[name] = dequantise_fp8(tensor.view(torch.uint8).numpy(), stored[name + "_scale_inv"].numpy(), name)
        elif not name.endswith(("_scale", "_scale_inv", "_shape")):
            values[name] = tensor.float().numpy()
    return values


def write_plain(folder, target, **dequantise):
    """Writes a quantised checkpoint as an ordinary one of float32 weights, which transformers reads like any other."""
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    for c in (config, checkpoint.text_config(config)):
        c.pop("quantization_config", None)
    (pathlib.Path(target) / "config.json").write_text(json.dumps(config))
    tensors = {name: torch.from_numpy(array.copy()) for name, array in values_of(folder, **dequantise).items()}
    safetensors.torch.save_file(tensors, pathlib.Path(target) / "model.safetensors", {"format": "pt"})


def load(folder, dtype=torch.float32, attention="eager", **dequantise):
    """The text model of a checkpoint folder, from dequantised weights where it is quantised."""
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    if "quantization_config" not in checkpoint.text_config(config):
        return load_plain(folder, dtype, attention)
    with tempfile.TemporaryDirectory() as plain:
        write_plain(folder, plain, **dequantise)
        return load_plain(plain, dtype, attention)


def load_plain(folder, dtype, attention):
    """Only the spelling differs from the class's own: model_type kimi_k2 is the same architecture under another name, and
    kimi_k25 nests it."""
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    c = dict(checkpoint.text_config(config), model_type="deepseek_v3")
    key_mapping = None if c.keys() == config.keys() else {r"^language_model\.": ""}
    model = DeepseekV3ForCausalLM.from_pretrained(
        folder, config=DeepseekV3Config(**c), dtype=dtype, key_mapping=key_mapping,
        attn_implementation=attention, experts_implementation="eager")
    return check_loaded(model.eval(), c, dtype)


def check_loaded(model, c, dtype):
    """Whatever transformers' loader did, these must hold, or the goldens would be of another model."""
    yarn = c["rope_scaling"]
    parameters = model.config.rope_parameters
    assert parameters["rope_theta"] == c["rope_theta"], parameters
    assert parameters["rope_type"] == ("yarn" if yarn else "default"), parameters
    for key in ("factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim") if yarn else ():
        assert parameters[key] == yarn[key], parameters
    assert model.model.rotary_emb.inv_freq.dtype == torch.float32
    assert len(model.model.rotary_emb.inv_freq) == c["qk_rope_head_dim"] // 2
    for name, parameter in model.named_parameters():
        assert parameter.dtype == dtype and parameter.float().std() > 0, name
    for layer in expert_layers(model):
        assert layer.mlp.gate.e_score_correction_bias.dtype == torch.float32
        assert layer.mlp.gate.e_score_correction_bias.std() > 0
    return model


def expert_layers(model):
    return [layer for layer in model.model.layers if hasattr(layer.mlp, "gate")]


@torch.no_grad()
def run_sequence(model, ids, positions, trace=True):
    """Rows of one sequence at `positions`."""
    gates = [layer.mlp.gate for layer in expert_layers(model)] if trace else []
    taken = [[] for _ in gates]
    hooks = [gate.register_forward_hook(lambda _, __, out, rows=rows: rows.append(out)) for gate, rows in zip(gates, taken)]
    cache = DynamicCache(config=model.config) if len(ids) > CHUNK else None
    hidden = []
    for start in range(0, len(ids), CHUNK):
        part = torch.tensor([ids[start : start + CHUNK]])
        hidden.append(model.model(part, past_key_values=cache, use_cache=cache is not None).last_hidden_state[0])
    for hook in hooks:
        hook.remove()
    logits = model.lm_head(torch.cat(hidden)[positions]).float().numpy()
    choice, chosen = [], []
    for gate, outputs in zip(gates, taken):
        router_logits, top_weights, top_indices = (torch.cat(parts)[positions] for parts in zip(*outputs))
        choice.append(router_logits.float().sigmoid() + gate.e_score_correction_bias)
        chosen.append(torch.zeros_like(choice[-1]).scatter_(1, top_indices, top_weights.float()))
    stack = lambda parts: torch.stack(parts, 1).numpy() if parts else None
    return Rows(logits, stack(choice), stack(chosen))


def run_case(model, case, trace=True):
    """Rows of a case in the format of kimi-run's --ids file. Prompt and forced tokens run in one go: by causality the
    reference's logits do not depend on how the tokens arrive."""
    parts = []
    for i, sequence in enumerate(case["sequences"]):
        forced = case.get("forced", [[]] * len(case["sequences"]))[i]
        parts.append(run_sequence(model, sequence["ids"] + forced, case["positions"][i], trace))
    return Rows(*(np.concatenate(field) if field[0] is not None else None
                  for field in zip(*(dataclasses.astuple(part) for part in parts))))


def router_margins(config, choice):
    """[rows] the smallest distance, over layers, between what was chosen and what was not; group limiting included."""
    c = checkpoint.text_config(config)
    rows, layers, experts = choice.shape
    groups = choice.reshape(rows, layers, c["n_group"], -1)
    top2 = np.sort(groups, -1)[..., -2:].sum(-1)
    ranked = np.sort(top2, -1)[..., ::-1]
    margin = np.full((rows, layers), np.inf)
    if c["topk_group"] < c["n_group"]:
        margin = ranked[..., c["topk_group"] - 1] - ranked[..., c["topk_group"]]
        kept = top2 >= ranked[..., c["topk_group"] - 1, None]
        groups = np.where(kept[..., None], groups, -np.inf)
    ranked = np.sort(groups.reshape(rows, layers, experts), -1)[..., ::-1]
    k = c["num_experts_per_tok"]
    return np.minimum(margin, ranked[..., k - 1] - ranked[..., k]).min(-1)


def top2_margins(logits):
    ranked = np.sort(logits, -1)
    return ranked[:, -1] - ranked[:, -2]
