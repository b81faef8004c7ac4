"""A two-layer ReLU network of 2n + d weights that fits any n numbers at n different points exactly."""

import numpy as np
from numpy.typing import NDArray


def interpolant(
    x: NDArray[np.floating], y: NDArray[np.floating], rng: np.random.Generator
) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    """Direction ``(d,)``, biases ``(n,)`` and output weights ``(n,)`` of sum_j w_j relu(<a, x> - b_j) = y.

    Projections on a random direction are sorted and a bias is put below each of them, so that unit j sees the points
    from the j-th on: a triangular system. It is computed in the precision of ``x``, float64 for more than 100 points.

    Args:
        x: different points ``(n, d)``.
        y: what to fit ``(n,)``.
        rng: draws the direction.

    Returns:
        As above; the output weights are 0 where two projections are one in this precision.

    Source: Zhang, Bengio, Hardt, Recht & Vinyals 2017, theorem 1 and appendix C.
    """
    from scipy.linalg import LinAlgError, solve_triangular

    direction = rng.standard_normal(x.shape[1]).astype(x.dtype)
    along = x @ direction
    order = np.argsort(along)
    z = along[order]
    step = np.diff(z, prepend=z[0] - (z[1] - z[0] if len(z) > 1 else 1.0))
    biases = (z - step / 2).astype(x.dtype)
    system = np.maximum(z[:, None] - biases, 0)
    try:
        weights = solve_triangular(system, y[order], lower=True).astype(x.dtype)
    except LinAlgError:
        weights = np.zeros_like(biases)
    return direction, biases, weights


def residual(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    network: tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]],
) -> float:
    """The largest deviation of such a network from ``y``, in units of the largest of these."""
    direction, biases, weights = network
    outputs = np.maximum((x @ direction)[:, None] - biases, 0) @ weights
    return float(np.abs(outputs - y).max() / np.abs(y).max())
