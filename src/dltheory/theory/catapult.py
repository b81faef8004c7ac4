"""Gradient descent on a two-layer linear network with one sample, reduced exactly to two numbers."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

EDGE, MAXIMUM = 2.0, 4.0
"""Step sizes in units of 1 / lambda_0 at which the catapult phase begins, and beyond which training diverges."""
RELU_MAXIMUM = 12.0
"""The same for networks of ReLUs: no theorem, an observation of Lewkowycz et al. 2020 (arXiv 2003.02218)."""


def catapult_map(
    f: ArrayLike, kernel: ArrayLike, lr: ArrayLike, width: ArrayLike, steps: int
) -> dict[str, NDArray[np.float64]]:
    """Iterates ``f <- (1 - h k + h^2 f^2 / n) f``, ``k <- k + (h f^2 / n)(h k - 4)`` (h = lr, k = kernel, n = width).

    This is full-batch gradient descent on ``f^2 / 2``, ``f = n^(-1/2) v . u``, with ``k = (|u|^2 + |v|^2) / n``:
    exact at every width. While h k < 4 the kernel falls, and |f| <= n^(1/2) k / 2 (arithmetic and geometric mean)
    keeps the loss below n k_0^2 / 8; once h k > 4 the kernel grows for ever.

    Source: Lewkowycz et al. 2020 (arXiv 2003.02218), the warm-up model; tested against descent on the weights.

    Args:
        f: initial outputs; this and the next three broadcast against each other.
        kernel: initial tangent kernel, in outputs^2.
        lr: step size.
        width: n.
        steps: updates.

    Returns:
        ``f`` and ``kernel`` after the last step (NaN where they overflow), ``peak`` and ``peak_step``, the largest
        loss before any update and its step.
    """
    f, kernel, lr, width = (np.array(a, dtype=float) for a in np.broadcast_arrays(f, kernel, lr, width))
    peak, peak_step = np.full(f.shape, -np.inf), np.zeros(f.shape, dtype=int)
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(steps):
            loss = f**2 / 2
            peak_step = np.where(loss > peak, step, peak_step)
            peak = np.fmax(peak, loss)
            push = lr * f**2 / width
            f, kernel = (1 - lr * kernel + lr * push) * f, kernel + push * (lr * kernel - 4)
    finite = np.isfinite(f) & np.isfinite(kernel)
    ended = {"f": f, "kernel": kernel, "peak": peak}
    return {**{name: np.where(finite, value, np.nan) for name, value in ended.items()}, "peak_step": peak_step}
