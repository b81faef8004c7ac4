"""Gradient descent: w <- w - lr g."""

from collections.abc import Mapping
from typing import Any

from dlatlas.optimizers.rule import State, Tensors, UpdateRule


def update(gradients: Tensors, state: State, parameters: Tensors, hyper: Mapping[str, Any]) -> tuple[Tensors, State]:
    """One step of plain (stochastic) gradient descent."""
    return {name: value - hyper["lr"] * gradients[name] for name, value in parameters.items()}, state


SGD = UpdateRule(init=lambda parameters: {}, update=update)
