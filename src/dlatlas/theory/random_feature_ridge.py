"""Ridge regression on random features: the exact test error of a linear teacher, in the proportional limit.

Features phi(x) = sigma(F x / sqrt d) / sqrt p with Gaussian x and F; labels y = <b, x> + noise, |b| = 1; the
estimator minimises sum (y - <a, phi>)^2 + ridge |a|^2. Expanded in Hermite polynomials, the kernel of infinitely many
features has one eigenvalue mu_0^2, d that share mu_1^2 (the linear part), d(d+1)/2 that share mu_2^2, and a tail
mu_*^2 so finely divided that it only acts as a ridge: the "effective noise" of the nonlinearity.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from dlatlas.errors import InputError

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda z: z,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0.0),
    "abs": np.abs,
}
"""The activations of the study, smooth but perhaps at 0."""


@dataclass(frozen=True)
class Masses:
    """Squared Hermite coefficients of an activation: of degree 0, 1, 2, and the sum of all higher ones."""

    constant: float
    linear: float
    quadratic: float
    rest: float

    @property
    def total(self) -> float:
        """The second moment E sigma(z)^2."""
        return self.constant + self.linear + self.quadratic + self.rest

    @property
    def linearity(self) -> float:
        """The linear part of the variance, r = (E sigma')^2 / Var sigma: 1 if linear, 0 if even.

        d'Ascoli, Sagun & Biroli define r with E sigma^2 alone, which is the same where E sigma = 0.
        """
        return self.linear / (self.total - self.constant)


@cache
def masses(activation: str) -> Masses:
    """The masses of a named activation, by quadrature on either side of 0.

    Raises:
        InputError: an activation that is not in ``ACTIVATIONS``.
    """
    if activation not in ACTIVATIONS:
        raise InputError(f"activation: expected one of {', '.join(ACTIVATIONS)}, found {activation!r}")
    x, weight = np.polynomial.legendre.leggauss(200)
    z = np.concatenate([6 * (x - 1), 6 * (x + 1)])  # (-12, 0) and (0, 12)
    weight = 6 * np.concatenate([weight, weight]) * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    s = ACTIVATIONS[activation](z)
    constant, linear, quadratic = (float(weight @ (h * s)) ** 2 for h in (np.ones_like(z), z, (z**2 - 1) / np.sqrt(2)))
    return Masses(constant, linear, quadratic, max(float(weight @ s**2) - constant - linear - quadratic, 0.0))


def excess_error(of: Masses, n: int, p: int, d: int, ridge: float, noise: float, members: float = 1) -> float:
    """E (f(x) - <b, x>)^2 of the mean of ``members`` predictors with the same data and their own features.

    With z(g) = sum_i l_i / (l_i + g), the eigenvalues l_i as above, g and k solve

        n = z + ridge / k,        p = z + p k / g.

    One predictor has the error [ sum_i (g / (l_i + g) - k l_i / (l_i + g)^2 p / (p - q)) v_i^2 + noise ]
    / (1 - (q (p - 2 z) + z^2) / (n (p - q))) - noise, with q = sum_i (l_i / (l_i + g))^2 and v_i the teacher; the mean
    of infinitely many is kernel ridge regression with the same g, which is the limit p -> infinity at the larger ridge
    g ridge / k. In between, the excess over that falls as 1 / members.

    Args:
        of: the activation's masses.
        n: training examples.
        p: features.
        d: dimension of x.
        ridge: positive.
        noise: variance of the noise in the labels.
        members: how many predictors are averaged.

    Raises:
        InputError: a ridge that is not positive.

    Source: Simon, Karkada, Ghosh & Belkin 2024 (arXiv 2311.14646), RF eigenframework; ensembles by Jacot et al. 2020
    (arXiv 2002.08404). It agrees with Mei & Montanari 2022 as n, p, d grow in proportion.
    """
    from scipy.optimize import brentq

    if ridge <= 0:
        raise InputError(f"ridge: expected a positive number, found {ridge}")
    pairs = d * (d + 1) / 2
    count = np.array([1.0, d, pairs])
    level = np.array([of.constant, of.linear / d, of.quadratic / pairs])
    count, level, teacher = (column[level > 1e-15] for column in (count, level, np.array([0.0, 1.0, 0.0])))
    lost = max(1.0 - float(teacher.sum()), 0.0)  # an even activation has no linear part: the teacher is out of reach

    def fitted(g: float) -> float:
        return float((count * level / (level + g)).sum() + of.rest / g)

    def surplus(log_g: float) -> float:  # both equations in one; grows with g, which is where z < n and z < p
        g = np.exp(log_g)
        z = fitted(g)
        return max(n - z, 0.0) * max(1 - z / p, 0.0) * g - ridge

    g = float(np.exp(brentq(surplus, -46.0, 46.0, xtol=1e-14)))
    z, share = fitted(g), level / (level + g)
    k, q = g * (1 - z / p), float((count * share**2).sum())
    bias = float(((g / (level + g) - k * level / (level + g) ** 2 * p / (p - q)) * teacher).sum()) + lost
    single = (bias + noise) / (1 - (q * (p - 2 * z) + z**2) / (n * (p - q))) - noise
    many = (float(((g / (level + g)) ** 2 * teacher).sum()) + lost + noise) / (1 - q / n) - noise
    return many + (single - many) / members
