"""Minimum-norm least squares: what noise and signal cost, for n samples and p features.

The noise part of the excess risk is sigma^2 E tr(S (X^+ X^+T)), S the features' second moment.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def noise_bound(n: ArrayLike, p: ArrayLike) -> Floats:
    """Least noise part per sigma^2 of any features with a density and full rank: n/(p+1-n), or p/(n+1-p) for p < n.

    Source: Holzmueller 2021, theorem 3.
    """
    n, p = np.asarray(n, dtype=float), np.asarray(p, dtype=float)
    return np.minimum(n, p) / (np.maximum(n, p) + 1 - np.minimum(n, p))


def gaussian_noise(n: ArrayLike, p: ArrayLike) -> Floats:
    """That of isotropic Gaussian features, exactly: n/(p-n-1), or p/(n-p-1); infinite for |p - n| <= 1.

    Source: mean of the inverse Wishart distribution; Hastie, Montanari, Rosset & Tibshirani 2022, theorem 1, for n, p
    -> infinity.
    """
    n, p = np.asarray(n, dtype=float), np.asarray(p, dtype=float)
    gap = np.abs(p - n) - 1
    return np.where(gap > 0, np.minimum(n, p) / np.where(gap > 0, gap, 1), np.inf)


def gaussian_bias(n: ArrayLike, p: ArrayLike) -> Floats:
    """The part of an isotropic signal of norm 1 that is not seen, exactly: max(0, 1 - n/p)."""
    return np.maximum(0.0, 1 - np.asarray(n, dtype=float) / np.asarray(p, dtype=float))
