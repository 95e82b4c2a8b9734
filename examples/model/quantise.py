"""The two storage formats of the released checkpoints, as functions on float32 tensors [.., N, K].

e4m3, 128 x 128 blocks: w = code * scale_inv[n // 128, k // 128], scale_inv = max|w| / 448 of the block.
int4, groups of 32 along K: w = (code - 8) * scale[n, k // 32], scale = bf16(max|w| / 7.5), code 0 .. 15, eight codes to an
int32, lowest nibble first (compressed-tensors, pack-quantized, symmetric).
"""

import torch

BLOCK = 128
GROUP = 32


def spread(scales, rows, columns):
    """Block scales [.., ceil(N / 128), ceil(K / 128)] over the elements they belong to."""
    return scales.repeat_interleave(BLOCK, -2)[..., :rows, :].repeat_interleave(BLOCK, -1)[..., :columns]


def fp8_scales(w):
    rows, columns = w.shape[-2:]
    padded = torch.nn.functional.pad(w, (0, -columns % BLOCK, 0, -rows % BLOCK))
    blocks = padded.unflatten(-1, (-1, BLOCK)).unflatten(-3, (-1, BLOCK))  # [.., N / 128, 128, K / 128, 128]
    return blocks.abs().amax((-3, -1)).clamp_min(1e-12) / 448


def fp8_encode(w):
    """(codes float8_e4m3fn [.., N, K], scale_inv float32)"""
    scales = fp8_scales(w)
    return (w / spread(scales, *w.shape[-2:])).to(torch.float8_e4m3fn), scales


def fp8_rounded(w):
    codes, scales = fp8_encode(w)
    return codes.float() * spread(scales, *w.shape[-2:])


def int4_encode(w):
    """(codes int32 [.., N, K] from -8 to 7, scale bfloat16 [.., N, K / 32])"""
    groups = w.unflatten(-1, (-1, GROUP))
    scales = (groups.abs().amax(-1) / 7.5).clamp_min(1e-12).to(torch.bfloat16)
    codes = (groups / scales.float().unsqueeze(-1)).round().clamp(-8, 7)
    return codes.flatten(-2).to(torch.int32), scales


def int4_rounded(w):
    codes, scales = int4_encode(w)
    return (codes.unflatten(-1, (-1, GROUP)) * scales.float().unsqueeze(-1)).flatten(-2)


def int4_pack(codes):
    """[N, K] → int32 [N, K / 8]"""
    nibbles = (codes + 8).to(torch.int64).unflatten(-1, (-1, 8))
    packed = (nibbles << (4 * torch.arange(8, device=codes.device))).sum(-1)
    return torch.where(packed >= 2**31, packed - 2**32, packed).to(torch.int32)


def is_expert(name):
    return ".mlp.experts." in name


def is_linear(name):
    """Weights that the FP8 releases quantise."""
    return is_expert(name) or name.endswith("_proj.weight") or name.endswith("proj_with_mqa.weight")


def fp8_of(name):
    """What training rounds a weight to, so that it learns to live with it; None: it stays as it is."""
    return fp8_rounded if is_linear(name) else None


def int4_of(name):
    return int4_rounded if is_expert(name) else None
