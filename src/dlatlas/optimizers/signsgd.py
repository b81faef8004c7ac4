"""signSGD: w <- w - lr sign(g) (Bernstein et al., ICML 2018, algorithm 1)."""

from collections.abc import Mapping
from typing import Any

from dlatlas.optimizers.rule import State, Tensors, UpdateRule


def update(gradients: Tensors, state: State, parameters: Tensors, hyper: Mapping[str, Any]) -> tuple[Tensors, State]:
    """One step along the signs of the gradient."""
    return {name: value - hyper["lr"] * gradients[name].sign() for name, value in parameters.items()}, state


SIGNSGD = UpdateRule(init=lambda parameters: {}, update=update)
