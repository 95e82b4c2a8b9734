"""The pitfalls of the model family as mistakes in transformers' own code: a changed line, attribute or weight.

Every mistake takes a fresh copy of the model and the text config, and makes it wrong. Changed lines are found by their
text, and must occur once: a new transformers version cannot silently turn a mistake into none.
"""

import contextlib
import copy
import dataclasses
import inspect
import math
import textwrap
from collections.abc import Callable

import torch
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.deepseek_v3 import modeling_deepseek_v3 as modeling

ALWAYS = lambda c: True
HAS_YARN = lambda c: c["rope_scaling"] is not None
HAS_GROUPS = lambda c: c["n_group"] > 1


@dataclasses.dataclass
class Mistake:
    name: str
    make: Callable  # (model, text config, stack): wrong from here until the stack closes
    applies: Callable = ALWAYS
    is_long: bool = False  # also run where positions pass 4096


@contextlib.contextmanager
def changed_line(owner, method, old, new):
    """Recompiles a method of transformers with one line changed."""
    original = getattr(owner, method)
    source = textwrap.dedent(inspect.getsource(original))
    source = source[source.index("def ") :]
    assert source.count(old) == 1, f"{owner.__name__}.{method} has {source.count(old)} × {old!r}"
    scope = {}
    exec(compile(source.replace(old, new), f"{owner.__name__}.{method} changed", "exec"), vars(modeling), scope)
    setattr(owner, method, scope[method])
    try:
        yield
    finally:
        setattr(owner, method, original)


def line(owner, method, old, new):
    return lambda model, c, stack: stack.enter_context(changed_line(owner, method, old, new))


def each_attention(change):
    def make(model, c, stack):
        for layer in model.model.layers:
            change(layer.self_attn, c)
    return make


def each_gate(change):
    def make(model, c, stack):
        for layer in model.model.layers:
            if hasattr(layer.mlp, "gate"):
                change(layer.mlp.gate)
    return make


def layer_eps(model, c, stack):
    other = 1e-5 if c["rms_norm_eps"] < 5e-6 else 1e-6
    for name, module in model.named_modules():
        if name.endswith(("input_layernorm", "post_attention_layernorm", "model.norm")):
            module.variance_epsilon = other


def latent_eps(attention, c):
    for norm in (attention.q_a_layernorm, attention.kv_a_layernorm):
        if norm is not None:
            norm.variance_epsilon = 1e-5


def mscale(c):
    return 0.1 * math.log(c["rope_scaling"]["factor"]) + 1.0


def plain_inv_freq(c, theta=None):
    dim = c["qk_rope_head_dim"]
    return 1.0 / ((theta or c["rope_theta"]) ** (torch.arange(0, dim, 2, dtype=torch.float) / dim))


def set_scale(factor):
    """attention.scaling = factor(c), which replaces width^-0.5 · mscale²."""
    def change(attention, c):
        attention.scaling = factor(c)
    return each_attention(change)


def width(c):
    return c["qk_nope_head_dim"] + c["qk_rope_head_dim"]


def rope_parameters(change):
    """Recomputes the frequencies with transformers' own function from changed parameters."""
    def make(model, c, stack):
        config = copy.deepcopy(model.config)
        change(config.rope_parameters)
        rope = model.model.rotary_emb
        if c["rope_scaling"] is None:
            rope.inv_freq = plain_inv_freq(c, config.rope_parameters["rope_theta"])
        else:
            rope.inv_freq, _ = ROPE_INIT_FUNCTIONS["yarn"](config)
    return make


def other_theta(parameters):
    parameters["rope_theta"] = 50000.0 if parameters["rope_theta"] < 20000 else 10000.0


def other_beta(parameters):
    parameters["beta_fast"] = 1.0 if parameters["beta_fast"] > 1 else 32.0


def set_inv_freq(function):
    def make(model, c, stack):
        model.model.rotary_emb.inv_freq = function(c)
    return make


def doubled_factor(model, c, stack):
    rope_parameters(lambda parameters: parameters.update(factor=2 * parameters["factor"]))(model, c, stack)
    wrong = 0.1 * math.log(2 * c["rope_scaling"]["factor"]) + 1.0
    set_scale(lambda c: width(c) ** -0.5 * wrong**2)(model, c, stack)


def yarn_beyond_context(model, c, stack):
    rope = model.model.rotary_emb
    rope.plain = plain_inv_freq(c)
    stack.enter_context(changed_line(
        modeling.DeepseekV3RotaryEmbedding, "forward",
        "freqs = position_ids[..., None].float() * self.inv_freq.to(device=x.device, dtype=torch.float)",
        "freqs = position_ids[..., None].float() * torch.where(position_ids[..., None] < 4096, self.plain, self.inv_freq)"))


def scale_tables(model, c, stack):
    model.model.rotary_emb.attention_scaling = mscale(c)


def half_split(model, c, stack):
    for layer in model.model.layers:
        layer.self_attn.config = copy.deepcopy(layer.self_attn.config)
        layer.self_attn.config.rope_interleave = False


