"""Random features of Gaussian inputs, with the second moment of each near 1."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEATURES = {
    "gaussian": "independent Gaussian features",
    "tanh": "tanh of random projections of ten inputs",
    "cos": "cosines of random projections of ten inputs with random phases",
    "one_hot": "one of p categories: no density",
}
INPUTS = 10


def drawn(name: str, p: int, sizes: tuple[int, ...], rng: np.random.Generator) -> list[Floats]:
    """Feature matrices ``(size, p)`` of independent samples under one feature map."""
    if name == "gaussian":
        return [rng.standard_normal((size, p)) for size in sizes]
    if name == "one_hot":
        return [np.sqrt(p) * np.eye(p)[rng.integers(p, size=size)] for size in sizes]
    weights = rng.standard_normal((INPUTS, p)) / (1.0 if name == "cos" else np.sqrt(INPUTS))
    phases = rng.uniform(0, 2 * np.pi, p)
    inputs = [rng.standard_normal((size, INPUTS)) for size in sizes]
    if name == "cos":
        return [np.sqrt(2.0) * np.cos(x @ weights + phases) for x in inputs]
    return [np.tanh(x @ weights) / 0.628 for x in inputs]  # root mean square of the tanh of a standard normal
