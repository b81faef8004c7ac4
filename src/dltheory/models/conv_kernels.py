"""Kernels of convolutional layers, drawn at random."""

import numpy as np
from numpy.typing import NDArray

KERNELS = {
    "gaussian": "independent Gaussian weights",
    "gabor": "oriented waves under a bell, each of random size, as trained networks have them",
}


def drawn(kind: str, m: int, k: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """One kernel of m channels in and out and side k, ``(m, m, k, k)``."""
    weights = rng.standard_normal((m, m, k, k))
    if kind == "gaussian":
        return weights
    angle, phase = rng.uniform(0, 2 * np.pi, (2, m, m, 1, 1))
    wave = rng.uniform(0, np.pi / 2, (m, m, 1, 1))
    y, x = np.meshgrid(*2 * [np.arange(k) - (k - 1) / 2], indexing="ij")
    bell = np.exp(-(x**2 + y**2) / (2 * (k / 3) ** 2))
    return weights[..., :1, :1] * bell * np.cos(wave * (np.cos(angle) * x + np.sin(angle) * y) + phase)