@torch.no_grad()
def swap_gate_and_up(model, c, stack):
    for layer in model.model.layers:
        if hasattr(layer.mlp, "gate"):
            layer.mlp.experts.gate_up_proj.copy_(layer.mlp.experts.gate_up_proj.roll(c["moe_intermediate_size"], 1))


@torch.no_grad()
def one_shared_expert(model, c, stack):
    for layer in model.model.layers:
        if hasattr(layer.mlp, "gate"):
            layer.mlp.shared_experts.down_proj.weight[:, c["moe_intermediate_size"] :] = 0


@torch.no_grad()
def tie_head(model, c, stack):
    scale = model.lm_head.weight.std() / model.model.embed_tokens.weight.std()
    model.lm_head.weight.copy_(model.model.embed_tokens.weight * scale)


def round_bias(gate):
    gate.e_score_correction_bias = gate.e_score_correction_bias.bfloat16().float()


NORM, ATTENTION, ROPE = modeling.DeepseekV3RMSNorm, modeling.DeepseekV3Attention, modeling.DeepseekV3RotaryEmbedding
ROUTER, MOE, LAYER = modeling.DeepseekV3TopkRouter, modeling.DeepseekV3MoE, modeling.DeepseekV3DecoderLayer
SPLIT_Q = "q_pass, q_rot = torch.split(q_states, [self.qk_nope_head_dim, self.qk_rope_head_dim], dim=-1)"
SPLIT_KV = "kv_nope, k_rot = torch.split(compressed_kv, [self.kv_lora_rank, self.qk_rope_head_dim], dim=-1)"
SPLIT_B = "k_nope, value_states = torch.split(kv_nope, [self.qk_nope_head_dim, self.v_head_dim], dim=-1)"
EXPAND = "kv_nope = self.kv_b_proj(kv_nope).view(key_shape).transpose(1, 2)"
EXPAND_WRONG = """kv_nope = self.kv_b_proj(kv_nope)[:, 0]
    heads = [part.reshape(batch_size, seq_length, self.num_heads, -1) for part in torch.split(
        kv_nope, [self.num_heads * self.qk_nope_head_dim, self.num_heads * self.v_head_dim], dim=-1)]
    kv_nope = torch.cat(heads, dim=-1).transpose(1, 2)"""
ANGLES = "position_ids[..., None].float() * self.inv_freq.to(device=x.device, dtype=torch.float)"
BIASED = "scores_for_choice = scores + self.e_score_correction_bias"
RENORM = "topk_weights /= denominator"
K_NORM = """kv_nope = self.kv_a_layernorm(kv_nope)
    k_rot = k_rot * torch.rsqrt(k_rot.float().pow(2).mean(-1, keepdim=True) + 1e-6).to(k_rot.dtype)"""

