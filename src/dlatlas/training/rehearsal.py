"""The first steps of two runs in a plain loop, and whether the stack's losses and gradients are the loop's."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlatlas.errors import UntrainableError
from dlatlas.optimizers.rule import Tensors
from dlatlas.training.build import Built
from dlatlas.training.feed import Given, by_worker
from dlatlas.training.plain import Batch, plain_run

STEPS = 3

LOOSE = {"float64": (1e-3, 1e-9), "float32": (0.02, 1e-5), "tf32": (0.1, 1e-3), "bf16": (0.2, 1e-2)}
"""Precision -> how far stack and loop may differ, of the number itself and at least. A fault of what is computed is of
the size of the number; rounding is far below, even where a unit's kink flips."""


class Rehearsal:
    """The plain loops beside a stack.

    Attributes:
        losses: run -> its losses before each step, with decay.
        copied: which of ``x`` and ``y`` the networks or the loss change in place, so that each step needs a copy.

    Args:
        built: the stack at its start; ``built.samples`` are the networks of the runs that are trained.
        given: what its first steps are given.
        words: what the update rule knows beside numbers.

    Raises:
        UntrainableError: a forward pass is no function of parameters, buffers and inputs, or changes them.
    """

    def __init__(self, built: Built, given: list[Given], words: Mapping[str, Any]) -> None:
        self.built, self._first = built, given[0]
        rows = list(built.samples)
        self._loops = {row: plain_run(built, row, [_batch(built, each, row) for each in given], words) for row in rows}
        self.losses = {row: loop.losses for row, loop in self._loops.items()}
        self.copied = set().union(*(loop.copied for loop in self._loops.values()))

    def compare(self, gradients: Callable[[list[int], tuple[Tensor, Tensor]], Tensors]) -> set[str]:
        """Compares the first gradients with the stack's.

        Args:
            gradients: (runs, their examples) -> the stack's gradients at its start, ``(run, ...)``.

        Returns:
            The parameters that get no gradient in any run, and that the update rule does not move by itself.

        Raises:
            UntrainableError: a gradient is another one, beyond rounding.
        """
        found = gradients(list(self._loops), self._examples(list(self._loops)))
        for place, loop in enumerate(self._loops.values()):
            _refuse_unlike(self.built, loop.gradients, {name: value[place] for name, value in found.items()})
        trained = set(self.built.trained)
        without = set.intersection(*(loop.without | trained - set(loop.gradients) for loop in self._loops.values()))
        if without:
            every = list(range(len(self.built.stack)))
            found = gradients(every, self._examples(every))
        return {name for name in without if not found[name].any()}

    def _examples(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        batches = [_batch(self.built, self._first, row) for row in rows]
        return torch.stack([each.x for each in batches]), torch.stack([each.y for each in batches])


def _batch(built: Built, given: Given, row: int) -> Batch:
    """What one run is given at one step."""
    if built.online is not None:
        x, y = (value[row] for value in given.batch)
    elif given.batch:
        x, y = (value.flatten(0, 1)[given.batch[0][row]] for value in (built.x, built.y))
    else:
        x, y = (value[built.which[row]] for value in (built.x, built.y))
    x, y = (by_worker(built, value[None])[0] for value in (x, y))
    return Batch(x, y, None if given.draws is None else given.draws[row], given.now)


def refuse_other_losses(built: Built, loop: Mapping[int, list[float]], first: int, losses: Tensor) -> None:
    """Compares the first losses of a training with the plain loop's.

    Args:
        built: the stack.
        loop: run -> its losses in the plain loop.
        first: the step of the first of ``losses``.
        losses: ``(step, run)``.

    Raises:
        UntrainableError: one differs beyond rounding, while the training is not about to diverge.
    """
    share, least = LOOSE[str(built.stack["precision"])]
    for row, expected in loop.items():
        for step, (there, here) in enumerate(zip(expected[first:], losses[:, row].tolist()), first):
            if not np.isfinite(there) or abs(there) > 10 * abs(expected[0]):
                break
            if not abs(here - there) <= share * max(abs(there), abs(expected[0])) + least:
                raise UntrainableError(
                    f"step {step}: the loss of the stack is {here:.6g}, of a plain loop {there:.6g}: forward, loss or "
                    "update rule is no function of what it is given, or uses a copy of a parameter"
                )


def _refuse_unlike(built: Built, loop: Tensors, stack: Tensors) -> None:
    """Compares the first gradients of one run with the stack's.

    Raises:
        UntrainableError: one of them is another vector, beyond rounding.
    """
    share, least = LOOSE[str(built.stack["precision"])]
    whole = sum(float(value.double().square().sum()) for value in loop.values()) ** 0.5
    if not np.isfinite(whole):
        return
    for name, expected in loop.items():
        size, apart = (float(value.double().norm()) for value in (expected, expected - stack[name]))
        if apart > share * size + share / 100 * whole + least:
            raise UntrainableError(
                f"parameter {name}: the gradient in a stack has norm {float(stack[name].double().norm()):.3g}, "
                f"in a plain loop {size:.3g}: forward uses a copy of it (made by nn.Parameter, ParameterDict.copy or a "
                "hook), which a stack does not see; use the parameter itself"
            )
