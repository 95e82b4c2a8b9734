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


@torch.no_grad()
def confirm(model, prompts, guesses, end, limit, together=16):
    """What generate would answer, quickly where `guesses` (ids) are that: one forward pass reads prompt and guess, and
    only from the first token on that the reference would not have chosen does it generate itself."""
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]) + len(guesses[i]))
    answers = [None] * len(prompts)
    for begin in range(0, len(order), together):
        group = order[begin : begin + together]
        rows = [prompts[i] + guesses[i] for i in group]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=model.device)  # causal: padding is not seen
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
        for row, i in enumerate(group):
            first = len(prompts[i]) - 1
            top = model.lm_head(hidden[row, first : first + len(guesses[i])]).float().topk(2)
            answers[i] = agreed(guesses[i], top.indices[:, 0].tolist(), (top.values[:, 0] - top.values[:, 1]).tolist())
            if not is_complete(answers[i], end, limit):
                begun = [token for token, _ in answers[i]]
                answers[i] += generate(model, [prompts[i] + begun], end, limit - len(begun))[0]
    return answers


def agreed(guess, chosen, leads):
    """[(token, lead)] of the guess as far as the reference chooses the same, and its own first other choice."""
    count = next((i for i, (g, c) in enumerate(zip(guess, chosen)) if g != c), len(guess))
    return list(zip(chosen, leads))[: count + 1]


def is_complete(answer, end, limit):
    return len(answer) == limit or (answer and answer[-1][0] == end)


def generate_all(model, prompts, end, limit, together=64):
    """As generate, in groups of similar length."""
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    answers = [None] * len(prompts)
    for begin in range(0, len(order), together):
        group = order[begin : begin + together]
        for i, answer in zip(group, generate(model, [prompts[i] for i in group], end, limit)):
            answers[i] = answer
    return answers
