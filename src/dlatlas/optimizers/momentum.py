"""Heavy-ball and Nesterov momentum, in PyTorch's convention: v <- mu v + g, no dampening."""

from collections.abc import Mapping
from typing import Any

from dlatlas.optimizers.rule import State, Tensors, UpdateRule, zeros


def _init(parameters: Tensors) -> State:
    return {"velocity": zeros(parameters)}


def _velocity(gradients: Tensors, state: State, hyper: Mapping[str, Any]) -> Tensors:
    return {name: hyper["momentum"] * state["velocity"][name] + g for name, g in gradients.items()}


def heavy_ball(
    gradients: Tensors, state: State, parameters: Tensors, hyper: Mapping[str, Any]
) -> tuple[Tensors, State]:
    """W <- w - lr v (Polyak 1964); on a quadratic stable up to curvature (2 + 2 mu) / lr."""
    velocity = _velocity(gradients, state, hyper)
    stepped = {name: value - hyper["lr"] * velocity[name] for name, value in parameters.items()}
    return stepped, {"velocity": velocity}


def nesterov(gradients: Tensors, state: State, parameters: Tensors, hyper: Mapping[str, Any]) -> tuple[Tensors, State]:
    """W <- w - lr (g + mu v) (Sutskever et al. 2013); stable up to (2 + 2 mu) / ((1 + 2 mu) lr)."""
    velocity = _velocity(gradients, state, hyper)
    stepped = {
        name: value - hyper["lr"] * (gradients[name] + hyper["momentum"] * velocity[name])
        for name, value in parameters.items()
    }
    return stepped, {"velocity": velocity}


MOMENTUM = UpdateRule(init=_init, update=heavy_ball)
NESTEROV = UpdateRule(init=_init, update=nesterov)
