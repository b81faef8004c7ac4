"""The Wasserstein bound of score-based generation, dx = -x dt + sqrt 2 dB forwards, with a constant error in the score.

W2(data, samples) <= weight int_0^T I(t) |b| dt + I(T) W2(p_T, N(0, 1)), I(t) = exp int_0^t (1 + weight L(r)) dr, with L
the one-sided Lipschitz constant of the score and weight 2 for the stochastic sampler, 1 for the flow.

Source: Kwon, Fan & Lee 2022 (arXiv 2212.06359), theorem 1 and corollary 2; I(t) in closed form derived here.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NODES = 200


def lipschitz_integral(t: Array, spread: Array, modes: Array) -> Array:
    """int_0^t L(r) dr for data (N(modes, spread) + N(-modes, spread)) / 2; modes = 0 is one Gaussian, at any mean.

    L = -1/w + a^2/w^2 with w = 1 + (spread - 1) e^-2t and a = modes e^-t, the second derivative of ln p at the middle.
    """
    u = np.exp(-2 * t)
    w = 1 + (spread - 1) * u
    return -0.5 * np.log(w / (u * spread)) + 0.5 * modes**2 * (1 - u) / (spread * w)


def wasserstein_bound(
    bias: Array, horizon: Array, start: Array, spread: Array, modes: Array, weight: float, sign: float = 1.0
) -> Array:
    """The bound for arrays that broadcast.

    Args:
        bias: b.
        horizon: T.
        start: W2(p_T, N(0, 1)).
        spread: variance of the data, or of each mode.
        modes: their distance from 0.
        weight: 2 or 1, see above.
        sign: -1 takes the Lipschitz constant with the wrong sign: no bound.
    """
    x, shares = np.polynomial.legendre.leggauss(NODES)
    t = np.asarray(horizon)[..., None] * (x + 1) / 2
    spread, modes = np.asarray(spread), np.asarray(modes)

    def expansion(t: Array, spread: Array, modes: Array) -> Array:
        return np.exp(t + weight * sign * lipschitz_integral(t, spread, modes))

    inside = expansion(t, spread[..., None], modes[..., None]) @ shares * np.asarray(horizon) / 2
    return weight * np.abs(bias) * inside + expansion(np.asarray(horizon), spread, modes) * start
