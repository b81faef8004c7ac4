"""Momentum that accelerates the dual: on the log of the exponential loss it reaches the largest margin as 1/t^2.

g <- b (g + grad), w <- w - lr (g + grad), with b = (t - 1) / t at step t.

Source: Ji, Srebro & Telgarsky 2021 (arXiv 2107.00595), algorithm 1.
"""

from collections.abc import Mapping
from typing import Any

from dlatlas.optimizers.rule import State, Tensors, UpdateRule, zeros


def update(gradients: Tensors, state: State, parameters: Tensors, hyper: Mapping[str, Any]) -> tuple[Tensors, State]:
    """One step."""
    share = (hyper["step"] - 1) / hyper["step"]
    held = {name: share * (value + gradients[name]) for name, value in state["momentum"].items()}
    moved = {name: w - hyper["lr"] * (held[name] + gradients[name]) for name, w in parameters.items()}
    return moved, {"momentum": held}


DUAL_ACCELERATION = UpdateRule(init=lambda parameters: {"momentum": zeros(parameters)}, update=update)
