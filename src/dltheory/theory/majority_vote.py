"""The majority vote of M noisy signs, b of them false: how often it errs, and where signSGD with it goes.

One coordinate has gradient g and every worker's estimate of it noise N(0, sigma^2); S = |g| / sigma and p = Phi(S) is
the probability that one estimate has the right sign (Bernstein, Zhao, Azizzadenesheli & Anandkumar, ICLR 2019).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

FAR = 9
"""A walk without drift is within so many roots of its steps, but for a probability of 4 exp(-FAR^2 / 2)."""


def liars(share: Any, workers: Any) -> Any:  # noqa: ANN401
    """How many of the workers are adversaries: round(share M), at least one where share > 0."""
    return np.maximum(np.rint(np.multiply(share, workers)), np.greater(share, 0)).astype(int)


def adversary_right(snr: ArrayLike, attack: str) -> Array:
    """Probability that an adversary's sign is right: 1 - p if it negates (at any scale), 1/2 if it tosses a coin."""
    from scipy.special import ndtr

    snr = np.asarray(snr, dtype=float)
    return np.full(snr.shape, 0.5) if attack == "random_sign" else ndtr(-snr)


def vote_error(workers: ArrayLike, adversaries: ArrayLike, snr: ArrayLike, attack: str = "negate") -> Array:
    """P(Z < M/2) with Z = Bin(M - b, p) + Bin(b, q), q the adversaries' probability to be right; M odd.

    Args:
        workers: M, odd; this and the next two broadcast against each other.
        adversaries: b, 0 to M.
        snr: S.
        attack: negate, scale (the same for a vote) or random_sign.
    """
    from scipy.special import ndtr
    from scipy.stats import binom

    workers, adversaries, snr = (np.asarray(each)[..., None] for each in (workers, adversaries, snr))
    false = np.arange(adversaries.max() + 1)  # how many adversaries are right
    weight = binom.pmf(false, adversaries, adversary_right(snr, attack))
    return (weight * binom.cdf(workers // 2 - false, workers - adversaries, ndtr(snr))).sum(-1)


def lead(workers: Any, adversaries: Any, attack: str = "negate") -> Any:  # noqa: ANN401
    """(1 - 2 b/M) sqrt(M), the lead of the honest over negating adversaries; (1 - b/M) sqrt(M) over coin tossers."""
    return (workers - (1 if attack == "random_sign" else 2) * adversaries) / np.sqrt(workers)


def gaussian_vote_error(lead: Any, snr: Any) -> Any:  # noqa: ANN401
    """Phi(-sqrt(2/pi) lead S): the central limit of ``vote_error`` for many workers and small S."""
    from scipy.special import ndtr

    return ndtr(-math.sqrt(2 / math.pi) * lead * snr)


def floor(lead: Any, lr: float, noise: float) -> Any:  # noqa: ANN401
    """Stationary mean of h w^2 / 2 of one coordinate where lead S is small: pi lr sigma / (8 lead), whatever h.

    There the vote is 2/pi lead h w / sigma on average, with variance one: an Ornstein-Uhlenbeck process.
    """
    return math.pi * lr * noise / 8 / lead


def descent(
    workers: int,
    adversaries: int,
    attack: str,
    *,
    start: Array,
    steps: int,
    lr: float,
    noise: float,
    curvature: float = 1.0,
) -> Array:
    """The exact mean objective, h/2 sum_i E w_i^2, before each of ``steps`` updates and after all, ``(steps + 1,)``.

    With an odd vote every coordinate moves by exactly lr up or down, a birth-death chain on a lattice; the law of its
    distance from 0 is carried along step by step. Where the vote is right more often than wrong no place further out
    than `FAR` roots of the steps is reached with a probability above 1e-16, and none is kept.

    Args:
        workers: M, odd.
        adversaries: b.
        attack: as in ``vote_error``.
        start: ``(d,)`` coordinates at step 0, rounded to multiples of lr.
        steps: updates.
        lr: step size.
        noise: sigma of one worker's gradient.
        curvature: h.
    """
    begin = np.abs(np.rint(start / lr)).astype(int)
    held = attack == "random_sign" or 2 * adversaries < workers
    reach = int(begin.max()) + (min(steps, math.ceil(FAR * math.sqrt(steps))) if held else steps)
    distance = lr * np.arange(reach + 1)
    outward = vote_error(workers, adversaries, curvature * distance / noise, attack)
    outward[0] = 1.0
    law, weight = np.bincount(begin, minlength=reach + 1).astype(float), curvature / 2 * distance**2
    means = [weight @ law]
    for _ in range(steps):
        rising = law * outward
        law -= rising
        law[:-1] = law[1:]
        law[-1] = 0.0
        law[1:] += rising[:-1]
        means.append(weight @ law)
    return np.array(means)


def mean_loss(workers: ArrayLike, adversaries: ArrayLike, *, at: NDArray[np.int64], **walk: Any) -> Array:  # noqa: ANN401
    """Mean of `descent` with negating adversaries at some steps; NaN where they are no minority.

    Args:
        workers: M, odd; broadcasts against ``adversaries``.
        adversaries: b.
        at: the steps.
        walk: the rest of what `descent` takes.
    """

    @np.vectorize
    def one(m: int, b: int) -> float:
        return descent(m, b, "negate", **walk)[at].mean() if 2 * b < m else math.nan

    return one(workers, adversaries)


def gradient_bound(
    lead: Any,  # noqa: ANN401
    *,
    gap: float,
    steps: int,
    lr: float,
    noise: float,
    d: int,
    curvature: float = 1.0,
) -> Any:  # noqa: ANN401
    """Bound on the mean over steps of E |g_k|_1: (f_0 - f*)/(lr K) + lr |L|_1 / 2 + 2 |sigma|_1 / lead.

    The theorem of Bernstein et al. 2019 (N = K^2 gradients, K steps of batches of K, lr = sqrt((f_0 - f*)/(|L|_1 K)))
    is this with sigma / sqrt(K) for sigma; before lr is chosen it holds at any batch and step size.
    """
    smooth = gap / (lr * steps) + lr * d * curvature / 2
    return smooth + 2 * d * noise / lead
