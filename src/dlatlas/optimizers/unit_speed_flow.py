"""Gradient flow followed to times that constant steps never reach: steps of one length, and a clock that adds up."""

from collections.abc import Mapping
from typing import Any

from dlatlas.optimizers.rule import State, Tensors, UpdateRule

CLOCK = "clock"
"""The parameter, without influence on the output, in which the time of the flow is kept."""


def update(gradients: Tensors, state: State, parameters: Tensors, hyper: Mapping[str, Any]) -> tuple[Tensors, State]:
    """One Euler step of dw/dtime = -g of length lr, which takes the time lr / |g|.

    Where the loss dies as exp(-s) the time grows as exp(s), so ``ln time`` grows by a constant a step. The curve is
    that of the flow up to O(lr times curvature / |g|).
    """
    squares = sum(value.square().sum() for name, value in gradients.items() if name != CLOCK)
    step = hyper["lr"] / squares.sqrt()
    moved = {name: value - step * gradients[name] for name, value in parameters.items() if name != CLOCK}
    return {**moved, CLOCK: parameters[CLOCK] + step}, state


UNIT_SPEED_FLOW = UpdateRule(init=lambda parameters: {}, update=update)
