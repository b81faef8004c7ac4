"""Adam (Kingma & Ba, ICLR 2015, algorithm 1), with ``momentum`` as beta_1."""

from collections.abc import Mapping
from typing import Any

from dlatlas.optimizers.rule import State, Tensors, UpdateRule, zeros


def update(gradients: Tensors, state: State, parameters: Tensors, hyper: Mapping[str, Any]) -> tuple[Tensors, State]:
    """One step with bias-corrected moments."""
    beta1, beta2, step = hyper["momentum"], hyper["beta2"], hyper["step"]
    first, second, stepped = {}, {}, {}
    for name, g in gradients.items():
        first[name] = beta1 * state["first"][name] + (1 - beta1) * g
        second[name] = beta2 * state["second"][name] + (1 - beta2) * g * g
        mean = first[name] / (1 - beta1**step)
        scale = (second[name] / (1 - beta2**step)).sqrt() + hyper["eps"]
        stepped[name] = parameters[name] - hyper["lr"] * mean / scale
    return stepped, {"first": first, "second": second}


ADAM = UpdateRule(init=lambda parameters: {"first": zeros(parameters), "second": zeros(parameters)}, update=update)
