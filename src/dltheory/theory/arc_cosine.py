"""Kernels of infinitely wide ReLU networks, and gradient flow in their eigenbasis on the circle."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def dual(cosine: ArrayLike) -> Floats:
    """2 E[relu(u) relu(v)] for unit Gaussians of that correlation: 1 at 1, the kernel of order 1.

    Source: Cho & Saul 2009, equation 6.
    """
    c = np.clip(np.asarray(cosine, dtype=float), -1, 1)
    return (np.sqrt(1 - c**2) + c * (np.pi - np.arccos(c))) / np.pi


def dual_of_slope(cosine: ArrayLike) -> Floats:
    """2 E[relu'(u) relu'(v)]: 1 at 1, the kernel of order 0.

    Source: Cho & Saul 2009, equation 5.
    """
    return 1 - np.arccos(np.clip(np.asarray(cosine, dtype=float), -1, 1)) / np.pi


def relu_kernel(x: Floats, z: Floats) -> Floats:
    """E relu(<w, x>) relu(<w, z>) with w ~ N(0, 1/d): that of infinitely many features relu(F x / sqrt d) / sqrt p.

    Args:
        x: inputs ``(n, d)``.
        z: inputs ``(m, d)``.

    Returns:
        ``(n, m)``.
    """
    lengths = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(z, axis=1)
    return lengths * dual(x @ z.T / lengths) / (2 * x.shape[1])


def two_layer_tangent_kernel(cosine: ArrayLike, outer_only: bool = False) -> Floats:
    """Tangent kernel of `dltheory.models.two_layer_tangent` for inputs (x, 1)/sqrt 2 of that correlation.

    Theta = Sigma' * c + Sigma (Jacot, Gabriel & Hongler 2018, theorem 1): first and second term from the hidden and
    the output weights.
    """
    cosine = np.asarray(cosine, dtype=float)
    return dual(cosine) + (0.0 if outer_only else 1.0) * cosine * dual_of_slope(cosine)


def circle_rates(n: int, harmonics: int, frequencies: ArrayLike, outer_only: bool = False) -> Floats:
    """Rates at which gradient flow on (1/2n)|f - y|^2 reduces the error of each frequency at n points of the circle.

    The kernel matrix is circulant; its eigenvalues over n are the discrete Fourier transform of its first row.
    """
    angle = 2 * np.pi * np.arange(n) / n
    inner = np.cos(np.arange(1, harmonics + 1) * angle[:, None]).mean(1)
    row = two_layer_tangent_kernel((inner + 1) / 2, outer_only)
    return np.fft.fft(row).real[np.asarray(frequencies)] / n
