"""Float32 master weights, what they are rounded to, and how they move.

Matrices move by Muon (the orthogonalised momentum), everything else by Adam. The model computes with rounded copies; its
gradients are taken for those of the masters, so the masters learn to round well.
"""

import torch

BETA1, BETA2, EPSILON = 0.9, 0.95, 1e-8
MOMENTUM = 0.95


def orthogonalise(g):
    """The nearest matrices with orthonormal rows or columns, roughly: five steps of a Newton-Schulz iteration whose
    polynomial has a steep slope at 0 (coefficients of Keller Jordan's Muon). g: [.., N, K]."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.to(torch.bfloat16) if g.is_cuda else g
    is_tall = x.shape[-2] > x.shape[-1]
    x = x.mT if is_tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return (x.mT if is_tall else x).float()


class Weight:
    def __init__(self, name, parameter, rounding):
        self.name, self.parameter, self.rounding = name, parameter, rounding
        self.master = parameter.detach().float().clone()
        self.first, self.second = torch.zeros_like(self.master), torch.zeros_like(self.master)
        is_table = "embed_tokens" in name or "lm_head" in name or name.endswith("mlp.gate.weight")
        self.uses_muon = parameter.ndim >= 2 and not is_table
        # A step of Muon has the same size for every shape.
        self.scale = max(1.0, parameter.shape[-2] / parameter.shape[-1]) ** 0.5 if self.uses_muon else 1.0

    def show(self, rounds):
        """What the model computes with."""
        self.parameter.copy_(self.rounding(self.master) if rounds and self.rounding else self.master)

    def move(self, rate, step):
        g = self.parameter.grad.float()
        if self.uses_muon:
            self.first.mul_(MOMENTUM).add_(g)
            self.master.sub_(orthogonalise(g + MOMENTUM * self.first) * (rate["muon"] * self.scale))
            return
        self.first.lerp_(g, 1 - BETA1)
        self.second.lerp_(g * g, 1 - BETA2)
        first, second = self.first / (1 - BETA1**step), self.second / (1 - BETA2**step)
        self.master.sub_(rate["adam"] * first / (second.sqrt() + EPSILON))


class Optimiser:
    """Rates and the step number are tensors: the whole step can stand in a CUDA graph."""

    def __init__(self, model, rounding_of, device):
        self.weights = [Weight(name, p, rounding_of(name)) for name, p in model.named_parameters()]
        self.rate = {"muon": torch.zeros((), device=device), "adam": torch.zeros((), device=device)}
        self.count = torch.zeros((), device=device)

    def set_rate(self, muon, adam):
        self.rate["muon"].fill_(muon)
        self.rate["adam"].fill_(adam)

    @torch.no_grad()
    def show(self, rounds=True):
        for weight in self.weights:
            weight.show(rounds)

    @torch.no_grad()
    def move(self):
        self.count += 1
        for weight in self.weights:
            weight.move(self.rate, self.count)
