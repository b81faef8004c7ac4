"""The l_p norms by name, and the largest margin of linear classifiers in each of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import AtlasError, InputError
from dltheory.theory.hard_margin import hard_margin

Array = NDArray[np.float64]

CERTIFIED = 1e-5
"""The relative gap between primal and dual beyond which a solution is refused."""


@dataclass(frozen=True)
class LargestMargin:
    """max over |w|_p <= 1 of min_i z_i.w, between a primal and a dual value.

    Attributes:
        w: a direction ``(d,)`` of unit norm that reaches ``margin``; unique for 1 < p < infinity.
        margin: in units of z.
        bound: no direction has more: the dual norm of a convex combination of the z_i.
    """

    w: Array
    margin: float
    bound: float


def largest_margin(z: Array, p: float) -> LargestMargin:
    """The largest margin in an l_p norm and a direction that has it, certified by the dual to 1e-5.

    Linear programs for p = 1 and infinity, non-negative least squares for 2; below 2 the dual, smooth there,
    max sum(alpha) - |z^T alpha|_q^2 / 2 over alpha >= 0 by L-BFGS-B, above 2 the primal by SLSQP, and the other where
    one falls short.

    Args:
        z: examples times labels, ``(n, d)``.
        p: at least 1.

    Raises:
        InputError: no w has z_i.w > 0 for all i.
        AtlasError: the solver stops short of the certificate.

    Source: strong duality, min over the simplex of |sum_i a_i z_i|_q; Telgarsky 2013 (arXiv 1303.4172), section 2.
    """
    best = LargestMargin(np.zeros(z.shape[1]), 0.0, np.inf)
    for solve in _SOLVERS.get(p, (_by_dual, _by_primal) if p < 2 else (_by_primal, _by_dual)):
        found = _certified(z, p, *solve(z, p))
        best = found if found.bound - found.margin < best.bound - best.margin else best
        if best.bound - best.margin <= CERTIFIED * best.bound:
            return best
    raise AtlasError(f"largest_margin: l_{p:g}: margin {best.margin:.6g} but bound {best.bound:.6g}: not solved")


def _certified(z: Array, p: float, w: Array, alpha: Array) -> LargestMargin:
    """The margin of a direction and the bound of multipliers."""
    w = w / np.linalg.norm(w, p)
    dual = np.inf if p == 1 else 1.0 if p == np.inf else p / (p - 1)
    return LargestMargin(w, float((z @ w).min()), float(np.linalg.norm(alpha @ z, dual) / alpha.sum()))


def _by_squares(z: Array, p: float) -> tuple[Array, Array]:
    found = hard_margin(z)
    return found.w, found.alpha


def _by_linear_program(z: Array, p: float) -> tuple[Array, Array]:
    """Minimiser and multipliers of min |w|_p subject to z w >= 1, p = 1 or infinity."""
    from scipy.optimize import linprog

    n, d = z.shape
    if p == 1:  # w = u - v
        cost, rows, bounds = np.ones(2 * d), np.hstack([-z, z]), [(0, None)] * (2 * d)
    else:  # |w_j| <= t
        cost, bounds = np.append(np.zeros(d), 1.0), [(None, None)] * d + [(0, None)]
        box = np.hstack([np.vstack([np.eye(d), -np.eye(d)]), -np.ones((2 * d, 1))])
        rows = np.vstack([np.hstack([-z, np.zeros((n, 1))]), box])
    found = linprog(cost, rows, np.append(-np.ones(n), np.zeros(len(rows) - n)), bounds=bounds, method="highs")
    if not found.success:
        raise InputError("largest_margin: expected separable examples, found no w with z_i.w > 0 for all i")
    return found.x[:d] - found.x[d:] if p == 1 else found.x[:d], -found.ineqlin.marginals[:n]


def _by_dual(z: Array, p: float) -> tuple[Array, Array]:
    """Smooth for p < 2."""
    from scipy.optimize import minimize

    q = p / (p - 1)
    size = hard_margin(z).margin  # examples of order one

    def negative(alpha: Array) -> tuple[float, Array]:
        u = alpha @ z / size
        return 0.5 * np.linalg.norm(u, q) ** 2 - alpha.sum(), z @ dual_direction(u, q) / size - 1

    start = np.full(len(z), size**2 * len(z) / np.linalg.norm(z.sum(0), q) ** 2)
    options = {"maxiter": 20_000, "maxfun": 200_000, "ftol": 1e-16, "gtol": 1e-12, "maxcor": 50}
    alpha = minimize(negative, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(z), options=options).x
    return dual_direction(alpha @ z, q), alpha


def _by_primal(z: Array, p: float) -> tuple[Array, Array]:
    """Smooth for p > 2."""
    from scipy.optimize import minimize, nnls

    start = hard_margin(z).w
    size = np.linalg.norm(start, p)
    rules = {"type": "ineq", "fun": lambda w: size * (z @ w) - 1, "jac": lambda w: size * z}
    found = minimize(
        lambda w: 0.5 * np.linalg.norm(w, p) ** 2, start / size, jac=lambda w: dual_direction(w, p),
        constraints=rules, method="SLSQP", options={"ftol": 1e-13, "maxiter": 1000},
    ).x  # fmt: skip
    active = size * (z @ found) < 1 + 1e-6
    alpha = np.zeros(len(z))
    alpha[active] = nnls(z[active].T, dual_direction(found, p))[0]
    return found, alpha


_SOLVERS = {1.0: (_by_linear_program,), 2.0: (_by_squares,), np.inf: (_by_linear_program,)}


def dual_direction(u: Array, q: float) -> Array:
    """The gradient ``(d,)`` of |u|_q^2 / 2: of dual norm |u|_q, and its product with u is |u|_q^2."""
    top = np.abs(u).max() or 1.0
    share = np.abs(u) / top
    total = max((share**q).sum(), 1.0)  # not 0 at u = 0
    return top * np.sign(u) * share ** (q - 1) * total ** ((2 - q) / q)
