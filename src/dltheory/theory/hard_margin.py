"""The hard-margin support vector machine without intercept, and where logistic descent goes on separable data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import InputError

SUPPORT = 1e-9
"""A multiplier above this share of the largest belongs to a support vector."""


@dataclass(frozen=True)
class HardMargin:
    """The solution of min |w|^2 / 2 subject to z_i.w >= 1 for all i, with z_i = y_i x_i.

    Attributes:
        w: ``(d,)``; the largest margin of a unit vector is ``margin`` = 1 / |w|.
        alpha: ``(n,)`` multipliers, w = sum_i alpha_i z_i and sum_i alpha_i = |w|^2; zero off the support.
    """

    w: NDArray[np.float64]
    alpha: NDArray[np.float64]

    @property
    def margin(self) -> float:
        """The largest margin gamma = max over unit u of min_i z_i.u, in units of z."""
        return float(1 / np.linalg.norm(self.w))

    def kkt_residual(self, z: NDArray[np.float64]) -> float:
        """How far from optimal: the worst of feasibility, stationarity and complementarity, all dimensionless."""
        slack = z @ self.w - 1
        size = np.linalg.norm(self.w)
        return float(
            max(
                -slack.min(),
                -self.alpha.min() / size**2,
                np.abs(self.alpha * slack).max() / size**2,
                np.linalg.norm(self.w - self.alpha @ z) / size,
            )
        )


def hard_margin(z: NDArray[np.float64]) -> HardMargin:
    """The hard-margin solution in float64, by non-negative least squares.

    With E = [z^T; 1^T], f = (0, ..., 0, 1) and u >= 0 minimising |E u - f|, the residual r = E u - f gives
    w = -r[:d] / r[d] and alpha = -u / r[d]; r = 0 if and only if the constraints contradict each other.

    Args:
        z: examples times labels, ``(n, d)``.

    Raises:
        InputError: no w has z_i.w > 0 for all i.

    Source: least distance programming, Lawson & Hanson, Solving Least Squares Problems (1974), chapter 23.
    """
    from scipy.optimize import nnls

    target = np.append(np.zeros(z.shape[1]), 1.0)
    u, size = nnls(np.vstack([z.T, np.ones(len(z))]), target)
    if size < 1e-7:
        raise InputError("hard_margin: expected separable examples, found no w with z_i.w > 0 for all i")
    alpha = u / (1 - u.sum())
    alpha[alpha < SUPPORT * alpha.max()] = 0.0
    return HardMargin(alpha @ z, alpha)


def log_clock(
    rate: NDArray[np.float64], alpha: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Late on the gradient flow of an exponential tail: the clock s, |w| and the relative margin gap.

    With w(t) = what ln tau + wtilde, tau = eta t / n for the mean loss of n examples, the sum of the gradients gives
    exp(-z_i.wtilde) = alpha_i on the support, so that with p = alpha / sum(alpha)

        s = gamma |w| = ln tau - E_p ln alpha,      (gamma - margin(w)) / gamma = (ln max alpha - E_p ln alpha) / s,

    up to terms that vanish faster: no constant is fitted.

    Args:
        rate: tau, ``(...)``.
        alpha: multipliers, ``(..., n)``; zeros are not of the support.

    Returns:
        s, the norm |w| and the relative gap, ``(...)`` each.

    Source: Soudry et al. 2018 (arXiv 1710.10345), theorem 3 and its proof; the constants derived here.
    """
    total = alpha.sum(-1)
    log = np.log(np.where(alpha > 0, alpha, 1.0))
    mean = (alpha * log).sum(-1) / total
    with np.errstate(divide="ignore", invalid="ignore"):  # at the start
        s = np.log(rate) - mean
        return s, s * np.sqrt(total), (np.where(alpha > 0, log, -np.inf).max(-1) - mean) / s
