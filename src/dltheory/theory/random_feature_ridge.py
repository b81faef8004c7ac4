"""Ridge regression on random features: the exact test error of a linear teacher, in the proportional limit.

Features phi(x) = sigma(F x / sqrt d) / sqrt p with Gaussian x and F; labels y = <b, x> + noise, |b| = 1; the
estimator minimises sum (y - <a, phi>)^2 + ridge |a|^2. Expanded in Hermite polynomials, the kernel of infinitely many
features has one eigenvalue mu_0^2, d that share mu_1^2 (the linear part), d(d+1)/2 that share mu_2^2, and a tail
mu_*^2 so finely divided that it only acts as a ridge: the "effective noise" of the nonlinearity.
"""

from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from dlatlas.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

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


@dataclass(frozen=True)
class Limit:
    """The proportional limit before the noise is chosen.

    The error of one predictor is (bias + noise) factor - noise, that of the mean over features (floor + noise)
    factor_of_many - noise, that of the mean over features and samples floor.
    """

    bias: float
    factor: float
    floor: float
    factor_of_many: float


@cache
def limit(of: Masses, n: int, p: float, d: int, ridge: float) -> Limit:
    """What `excess_error` says of one predictor and of infinitely many, before the noise is chosen.

    Raises:
        InputError: a ridge that is not positive.
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
    floor = float(((g / (level + g)) ** 2 * teacher).sum()) + lost
    return Limit(bias, 1 / (1 - (q * (p - 2 * z) + z**2) / (n * (p - q))), floor, 1 / (1 - q / n))


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
    one = limit(of, n, p, d, ridge)
    single = (one.bias + noise) * one.factor - noise
    many = (one.floor + noise) * one.factor_of_many - noise
    return many + (single - many) / members


@dataclass(frozen=True)
class Parts:
    """The error of one predictor f(x; features, data, noise) as a sum, each averaged over x.

    Attributes:
        noise: E over features and data of the variance over the labels' noise.
        init: E over data of the variance over features of the mean over noise.
        sampling: variance over data of the mean over features and noise.
        bias: squared error of the mean over all three.
    """

    noise: float
    init: float
    sampling: float
    bias: float


def error_parts(of: Masses, n: int, p: float, d: int, ridge: float, noise: float) -> Parts:
    """The four parts of `excess_error` of one predictor, which it equals in sum; arguments as there, any positive p.

    The error is affine in the noise, and its slope is the noise's part. Without noise the mean over features has the
    error sampling + bias, so init is what one predictor has beyond it; and on eigenfunction i the mean over everything
    is l_i / (l_i + g) v_i, so bias is sum_i (g / (l_i + g))^2 v_i^2. At n = p and ridge -> 0 noise and init grow as
    ridge^(-1/2), since there 1 / factor -> 2 (ridge / (p g))^(1/2). Without ridge and for p > n, g no longer depends on
    p, nor do sampling and bias, while init = x n / (p - n) and noise = noise (q / (n - q) + n / (p - n)) with
    x = sum_i g / (l_i + g) v_i^2; for p < n, noise = noise p / (n - p).

    Raises:
        InputError: a ridge that is not positive.

    Source: the parts as d'Ascoli, Refinetti, Biroli & Krzakala 2020 define them; values by Simon et al. 2024.
    """
    found = limit(of, n, p, d, ridge)
    average = found.floor * found.factor_of_many  # error of the mean over features, without noise
    return Parts(
        noise=noise * (found.factor - 1),
        init=found.bias * found.factor - average,
        sampling=average - found.floor,
        bias=found.floor,
    )


def relu_parts(cube: "xr.Dataset") -> "xr.Dataset":
    """`error_parts` of ReLU features and their sum ``error``, over the ``ratio`` p / n and ``ridge`` of a cube.

    Args:
        cube: with ``n``, ``d`` and the noise's ``variance`` besides; p need not be whole.
    """
    import xarray as xr

    of, n, d, variance = masses("relu"), int(cube["n"]), int(cube["d"]), float(cube["variance"])
    names = [field.name for field in fields(Parts)]
    parts = xr.apply_ufunc(
        lambda ratio, ridge: astuple(error_parts(of, n, n * ratio, d, ridge, variance)),
        cube["ratio"], cube["ridge"], vectorize=True, output_core_dims=[[]] * len(names),
    )  # fmt: skip
    return xr.Dataset({**dict(zip(names, parts)), "error": sum(parts)})


def effective_ridge(eigenvalues: np.ndarray, p: int, ridge: float) -> float:
    """The ridge r = ridge + r/p tr K (K + r)^-1 at which a kernel's predictor is the mean over p random features.

    Args:
        eigenvalues: of the kernel matrix K of infinitely many features, not all zero.
        p: features.
        ridge: positive.

    Raises:
        InputError: a ridge that is not positive.

    Source: Jacot, Simsek, Spadaro, Hongler & Gabriel 2020 (arXiv 2002.08404); the equation as their published code
    (berfinsimsek/random-features-predictor) solves it, and checked here by simulation.
    """
    from scipy.optimize import brentq

    if ridge <= 0:
        raise InputError(f"ridge: expected a positive number, found {ridge}")
    values = np.asarray(eigenvalues, dtype=float)
    highest = ridge + values.sum() / p  # since r / p tr K (K + r)^-1 <= tr K / p
    return float(brentq(lambda r: r - ridge - r / p * (values / (values + r)).sum(), ridge, highest, xtol=1e-16))
