"""Kernels of infinitely wide networks, by recursion over layers, for any activation whose duals are known."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dltheory.theory import arc_cosine

Floats = NDArray[np.float64]
Dual = Callable[[Floats, Floats, Floats], Floats]


@dataclass(frozen=True)
class Activation:
    """An activation phi as infinitely wide networks see it.

    Attributes:
        gain: c, by which the variance of weights is multiplied.
        dual: (k12, k11, k22) -> E phi(u) phi(v) for (u, v) Gaussian of that covariance.
        slope_dual: the same of phi'(u) phi'(v).
    """

    gain: float
    dual: Dual
    slope_dual: Dual


def _relu(k12: Floats, k11: Floats, k22: Floats) -> Floats:
    size = np.sqrt(k11 * k22)
    return size * arc_cosine.dual(k12 / size) / 2


def _relu_slope(k12: Floats, k11: Floats, k22: Floats) -> Floats:
    return arc_cosine.dual_of_slope(k12 / np.sqrt(k11 * k22)) / 2


def _erf(k12: Floats, k11: Floats, k22: Floats) -> Floats:
    return 2 / np.pi * np.arcsin(2 * k12 / np.sqrt((1 + 2 * k11) * (1 + 2 * k22)))


def _erf_slope(k12: Floats, k11: Floats, k22: Floats) -> Floats:
    return 4 / np.pi / np.sqrt((1 + 2 * k11) * (1 + 2 * k22) - 4 * k12**2)


ACTIVATIONS = {
    "relu": Activation(2.0, _relu, _relu_slope),  # Cho & Saul 2009
    "erf": Activation(1.0, _erf, _erf_slope),  # Williams 1998
}


def limit_kernels(x: Floats, depth: int, activation: str, bias: float = 0.0) -> tuple[Floats, Floats]:
    """Covariance of outputs at the start (NNGP) and tangent kernel (NTK) of `dlatlas.models.tangent_mlp`, ``(n, n)``.

    Args:
        x: inputs ``(n, d)``.
        depth: hidden layers; the catalogue's L counts one more.
        activation: a key of ``ACTIVATIONS``.
        bias: standard deviation of the biases' share beta.

    Source: Jacot, Gabriel & Hongler 2018 (arXiv 1806.07572), proposition 1 and theorem 1.
    """
    phi = ACTIVATIONS[activation]
    sigma = x @ x.T / x.shape[1] + bias**2
    theta = sigma
    for _ in range(depth):
        size = np.diag(sigma)
        each = sigma, size[:, None], size[None, :]
        slope = phi.gain * phi.slope_dual(*each)
        sigma = phi.gain * phi.dual(*each) + bias**2
        theta = theta * slope + sigma
    return sigma, theta
