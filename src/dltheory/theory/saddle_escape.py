"""Escape from a strict saddle: exact mean exit time of the unstable direction, and the limit law of the time.

dX = -grad F dt + sqrt(2/beta) dW with F = (-lam x_1^2 + lam (x_2^2 + ... + x_d^2)) / 2, started at the saddle. In units
of R and 1/lam everything depends on b = beta lam R^2 alone: dx_1 = x_1 dt + sqrt(2/b) dW, so x_1(t) = e^t Z_t with Z_t
of variance (1 - e^(-2t)) / b, which freezes after the first units of time. From there on x_1 grows as in gradient flow:
the time to |x_1| = 1 is log(b)/2 - log|Z| with a standard normal Z, and an error of order 1/b.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]


def mean_exit_time(b: ArrayLike) -> Array:
    """Exact mean time [1/lam] at which |x_1| = R, from x_1 = 0.

    u'' / b + x u' = -1 with u'(0) = u(1) = 0 (Gardiner, Handbook of Stochastic Methods, section 5.2.7) gives
    b int_0^1 int_0^y exp(b (z^2 - y^2) / 2) dz dy = 2 int_0^sqrt(b/2) D(v) dv, D Dawson's function.

    Args:
        b: beta lam R^2, any shape.

    Returns:
        Times in b's shape, by Gauss-Legendre quadrature in log-spaced cells; relative error below 1e-10.
    """
    from scipy.special import dawsn

    end = np.sqrt(np.asarray(b, dtype=float) / 2)[..., None, None]
    nodes, weights = np.polynomial.legendre.leggauss(12)
    edges = np.concatenate([[0.0], np.geomspace(1e-7, 1.0, 65)])  # D lives at v of order 1, which may be far below end
    width = np.diff(edges)[:, None]
    at = edges[:-1, None] + width * (nodes + 1) / 2
    return (end * dawsn(end * at) * weights * width).sum((-2, -1))


def leading_time(b: ArrayLike) -> Array:
    """log(b)/2, the part of the mean time [1/lam] that grows."""
    return np.log(np.asarray(b, dtype=float)) / 2


CONSTANT = (np.euler_gamma + math.log(2)) / 2
"""E[-log|Z|] = 0.635: the mean time is log(b)/2 + CONSTANT - 1/(2b) + O(1/b^2), D(v) being 1/(2v) + 1/(4v^3) + ..."""


def limit_law(t: ArrayLike, b: ArrayLike) -> Array:
    """P(time <= t) = P(|Z| >= sqrt(b) e^(-t)), the limit law of the exit time [1/lam] for b to infinity.

    Args:
        t: times in 1/lam.
        b: beta lam R^2, of a shape that goes with t's.

    Returns:
        Probabilities; log(b)/2 only shifts them. Their density at log(b)/2 + s is sqrt(2/pi) e^(-s) exp(-e^(-2s)/2).
    """
    from scipy.special import erfc

    return erfc(np.sqrt(np.asarray(b, dtype=float) / 2) * np.exp(-np.asarray(t, dtype=float)))


def mean_fall_time(b: ArrayLike, d: int) -> Array:
    """Mean time [1/lam] at which F is lam R^2 / 2 below the saddle, in d dimensions, to first order in 1/b.

    That is where x_1^2 = 1 + rho, rho the squared norm of the d - 1 stable coordinates. They are in equilibrium by then
    and independent of x_1, b rho a chi square: T = exact time + E log(1 + rho) / 2, so (d - 1)/(2b) later at large b.
    """
    from scipy.stats import chi2

    b = np.asarray(b, dtype=float)
    level = (np.arange(4000) + 0.5) / 4000
    return mean_exit_time(b) + np.log1p(chi2.ppf(level, d - 1) / b[..., None]).mean(-1) / 2


def mean_well_time(b: ArrayLike) -> Array:
    """Exact mean time [1/lam] to |x| = R from the bottom of a well lam x^2 / 2: exponential in the barrier b/2.

    The same double integral with the sign of F turned, b int_0^1 int_0^y exp(b (y^2 - z^2) / 2) dz dy; infinite where
    it overflows.
    """
    from scipy.special import erf

    b = np.asarray(b, dtype=float)[..., None, None]
    nodes, weights = np.polynomial.legendre.leggauss(12)
    edges = 1 - np.concatenate([np.geomspace(1.0, 1e-7, 65), [0.0]])  # the end, where exp(b y^2 / 2) lives
    width = np.diff(edges)[:, None]
    at = edges[:-1, None] + width * (nodes + 1) / 2
    with np.errstate(over="ignore"):
        inner = np.sqrt(np.pi / (2 * b)) * erf(np.sqrt(b / 2) * at)
        return (b * np.exp(b * at**2 / 2) * inner * weights * width / 2).sum((-2, -1))


def laws(cube: "xr.Dataset") -> "xr.Dataset":
    """Of a cube's ``lam``, ``beta`` (R = 1), ``time`` and ``withheld``: mean times [1/lam] and laws of the time.

    Returns:
        ``exact_time``, its ``leading_order``, ``fall`` in 20 dimensions and ``time_out_of_a_well``; ``limit``, the
        limit law, ``there`` one less it, and ``exponential`` one less the law of barriers; ``delay`` log(withheld)/2.
    """
    import xarray as xr

    b = cube["lam"] * cube["beta"]
    means = {
        "exact_time": mean_exit_time(b),
        "leading_order": leading_time(b),
        "fall": mean_fall_time(b, 20),
        "time_out_of_a_well": mean_well_time(b),
    }
    found = xr.Dataset({name: (b.dims, values) for name, values in means.items()}, b.coords)
    limit = xr.apply_ufunc(limit_law, cube["time"], b)
    exponential = np.exp(-cube["time"] / found["exact_time"])
    return found.assign(limit=limit, there=1 - limit, exponential=exponential, delay=np.log(cube["withheld"]) / 2)
