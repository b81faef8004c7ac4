"""Sampling by a time-reversed Ornstein-Uhlenbeck process, in closed form for Gaussian data.

Forward: dx = -x dt + sqrt 2 dB for a time T, from data N(m, s^2 I). Its density stays Gaussian, and its score is
-(x - m_t) / v_t. Backward: the score is held for a step h while the linear part is integrated exactly (exponential
integrator), from N(0, I) instead of the forward end. A constant vector of norm eps is added to the score.
Source: Chen, Chewi, Li, Li, Salim & Zhang 2023, section 2 and theorem 2.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def variance(sd: ArrayLike, t: ArrayLike) -> Floats:
    """v_t = s^2 e^(-2t) + 1 - e^(-2t), of each coordinate after time t."""
    return 1 + (np.asarray(sd, dtype=float) ** 2 - 1) * np.exp(-2 * np.asarray(t, dtype=float))


def gaussian_kl(shift: ArrayLike, ratio: ArrayLike, variance: ArrayLike, dim: ArrayLike = 1) -> Floats:
    """KL(N(m, a I) || N(m', b I)) in nats.

    Args:
        shift: ``|m - m'|^2``.
        ratio: ``a / b``.
        variance: ``b``.
        dim: dimension.
    """
    ratio = np.asarray(ratio, dtype=float)
    return np.asarray(dim) / 2 * (ratio - 1 - np.log(ratio)) + np.asarray(shift) / np.asarray(variance) / 2


def start_kl(sd: ArrayLike, mean: ArrayLike, dim: ArrayLike, horizon: ArrayLike) -> Floats:
    """KL(q_T || N(0, I)): what starting from the wrong distribution costs."""
    shift = (np.asarray(mean) * np.exp(-np.asarray(horizon))) ** 2
    return gaussian_kl(shift, variance(sd, horizon), 1.0, dim)


def start_kl_asymptotic(sd: ArrayLike, mean: ArrayLike, dim: ArrayLike, horizon: ArrayLike) -> Floats:
    """Its leading terms, (d/4) ((s^2 - 1) e^(-2T))^2 + (m^2 / 2) e^(-2T)."""
    decay = np.exp(-2 * np.asarray(horizon, dtype=float))
    spread = (np.asarray(sd, dtype=float) ** 2 - 1) * decay
    return np.asarray(dim) / 4 * spread**2 + np.asarray(mean) ** 2 / 2 * decay


def step_kl(sd: float, dim: float, horizon: float, step: float) -> float:
    """Sum over steps of the integral of E|s(kh, x_kh) - s(t, x_t)|^2 along the forward path: the cost of steps.

    With a and b the later and earlier time, E|...|^2 = d (1/v_a + 1/v_b - 2 e^(-(a-b)) / v_a).
    """
    nodes, weights = np.polynomial.legendre.leggauss(8)
    later = horizon - step * np.arange(round(horizon / step))[:, None]
    gap = step * (nodes + 1) / 2
    va, vb = variance(sd, later), variance(sd, later - gap)
    return float(dim * ((1 / va + 1 / vb - 2 * np.exp(-gap) / va) @ weights).sum() * step / 2)


def path_kl(sd: float, mean: float, dim: float, horizon: float, step: float, error: ArrayLike) -> Floats:
    """KL between the two paths, which bounds that between data and samples: start + steps + eps^2 T.

    Girsanov's theorem for a drift that is off by 2 (score error) and noise sqrt 2; a constant error is uncorrelated
    with the others, which have mean zero.
    """
    parts = float(start_kl(sd, mean, dim, horizon)) + step_kl(sd, dim, horizon, step)
    return parts + np.asarray(error, dtype=float) ** 2 * horizon


def sampled_gaussian(
    sd: ArrayLike, mean: ArrayLike, error: ArrayLike, horizon: float, step: float
) -> tuple[Floats, Floats]:
    """Mean and variance of the samples, exactly: the recursion is linear.

    Args:
        sd: of the data ``(run,)``.
        mean: of the data ``(run, coordinate)``.
        error: added to the score ``(run, coordinate)``.
        horizon: T.
        step: h; divides T.

    Returns:
        Means ``(run, coordinate)`` and variances of each coordinate ``(run,)``.
    """
    sd, mean, error = (np.asarray(value, dtype=float) for value in (sd, mean, error))
    grow = np.expm1(step)
    centre, spread = np.zeros_like(mean), np.ones_like(sd)
    for k in range(round(horizon / step)):
        t = horizon - k * step
        v = variance(sd, t)
        factor = 1 + grow - 2 * grow / v
        centre = factor[:, None] * centre + 2 * grow * (mean * np.exp(-t) / v[:, None] + error)
        spread = factor**2 * spread + np.expm1(2 * step)
    return centre, spread


def saturated_kl(sd: ArrayLike, error: ArrayLike) -> Floats:
    """KL of the samples for T -> infinity and h -> 0 of centred data: what a constant score error leaves in the mean.

    An error of the drift at time t before the end is multiplied by I(t) = e^t s^2 / (e^(2t) + s^2 - 1) until then;
    the mean is off by 2 eps times the integral of I.

    Raises:
        ValueError: a standard deviation of 1 or less; its integral has another form.
    """
    sd = np.asarray(sd, dtype=float)
    if np.any(sd <= 1):
        raise ValueError(f"sd: expected more than 1, found {sd.min():g}")
    root = np.sqrt(sd**2 - 1)
    shift = 2 * sd**2 / root * (np.pi / 2 - np.arctan(1 / root)) * np.asarray(error, dtype=float)
    return shift**2 / (2 * sd**2)
