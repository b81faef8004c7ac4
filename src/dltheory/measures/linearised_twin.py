"""Two-layer networks against their own linearisation at initialisation, trained for as many steps in closed form."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltheory.theory.lazy import linearised_descent, two_layer_kernel

STOPS = 2.0 ** np.arange(0, 21)
"""Stopping times of the kernel method, in steps; the best is taken."""


def linearised_twin(trained: Any, stack: Any) -> dict[str, NDArray[np.float64]]:  # noqa: ANN401
    """How far the units moved, and the descent of the linearised twin.

    Args:
        trained: a stack of `ScaledTwoLayer`, with one output and a test set.
        stack: with ``rate``, the step size of the twin, and ``steps``.

    Returns:
        ``unit_change``, the mean of |w - w_0| / |w_0| over units; ``linear_gap``, the root mean squared distance of
        test outputs from the twin's; ``kernel_test_loss``, the twin's at the best of `STOPS`; all ``(run,)``, the last
        two NaN before the first step.
    """
    x, y = (part.numpy() for part in trained.data())
    x_test, y_test = (part.numpy() for part in trained.data("test"))
    outputs = trained.outputs("test")[..., 0].numpy()
    now, then = ({key: part.numpy() for key, part in p.items()} for p in (trained.parameters, trained.initial))
    moved = np.linalg.norm(now["w"] - then["w"], axis=-1) / np.linalg.norm(then["w"], axis=-1)
    gap, best = np.full((2, len(stack)), np.nan)
    trained_at_all = not np.array_equal(now["a"], then["a"])  # at step 0 there is nothing to compare
    for run in range(len(stack) if trained_at_all else 0):
        data = [part if trained.shared_data else part[run] for part in (x, x_test, y, y_test)]
        unit, moves = (then["w"][run], then["a"][run]), float(trained.buffers["moves"][run])
        stops = np.append(STOPS, int(stack["steps"]))
        kernels = (two_layer_kernel(z, data[0], *unit, moves) for z in data[:2])
        twin = linearised_descent(*kernels, data[2][:, 0], float(stack["rate"][run]), stops)
        gap[run] = np.sqrt(np.mean((outputs[run] - twin[-1]) ** 2))
        best[run] = np.min(np.mean((twin[:-1] - data[3][:, 0]) ** 2, axis=1)) / 2
    return {"unit_change": moved.mean(axis=1), "linear_gap": gap, "kernel_test_loss": best}
