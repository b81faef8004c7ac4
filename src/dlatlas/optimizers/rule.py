"""What an update rule is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

Tensors = dict[str, Tensor]
State = dict[str, Tensors]


@dataclass(frozen=True)
class UpdateRule:
    """One step of an optimiser as a pure function of one run; the engine maps it over the stack.

    Attributes:
        init: parameters -> state, zeros of their shapes.
        update: (gradients, state, parameters, hyper) -> (parameters, state). ``hyper`` holds every numeric
            hyper-parameter as a scalar tensor, which may differ from run to run, the words of the stack as they are,
            ``step`` (1 at the first) and, where ``draws`` is set, ``draws``.
        draws: how many uniform numbers a step it needs, from (shared hyper-parameters, number of parameters).
        per_worker: True if it wants gradients with a leading worker axis, ``(worker, ...)``.
    """

    init: Callable[[Tensors], State]
    update: Callable[[Tensors, State, Tensors, Mapping[str, Any]], tuple[Tensors, State]]
    draws: Callable[[Mapping[str, Any], int], tuple[int, ...]] | None = None
    per_worker: bool = False


def zeros(parameters: Tensors) -> Tensors:
    """Zeros in the shapes of the parameters."""
    return {name: value.new_zeros(value.shape) for name, value in parameters.items()}
