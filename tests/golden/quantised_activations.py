"""The reference of profile w8a8-1x128: transformers' model, its projections on activations rounded to FP8 codes.

Every product with a weight that the checkpoint stores in fp8 takes x' for x: per token and 128 neighbouring columns
scale = max(max|x|, 1e-4) / 448, x' = e4m3(x / scale) * scale, all in float32; the sum runs in float32 and is stored in the
type of the model. kv_b_proj is left as it is: absorbed into queries and values it meets activations that are never quantised.

Needs torch. x' is what torch's own float8_e4m3fn makes of it.
"""

import contextlib

import torch

BLOCK = 128


def quantised(x):
    """x' of x [.., K], in float32."""
    columns = x.shape[-1]
    padded = torch.nn.functional.pad(x.float(), (0, -columns % BLOCK)).unflatten(-1, (-1, BLOCK))
    scale = padded.abs().amax(-1, keepdim=True).clamp(min=1e-4) / 448
    codes = (padded / scale).clamp(-448, 448).to(torch.float8_e4m3fn)
    return (codes.float() * scale).flatten(-2)[..., :columns]


def fp8_parameters(model, names):
    """Storage addresses of the parameters that hold weights stored in fp8: `names` without experts and prefixes."""
    addresses = set()
    for name, parameter in model.named_parameters():
        is_experts = name.endswith(("experts.gate_up_proj", "experts.down_proj"))
        if is_experts or any(name.endswith(suffix) for suffix in names):
            addresses.add(parameter.untyped_storage().data_ptr())
    return addresses


@contextlib.contextmanager
def quantised_projections(model, names):
    """Inside, torch.nn.functional.linear quantises what meets an fp8 weight."""
    addresses = fp8_parameters(model, names)
    plain = torch.nn.functional.linear

    def linear(x, weight, bias=None):
        if weight.untyped_storage().data_ptr() not in addresses:
            return plain(x, weight, bias)
        linear.count += 1
        return plain(quantised(x), weight.float(), bias).to(x.dtype)

    linear.count = 0
    torch.nn.functional.linear = linear
    try:
        yield linear
    finally:
        torch.nn.functional.linear = plain
    assert linear.count, "no product was quantised"
