"""Mirror descent with the potential sum_i |w_i|^p / p: its gradient sign(w) |w|^(p-1) takes the steps.

Source: p-GD of Sun, Gatmiry, Ahn & Azizan 2023 (arXiv 2306.13853), equation 2.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from dlatlas.optimizers.orders import ORDERS
from dlatlas.optimizers.rule import State, Tensors, UpdateRule


def update(gradients: Tensors, state: State, parameters: Tensors, hyper: Mapping[str, Any]) -> tuple[Tensors, State]:
    """One step of length lr t^-decay in the dual of ``hyper["norm"]``."""
    power = ORDERS[hyper["norm"]] - 1
    lr = hyper["lr"] * hyper["step"] ** -hyper["decay"]
    return {
        name: signed_power(signed_power(value, power) - lr * gradients[name], 1 / power)
        for name, value in parameters.items()
    }, state


def signed_power(w: Tensor, power: float) -> Tensor:
    """sign(w) |w|^power."""
    return w.sign() * w.abs() ** power


MIRROR_DESCENT = UpdateRule(init=lambda parameters: {}, update=update)
