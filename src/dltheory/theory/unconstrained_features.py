"""Minima of the unconstrained-features model with the squared loss, in closed form, and rates of its gradient flow.

Without bias the objective splits over singular pairs of the class structure: a class of n_k examples among N gets the
singular value max(0, 1 - c_k) of W H, with c_k = N sqrt(lambda_W lambda_H / n_k); for equal classes c = K sqrt(n
lambda_W lambda_H). Source: Tirer & Bruna 2022, theorem 3.1; the classes' own thresholds derived (a sum of K separate
problems, since one-hot targets of different classes are orthogonal).
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dltheory.models.unconstrained_features import problem

if TYPE_CHECKING:
    import xarray as xr

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


def minima(cube: "xr.Dataset") -> "xr.Dataset":
    """``shrinkage`` of each class, the same with one threshold for all as ``common``, and ``weight_energy``.

    Args:
        cube: with ``n``, the arguments of `problem` that are swept, and a dimension ``class``; NaN beyond K.
    """
    import xarray as xr

    n, most = int(cube["n"]), cube.sizes["class"]

    def minimum(classes: int, balance: str, c: float, ratio: float) -> Floats:
        case = problem(classes, n, most, c, ratio, False, balance == "skewed")
        penalties = case.weight_penalty, case.feature_penalty
        found = np.full((3, most), np.nan)
        found[0, :classes] = shrinkage(threshold(case.sizes, *penalties))
        found[1, :classes] = shrinkage(c)
        found[2, :classes] = weight_energy(n, c, *penalties)
        return found

    axes = [cube[name] for name in ("classes", "balance", "c", "ratio")]
    found = xr.apply_ufunc(minimum, *axes, vectorize=True, output_core_dims=[["kind", "class"]])
    names = enumerate(("shrinkage", "common", "weight_energy"))
    return xr.Dataset({name: found.isel(kind=kind) for kind, name in names}, {"class": cube["class"]})
