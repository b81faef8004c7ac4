"""The l_p norms by name, and the largest margin of linear classifiers in each of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import AtlasError, InputError
from dlatlas.theory.hard_margin import hard_margin

ORDERS = {
    "l1": 1.0, "l1.1": 1.1, "l4/3": 4 / 3, "l1.5": 1.5, "l2": 2.0, "l3": 3.0, "l4": 4.0, "l10": 10.0, "linf": np.inf
}  # fmt: skip
"""Name -> p."""

CERTIFIED = 1e-4
"""The relative gap between primal and dual beyond which a solution is refused."""


@dataclass(frozen=True)
class LargestMargin:
    """max over |w|_p <= 1 of min_i z_i.w, between a primal and a dual value.

    Attributes:
        w: a direction ``(d,)`` of unit norm that reaches ``margin``; unique for 1 < p < infinity.
        margin: in units of z.
        bound: no direction has more: the dual norm of a convex combination of the z_i.
    """

    w: NDArray[np.float64]
    margin: float
    bound: float


def largest_margin(z: NDArray[np.float64], p: float) -> LargestMargin:
    """The largest margin in an l_p norm and a direction that has it, certified by the dual to 1e-4.

    Linear programs for p = 1 and infinity, non-negative least squares for 2, and otherwise the dual
    max sum(alpha) - |z^T alpha|_q^2 / 2 over alpha >= 0 by L-BFGS-B, whose solution gives w by duality.

    Args:
        z: examples times labels, ``(n, d)``.
        p: at least 1.

    Raises:
        InputError: no w has z_i.w > 0 for all i.
        AtlasError: the solver stops short of the certificate.

    Source: strong duality, min over the simplex of |sum_i a_i z_i|_q; Telgarsky 2013 (arXiv 1303.4172), section 2.
    """
    if p == 2:
        found = hard_margin(z)
        w, alpha = found.w, found.alpha
    elif p in (1, np.inf):
        w, alpha = _by_linear_program(z, p)
    else:
        w, alpha = _by_dual(z, p)
    w = w / np.linalg.norm(w, p)
    margin = float((z @ w).min())
    bound = float(np.linalg.norm(alpha @ z, np.inf if p == 1 else p / (p - 1) if p < np.inf else 1) / alpha.sum())
    if not margin > 0:
        raise InputError("largest_margin: expected separable examples, found no w with z_i.w > 0 for all i")
    if bound - margin > CERTIFIED * bound:
        raise AtlasError(f"largest_margin: l_{p:g}: margin {margin:.6g} but bound {bound:.6g}: not solved")
    return LargestMargin(w, margin, bound)


def _by_linear_program(z: NDArray[np.float64], p: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """w and the multipliers of min |w|_p subject to z w >= 1, p = 1 or infinity."""
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


def _by_dual(z: NDArray[np.float64], p: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from scipy.optimize import minimize

    q = p / (p - 1)

    def negative(alpha: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        u = alpha @ z
        return 0.5 * np.linalg.norm(u, q) ** 2 - alpha.sum(), z @ dual_direction(u, q) - 1

    start = np.full(len(z), 1 / np.linalg.norm(z.sum(0), q) ** 2 * len(z))
    options = {"maxiter": 20_000, "maxfun": 200_000, "ftol": 1e-16, "gtol": 1e-12, "maxcor": 50}
    alpha = minimize(negative, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(z), options=options).x
    return dual_direction(alpha @ z, q), alpha


def dual_direction(u: NDArray[np.float64], q: float) -> NDArray[np.float64]:
    """The gradient ``(d,)`` of |u|_q^2 / 2: of dual norm |u|_q, and its product with u is |u|_q^2."""
    top = np.abs(u).max() or 1.0
    share = np.abs(u) / top
    return top * np.sign(u) * share ** (q - 1) * (share**q).sum() ** ((2 - q) / q)