MISTAKES = [
    Mistake("1 layer norms with the other release's eps", layer_eps),
    Mistake("1 q_a and kv_a norms with config eps 1e-5 (reference: 1e-6)", each_attention(latent_eps),
            lambda c: c["rms_norm_eps"] > 5e-6),
    Mistake("eps outside the root", line(NORM, "forward", "torch.rsqrt(variance + self.variance_epsilon)",
                                         "(1 / (variance.sqrt() + self.variance_epsilon))")),
    Mistake("norm weight forgotten", line(NORM, "forward", "self.weight * hidden_states", "hidden_states")),
    Mistake("norm weight taken as 1 + w", line(NORM, "forward", "self.weight *", "(1 + self.weight) *")),
    Mistake("norm weight multiplied before the cast", line(
        NORM, "forward", "self.weight * hidden_states.to(input_dtype)", "(self.weight.float() * hidden_states).to(input_dtype)")),
    Mistake("2 YaRN beta_fast 32 for 1 or 1 for 32", rope_parameters(other_beta), HAS_YARN, True),
    Mistake("YaRN correction range not rounded to whole dims", rope_parameters(lambda p: p.update(truncate=False)),
            lambda c: HAS_YARN(c) and c["rope_scaling"]["beta_fast"] > 1, True),
    Mistake("YaRN frequencies ignored", set_inv_freq(plain_inv_freq), HAS_YARN, True),
    Mistake("YaRN frequencies only from position 4096 on", yarn_beyond_context, HAS_YARN, True),
    Mistake("YaRN without ramp: every frequency divided", set_inv_freq(
        lambda c: plain_inv_freq(c) / c["rope_scaling"]["factor"]), HAS_YARN),
    Mistake("YaRN factor doubled (32 for 64)", doubled_factor, HAS_YARN),
    Mistake("rope_theta 10000 for 50000 or reverse", rope_parameters(other_theta)),
    Mistake("3 softmax scale without mscale²", set_scale(lambda c: width(c) ** -0.5), HAS_YARN),
    Mistake("3 softmax scale with mscale, not its square", set_scale(lambda c: width(c) ** -0.5 * mscale(c)), HAS_YARN),
    Mistake("3 cos and sin scaled by mscale as well", scale_tables, HAS_YARN),
    Mistake("3 mscale² without YaRN (factor 32)", set_scale(lambda c: width(c) ** -0.5 * (0.1 * math.log(32) + 1) ** 2),
            lambda c: not HAS_YARN(c)),
    Mistake("softmax scale from the latent width (kv_lora + rope)", set_scale(
        lambda c: (c["kv_lora_rank"] + c["qk_rope_head_dim"]) ** -0.5 * (mscale(c) ** 2 if HAS_YARN(c) else 1)),
            lambda c: c["kv_lora_rank"] != c["qk_nope_head_dim"]),
    Mistake("4 RoPE half-split, not interleaved", half_split),
    Mistake("4 RoPE on the first dims of q", line(
        ATTENTION, "forward", SPLIT_Q, "q_rot, q_pass = torch.split(q_states, [self.qk_rope_head_dim, self.qk_nope_head_dim], dim=-1)")),
    Mistake("4 k_pe first in the kv_a output", line(
        ATTENTION, "forward", SPLIT_KV, "k_rot, kv_nope = torch.split(compressed_kv, [self.qk_rope_head_dim, self.kv_lora_rank], dim=-1)")),
    Mistake("kv_b heads as [v, k]", line(
        ATTENTION, "expand_kv", SPLIT_B, "value_states, k_nope = torch.split(kv_nope, [self.v_head_dim, self.qk_nope_head_dim], dim=-1)")),
    Mistake("kv_b as [all k, all v], not per head", line(ATTENTION, "expand_kv", EXPAND, EXPAND_WRONG)),
    Mistake("k_pe normed", line(ATTENTION, "forward", "kv_nope = self.kv_a_layernorm(kv_nope)", K_NORM)),
    Mistake("kv latent not normed", line(ATTENTION, "forward", "self.kv_a_layernorm(kv_nope)", "kv_nope * self.kv_a_layernorm.weight")),
    Mistake("q latent not normed", line(ATTENTION, "forward", "self.q_a_layernorm(self.q_a_proj(hidden_states))",
                                        "self.q_a_proj(hidden_states) * self.q_a_layernorm.weight"),
            lambda c: c["q_lora_rank"] is not None),
    Mistake("5 angles rounded to bf16", line(ROPE, "forward", ANGLES, f"({ANGLES}).bfloat16().float()"), is_long=True),
    Mistake("5 cos and sin rounded to bf16", line(ROPE, "forward", "return cos.to(dtype=x.dtype), sin.to(dtype=x.dtype)",
                                                  "return cos.bfloat16().to(x.dtype), sin.bfloat16().to(x.dtype)")),
    Mistake("6 router in bf16", line(
        ROUTER, "forward", "F.linear(hidden_states.type(torch.float32), self.weight.type(torch.float32))",
        "F.linear(hidden_states.bfloat16(), self.weight.bfloat16()).float()")),
    Mistake("6 router bias rounded to bf16", each_gate(round_bias), is_long=True),
    Mistake("6 router bias ignored in the choice", line(ROUTER, "forward", BIASED, "scores_for_choice = scores.clone()")),
    Mistake("6 router bias kept in the weights", line(ROUTER, "forward", "scores.gather", "(scores + self.e_score_correction_bias).gather")),
    Mistake("softmax for sigmoid", line(ROUTER, "forward", "router_logits.sigmoid()", "router_logits.softmax(-1)")),
    Mistake("7 weights not renormalised", line(ROUTER, "forward", RENORM, "pass")),
    Mistake("7 routed_scaling_factor missing, or applied before renormalising", line(
        ROUTER, "forward", "topk_weights * self.routed_scaling_factor", "topk_weights")),
    Mistake("7 shared expert scaled too", line(MOE, "forward", "self.shared_experts(residuals)",
                                               "self.shared_experts(residuals) * self.config.routed_scaling_factor")),
    Mistake("shared expert missing", line(MOE, "forward", "hidden_states + self.shared_experts(residuals)", "hidden_states")),
    Mistake("one shared expert of two", one_shared_expert, lambda c: c["n_shared_experts"] > 1),
    Mistake("group limiting ignored", line(ROUTER, "forward", "~score_mask.bool()", "torch.zeros_like(score_mask).bool()"), HAS_GROUPS),
    Mistake("groups ranked by their best expert, not their best two", line(ROUTER, "forward", ".topk(2, dim=-1)", ".topk(1, dim=-1)"), HAS_GROUPS),
    Mistake("other groups masked with 0, not -inf", line(ROUTER, "forward", 'float("-inf")', "0.0"), HAS_GROUPS),
    Mistake("gate and up swapped in the experts", swap_gate_and_up),
    Mistake("attention residual taken after its norm", line(
        LAYER, "forward", "residual = hidden_states\n    hidden_states = self.input_layernorm(hidden_states)",
        "hidden_states = self.input_layernorm(hidden_states)\n    residual = hidden_states")),
    Mistake("feed-forward residual taken after its norm", line(
        LAYER, "forward", "residual = hidden_states\n    hidden_states = self.post_attention_layernorm(hidden_states)",
        "hidden_states = self.post_attention_layernorm(hidden_states)\n    residual = hidden_states")),
    Mistake("lm_head tied to the embedding", tie_head),
]
