"""The curvature at which a step of stochastic gradient descent is just stable."""

from typing import Any


def marginal_curvature(lr: Any, spread: Any, batch: Any, n: Any) -> Any:  # noqa: ANN401
    """The largest mean curvature h along a direction with ``E (1 - eta h_S)^2 <= 1``, h_S that of a batch of S.

    ``Var h_S = s^2 (n - S) / (S (n - 1))`` without replacement, so with r = s^2 / h^2 it is
    ``2 / (eta (1 + r (n - S) / (S (n - 1))))``: 2 / eta with the full batch.

    Source: Jastrzebski et al. 2020 (arXiv 2002.09572), equation 2, with the exact factor of a finite population.

    Args:
        lr: step size eta.
        spread: r, variance of the examples' curvatures over their squared mean.
        batch: S.
        n: number of examples.
    """
    return 2 / (lr * (1 + spread * (n - batch) / (batch * (n - 1))))
