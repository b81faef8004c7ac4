"""Minima of the unconstrained-features model with the squared loss, in closed form, and rates of its gradient flow.

Without bias the objective splits over singular pairs of the class structure: a class of n_k examples among N gets the
singular value max(0, 1 - c_k) of W H, with c_k = N sqrt(lambda_W lambda_H / n_k); for equal classes c = K sqrt(n
lambda_W lambda_H). Source: Tirer & Bruna 2022, theorem 3.1; the classes' own thresholds derived (a sum of K separate
problems, since one-hot targets of different classes are orthogonal).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def threshold(sizes: ArrayLike, weight_penalty: ArrayLike, feature_penalty: ArrayLike) -> Floats:
    """c_k = N sqrt(lambda_W lambda_H / n_k) of each class, ``(class,)``; a class is learnt if it is below 1."""
    sizes = np.asarray(sizes, dtype=float)
    return sizes.sum() * np.sqrt(np.asarray(weight_penalty) * np.asarray(feature_penalty) / sizes)


def shrinkage(c: ArrayLike) -> Floats:
    """S = max(0, 1 - c), the singular value of the network's output on a class, in units of its target."""
    return np.maximum(0.0, 1 - np.asarray(c, dtype=float))


def weight_energy(n: ArrayLike, c: ArrayLike, weight_penalty: ArrayLike, feature_penalty: ArrayLike) -> Floats:
    """Square of the singular values of W, sqrt(n lambda_H / lambda_W) (1 - c)."""
    ratio = np.asarray(n, dtype=float) * np.asarray(feature_penalty) / np.asarray(weight_penalty)
    return np.sqrt(ratio) * shrinkage(c)


def decay_rates(W: Floats, examples: int, feature_penalty: float) -> Floats:
    """Rates s_i^2 / N + lambda_H of features about their class means, along the right singular vectors of W ``(d,)``.

    Source: the gradient flow of H at fixed W is linear, delta' = -(W'W / N + lambda_H) delta (Tirer & Bruna 2022,
    section 5); directions outside the row space of W decay with lambda_H.
    """
    values = np.zeros(W.shape[1])
    found = np.linalg.svd(W, compute_uv=False)
    values[: len(found)] = found
    return values**2 / examples + feature_penalty
