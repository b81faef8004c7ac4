"""Steepest descent in an l_p norm: w <- w - lr t^-decay |g|_q v, where v has unit l_p norm and v.g = |g|_q.

1/p + 1/q = 1. For l1 it moves the coordinate of the largest gradient alone, for l2 it is gradient descent, for linf it
is the sign of the gradient times the gradient's l1 norm.

Source: Gunasekar, Lee, Soudry & Srebro 2018 (arXiv 1802.08246), equation 6.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dlatlas.optimizers.orders import ORDERS
from dlatlas.optimizers.rule import State, Tensors, UpdateRule


def update(gradients: Tensors, state: State, parameters: Tensors, hyper: Mapping[str, Any]) -> tuple[Tensors, State]:
    """One step in the geometry ``hyper["norm"]``, over all parameters together."""
    flat = torch.cat([value.flatten() for value in gradients.values()])
    moved = steepest(flat, ORDERS[hyper["norm"]]).split([value.numel() for value in gradients.values()])
    lr = hyper["lr"] * hyper["step"] ** -hyper["decay"]
    return {
        name: value - lr * part.reshape(value.shape) for (name, value), part in zip(parameters.items(), moved)
    }, state


def steepest(g: Tensor, p: float) -> Tensor:
    """|g|_q v: the direction ``(d,)`` of l_p norm |g|_q whose product with g is |g|_q^2."""
    if p == 1:
        return torch.where(torch.arange(len(g), device=g.device) == g.abs().argmax(), g, torch.zeros_like(g))
    if p == float("inf"):
        return g.abs().sum() * g.sign()
    q = p / (p - 1)
    top = g.abs().amax().clamp(min=torch.finfo(g.dtype).tiny)  # of order one, no power over- or underflows
    share = g.abs() / top
    return top * g.sign() * share ** (q - 1) * share.pow(q).sum().clamp(min=1) ** ((2 - q) / q)


STEEPEST_DESCENT = UpdateRule(init=lambda parameters: {}, update=update)
