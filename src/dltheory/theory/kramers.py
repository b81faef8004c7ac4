"""Escape over a barrier: exact mean first-passage times beside Kramers' and Eyring's asymptotic formula.

Overdamped Langevin motion dX = -grad V dt + sqrt(2/beta) dW in V(x, y) = (x^2 - 1)^2 + k(x) |y|^2 / 2 with
k(x) = k_saddle + (k_well - k_saddle) x^2: minima at x = -1 and 1, saddle at 0, barrier 1. With a barrier h, beta stands
for beta h and time for h times the time.
"""

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

Potential = Callable[[NDArray[np.float64]], NDArray[np.float64]]

CURVATURE_WELL, CURVATURE_TOP = 8.0, 4.0
"""|V''| of (x^2 - 1)^2 at its minima and at its top."""


def double_well(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(x^2 - 1)^2: barrier 1, quadratic top."""
    return (x * x - 1) ** 2


def flat_top(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1 - (x/2)^4)^2: barrier 1 and curvature 8 at the minima -2 and 2 as in ``double_well``, quartic top."""
    return (1 - (x / 2) ** 4) ** 2


@cache
def mean_exit_time(
    beta: float, potential: Potential = double_well, start: float = -1.0, target: float = 1.0, cells: int = 4000
) -> float:
    """Mean time from ``start`` to the first visit of ``target``, by quadrature.

    T = beta int_start^target exp(beta V(x)) int_-inf^x exp(-beta V(u)) du dx (Gardiner, Handbook of Stochastic Methods,
    section 5.2.7), by Gauss-Legendre quadrature in each of ``cells`` cells.
    """
    low = 2 * start - 1  # the mass below is of order exp(-64 beta)
    below = max(200, cells // 2)
    edges = np.concatenate([np.linspace(low, start, below + 1)[:-1], np.linspace(start, target, cells + 1)])
    nodes, weights = np.polynomial.legendre.leggauss(6)
    width = np.diff(edges)[:, None]
    at = edges[:-1, None] + width * (nodes + 1) / 2
    mass = np.exp(-beta * potential(at))
    before = np.concatenate([[0.0], np.cumsum((mass * weights).sum(1) * width[:, 0] / 2)])[:-1, None]
    inside = (np.exp(-beta * potential(edges[:-1, None])) + mass) / 2 * (at - edges[:-1, None])
    over = np.exp(beta * potential(at[below:])) * (before + inside)[below:]
    return float(beta * (over * weights * width[below:] / 2).sum())


def eyring_kramers(beta: float, d: int = 1, k_well: float = 8.0, k_saddle: float = 8.0) -> float:
    """(2 pi / |lambda_-|) sqrt(|det H_saddle| / det H_well) exp(beta), the leading order of the well-to-well time.

    For d = 1: 2 pi / sqrt(32) exp(beta) (Kramers 1940; in d dimensions Bovier et al. 2004, theorem 3.2).
    """
    determinants = CURVATURE_TOP / CURVATURE_WELL * (k_saddle / k_well) ** (d - 1)
    return 2 * math.pi / CURVATURE_TOP * math.sqrt(determinants) * math.exp(beta)


def first_correction(d: int = 1, k_well: float = 8.0, k_saddle: float = 8.0) -> float:
    """The c of T = (Eyring-Kramers) (1 + c / beta + O(beta^-2)).

    Laplace's method to the next order at both ends of the barrier, the transverse directions integrated out. At
    d = 1: 3/16 from the quartic term of the top, 3/16 from the cubic and quartic terms of the well.
    """
    a, rho = (d - 1) / 2, (k_well - k_saddle) / k_well
    return 3 / 8 + a / 4 * ((k_well - k_saddle) / k_saddle + rho * (1 + rho + a * rho))


def flat_top_time(beta: float) -> float:
    """Leading order of the mean time over ``flat_top``, proportional to beta^(1/4) exp(beta).

    Laplace's method with int exp(-beta x^4 / 8) dx = Gamma(1/4) / 2 (beta / 8)^(-1/4) at the top.
    """
    top = math.gamma(0.25) / 2 * (beta / 8) ** -0.25
    return beta * top * math.sqrt(2 * math.pi / (CURVATURE_WELL * beta)) * math.exp(beta)


@cache
def mean_exit_time_tube(
    beta: float, d: int, k_well: float, k_saddle: float, cells: tuple[int, int] = (300, 40)
) -> float:
    """Mean time from the well at x = -1, y in equilibrium, to x = 1, in d dimensions, by finite volumes.

    Solves -div(w grad u) = beta w on (x, r = |y|) with w = exp(-beta V) r^(d-2), u = 0 at x = 1, no flux elsewhere.

    Args:
        beta: inverse temperature times barrier.
        d: dimension; 1 gives ``mean_exit_time``.
        k_well: transverse curvature at the minima, at least ``k_saddle``.
        k_saddle: transverse curvature at the saddle.
        cells: along x and r.
    """
    from scipy.linalg import solveh_banded

    if d == 1:
        return mean_exit_time(beta)
    nx, nr = cells
    low = -1 - min(1.2, 6 / math.sqrt(CURVATURE_WELL * beta))
    hx, hr = (1 - low) / nx, (math.sqrt(d - 1) + 6) / math.sqrt(beta * k_saddle) / nr
    x, r = low + hx * (np.arange(nx) + 0.5), hr * (np.arange(nr) + 0.5)

    def weight(x: NDArray[np.float64], r: NDArray[np.float64]) -> NDArray[np.float64]:
        k = k_saddle + (k_well - k_saddle) * x * x
        return np.exp(-beta * (double_well(x) + 0.5 * k * r * r)) * r ** (d - 2)

    along = weight((x + hx / 2)[:, None], r) * hr / hx
    across = weight(x[:, None], r[:-1] + hr / 2) * hx / hr
    diagonal = np.zeros((nx, nr))
    for flow, sides in ((along[:-1], np.s_[:-1, :]), (along[:-1], np.s_[1:, :]), (2 * along[-1:], np.s_[-1:, :]),
                        (across, np.s_[:, :-1]), (across, np.s_[:, 1:])):  # fmt: skip
        diagonal[sides] += flow
    scale = 1 / np.sqrt(diagonal)  # the weight spans many orders of magnitude
    bands = np.zeros((nr + 1, nx, nr))
    bands[0] = 1
    bands[1, :, :-1] = -across * scale[:, :-1] * scale[:, 1:]
    bands[nr, :-1] = -along[:-1] * scale[:-1] * scale[1:]
    source = beta * weight(x[:, None], r) * hx * hr
    u = scale * solveh_banded(bands.reshape(nr + 1, -1), (scale * source).ravel(), lower=True).reshape(nx, nr)
    equilibrium = np.exp(-0.5 * beta * k_well * r * r) * r ** (d - 2)
    left = int(np.searchsorted(x, -1.0)) - 1
    part = (-1.0 - x[left]) / hx
    return float(((1 - part) * u[left] + part * u[left + 1]) @ equilibrium / equilibrium.sum())
