"""The majority vote of M noisy signs, b of them false: how often it errs, and where signSGD with it goes.

One coordinate has gradient g and every worker's estimate of it noise N(0, sigma^2); S = |g| / sigma and p = Phi(S) is
the probability that one estimate has the right sign (Bernstein, Zhao, Azizzadenesheli & Anandkumar, ICLR 2019).
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def adversary_right(snr: ArrayLike, attack: str) -> Array:
    """Probability that an adversary's sign is right: 1 - p if it negates (at any scale), 1/2 if it tosses a coin."""
    from scipy.special import ndtr

    snr = np.asarray(snr, dtype=float)
    return np.full(snr.shape, 0.5) if attack == "random_sign" else ndtr(-snr)


def vote_error(workers: int, adversaries: int, snr: ArrayLike, attack: str = "negate") -> Array:
    """P(Z < M/2) with Z = Bin(M - b, p) + Bin(b, q), q the adversaries' probability to be right; M odd.

    Args:
        workers: M, odd.
        adversaries: b, 0 to M.
        snr: S, any shape.
        attack: negate, scale (the same for a vote) or random_sign.

    Returns:
        Probabilities in the shape of ``snr``.
    """
    from scipy.special import ndtr
    from scipy.stats import binom

    snr = np.asarray(snr, dtype=float)[..., None]
    false = np.arange(adversaries + 1)  # how many adversaries are right
    weight = binom.pmf(false, adversaries, adversary_right(snr, attack))
    return (weight * binom.cdf(workers // 2 - false, workers - adversaries, ndtr(snr))).sum(-1)


def lead(workers: ArrayLike, adversaries: ArrayLike, attack: str = "negate") -> Array:
    """(1 - 2 b/M) sqrt(M), the lead of the honest over negating adversaries; (1 - b/M) sqrt(M) over coin tossers."""
    workers, adversaries = np.asarray(workers, dtype=float), np.asarray(adversaries, dtype=float)
    return np.sqrt(workers) - (1 if attack == "random_sign" else 2) * adversaries / np.sqrt(workers)


def gaussian_vote_error(lead: ArrayLike, snr: ArrayLike) -> Array:
    """Phi(-sqrt(2/pi) lead S): the central limit of ``vote_error`` for many workers and small S."""
    from scipy.special import ndtr

    return ndtr(-math.sqrt(2 / math.pi) * np.asarray(lead) * np.asarray(snr))


def floor(lead: ArrayLike, lr: float, noise: float) -> Array:
    """Stationary mean of h w^2 / 2 of one coordinate where lead S is small: pi lr sigma / (8 lead), whatever h.

    There the vote is 2/pi lead h w / sigma on average, with variance one: an Ornstein-Uhlenbeck process.
    """
    return math.pi * lr * noise / 8 / np.asarray(lead, dtype=float)


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

    With an odd vote every coordinate moves by exactly lr up or down, a birth-death chain on a lattice, whose law is
    carried along step by step.

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
    begin = np.rint(start / lr).astype(int)
    reach = int(np.abs(begin).max()) + steps
    position = np.arange(-reach, reach + 1)
    w = lr * position
    positive = w[reach:]
    outward = vote_error(workers, adversaries, curvature * positive / noise, attack)  # P(|w| grows)
    outward = np.concatenate([outward[:0:-1], outward])
    up = np.where(position > 0, outward, np.where(position < 0, 1 - outward, 0.5))
    law = np.bincount(begin + reach, minlength=len(w)).astype(float)
    weight = curvature / 2 * w * w
    means = [weight @ law]
    for _ in range(steps):
        rising = law * up
        law -= rising
        moved = np.zeros_like(law)
        moved[1:] += rising[:-1]
        moved[:-1] += law[1:]
        law = moved
        means.append(weight @ law)
    return np.array(means)


def gradient_bound(
    lead: ArrayLike, *, gap: float, steps: int, lr: float, noise: float, d: int, curvature: float = 1.0
) -> Array:
    """Bound on the mean over steps of E |g_k|_1: (f_0 - f*)/(lr K) + lr |L|_1 / 2 + 2 |sigma|_1 / lead.

    The theorem of Bernstein et al. 2019 (N = K^2 gradients, K steps of batches of K, lr = sqrt((f_0 - f*)/(|L|_1 K)))
    is this with sigma / sqrt(K) for sigma; before lr is chosen it holds at any batch and step size.
    """
    smooth = gap / (lr * steps) + lr * d * curvature / 2
    return smooth + 2 * d * noise / np.asarray(lead, dtype=float)
