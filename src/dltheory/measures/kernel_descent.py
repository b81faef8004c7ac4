"""How far trained networks are from gradient descent with a kernel that does not change."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dlatlas.measures.trained import Trained
from dltheory.theory.lazy import linearised_descent


def kernel_descent_gap(trained: Trained, kernels: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Root mean squared distance of test outputs from descent with a fixed kernel from the same start, ``(run,)``.

    Args:
        trained: a stack with one output, trained by full-batch descent on ``half_mse`` at the step size ``lr``.
        kernels: ``(run, n + m, n + m)`` of n training inputs and then m test inputs.
        steps: how many updates were done.
    """
    initial = replace(trained, parameters=trained.initial)
    start, start_test, end_test = (
        stack.outputs(split)[..., 0].numpy()
        for stack, split in ((initial, "train"), (initial, "test"), (trained, "test"))
    )
    off = trained.stacked_targets()[..., 0].numpy() - start
    n, rates = off.shape[1], trained.hyper["lr"].numpy()
    moved = [
        linearised_descent(kernel[:n, :n], kernel[n:, :n], off[run], float(rates[run]), np.array([steps]))[-1]
        for run, kernel in enumerate(kernels)
    ]
    return np.sqrt(np.mean((end_test - start_test - moved) ** 2, axis=1))
