"""Large steps: descent on a two-layer linear network with one sample, reduced exactly to two numbers; bounds beyond."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import xarray as xr

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


def flattest(cube: "xr.Dataset", shortest: float = 0.5) -> "xr.Dataset":
    """Where a network of any depth may land: ``bound``, the largest stable curvature over lambda_0, 2 / (eta lambda_0).

    Besides ``at_equal_time``, weights of the kept steps that read a variable off at the eta t which the smallest eta
    lambda_0 reaches in all ``steps``: linear in ln t, and nothing is read off at step 0.

    Args:
        cube: of runs with ``eta_lambda0`` and ``steps``, and a dimension ``step``.
        shortest: the smallest eta lambda_0.

    Source: linear stability of descent at a minimum; Lewkowycz et al. 2020 (arXiv 2003.02218).
    """
    rate, kept = cube["eta_lambda0"], cube["step"].values.clip(min=0.5)
    due = int(cube["steps"]) * shortest / rate.values
    weights = np.array([[np.interp(np.log(t), np.log(kept), row) for row in np.eye(len(kept))] for t in due])
    return (EDGE / rate).to_dataset(name="bound").assign(at_equal_time=((*rate.dims, "step"), weights))
