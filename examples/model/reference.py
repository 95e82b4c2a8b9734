"""The reference: transformers' DeepseekV3ForCausalLM on a checkpoint without quantised weights, answering greedily."""

import json
import pathlib

import torch
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, DynamicCache


def load(folder, dtype=torch.float32, device="cpu"):
    settings = json.loads((pathlib.Path(folder) / "config.json").read_text())
    config = DeepseekV3Config(**(settings | {"model_type": "deepseek_v3"}))
    model = DeepseekV3ForCausalLM.from_pretrained(folder, config=config, dtype=dtype, attn_implementation="eager",
                                                  experts_implementation="eager" if device == "cpu" else "grouped_mm")
    return model.eval().to(device)


@torch.no_grad()
def generate(model, prompts, end, limit):
    """For each prompt (ids): [(token, its logit's lead over the second)], up to and with `end`. Prompts of one call are
    padded on the left and run together."""
    device, longest = model.device, max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts], device=device)
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=device)
    cache, answers, running = DynamicCache(config=model.config), [[] for _ in prompts], torch.ones(len(prompts), dtype=torch.bool, device=device)
    for _ in range(limit):
        positions = (mask.cumsum(1) - 1).clamp_min(0)[:, -ids.shape[1] :]
        logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True,
                       logits_to_keep=1).logits[:, -1].float()
        top = logits.topk(2)
        tokens, leads = top.indices[:, 0], top.values[:, 0] - top.values[:, 1]
        for answer, token, lead, runs in zip(answers, tokens.tolist(), leads.tolist(), running.tolist()):
            if runs:
                answer.append((token, lead))
        running &= tokens != end
        if not running.any():
            break
        ids = tokens[:, None]
        mask = torch.cat([mask, torch.ones_like(ids)], 1)
    return answers


def generate_all(model, prompts, end, limit, together=64):
    """As generate, in groups of similar length."""
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    answers = [None] * len(prompts)
    for begin in range(0, len(order), together):
        group = order[begin : begin + together]
        for i, answer in zip(group, generate(model, [prompts[i] for i in group], end, limit)):
            answers[i] = answer
    return answers
