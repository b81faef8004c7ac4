"""What a reversed diffusion with a constant error in its score makes of N(0, 1), in small steps and without walkers.

Forward: dx = -x dt + sqrt 2 dB for a time T. Backward from N(0, 1), by the stochastic sampler or by the probability
flow, with the exact score of the data plus a constant. Gaussian samples stay Gaussian, so their two moments are
followed; from two modes the flow takes quantiles to quantiles.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import InputError

if TYPE_CHECKING:
    from dlatlas.training.stack import Stack

Array = NDArray[np.float64]

STEP = 1 / 256
QUANTILES = 128
LEVELS = (np.arange(QUANTILES) + 0.5) / QUANTILES


def biased_samples(stack: "Stack") -> dict[str, Array]:
    """How far samples are from data of each run's own.

    Args:
        stack: with the error ``b`` of the score, the time ``T``, the ``target`` (gaussian or two_modes) and the
            ``sampler`` (sde or ode).

    Returns:
        W2 of samples and data, ``distance``, and of the noised data and N(0, 1), ``start``; the data's variance, or
        that of each mode, ``spread``, and the distance of the ``modes`` from 0, all ``(run,)``.

    Raises:
        InputError: two modes with the stochastic sampler.
    """
    T, bias, runs = float(stack["T"]), stack["b"], len(stack)
    chance = np.array([stack.generator(run, names=("target",)).uniform(size=3) for run in range(runs)]).T
    if stack["target"] == "gaussian":
        mean, spread, modes = -3 * chance[0] - 0.5, 4.0 ** (2 * chance[1] - 1), np.zeros(runs)
        start = np.hypot(mean * np.exp(-T), np.sqrt(1 + (spread - 1) * np.exp(-2 * T)) - 1)
        middle, sd = gaussian_samples(mean, spread, bias, T, str(stack["sampler"]))
        end = np.hypot(middle - mean, sd - np.sqrt(spread))
    elif stack["sampler"] == "ode":
        spread, modes = 0.15 + 0.25 * chance[0], 1.5 + chance[1]
        start = distance_from_modes(normal_quantiles(runs), spread, modes, T)
        end = distance_from_modes(two_mode_samples(spread, modes, bias, T), spread, modes)
    else:
        raise InputError("score_matching_wasserstein: sampler: two modes are followed by the flow alone, ode")
    return {"distance": end, "start": start, "spread": spread, "modes": modes}


def normal_quantiles(runs: int) -> Array:
    """Quantiles of N(0, 1), ``(quantile, run)``."""
    from scipy.special import ndtri

    return np.tile(ndtri(LEVELS), (runs, 1)).T


def gaussian_samples(mean: Array, spread: Array, bias: Array, horizon: float, sampler: str) -> tuple[Array, Array]:
    """Mean and standard deviation of samples of N(mean, spread), each ``(run,)``.

    Args:
        mean: of the data, ``(run,)``.
        spread: their variances.
        bias: what is added to the score.
        horizon: T.
        sampler: sde or ode.
    """
    weight = 2.0 if sampler == "sde" else 1.0

    def drift(state: Array, t: float) -> Array:
        w = 1 + (spread - 1) * np.exp(-2 * t)
        middle, sd = state
        pull = weight * (bias - (middle - mean * np.exp(-t)) / w)
        noise = 1 / sd if sampler == "sde" else 0.0
        return np.stack([middle + pull, sd * (1 - weight / w) + noise])

    middle, sd = _reversed(drift, np.stack([np.zeros(len(mean)), np.ones(len(mean))]), horizon)
    return middle, sd


def two_mode_samples(spread: Array, modes: Array, bias: Array, horizon: float) -> Array:
    """Quantiles of the flow's samples of (N(modes, spread) + N(-modes, spread)) / 2, ``(quantile, run)``."""

    def drift(state: Array, t: float) -> Array:
        w, a = 1 + (spread - 1) * np.exp(-2 * t), modes * np.exp(-t)
        return state + ((a * np.tanh(a * state / w) - state) / w + bias)

    return _reversed(drift, normal_quantiles(len(modes)), horizon)


def _reversed(drift: Callable[[Array, float], Array], state: Array, horizon: float) -> Array:
    """Classical Runge-Kutta steps from t = T to 0."""
    for step in range(round(horizon / STEP)):
        t = horizon - step * STEP
        k1 = drift(state, t)
        k2 = drift(state + STEP / 2 * k1, t - STEP / 2)
        k3 = drift(state + STEP / 2 * k2, t - STEP / 2)
        k4 = drift(state + STEP * k3, t - STEP)
        state = state + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return state


def distance_from_modes(x: Array, spread: Array, modes: Array, t: float = 0.0) -> Array:
    """W2 of quantiles ``(quantile, run)`` from the two modes at time t of the forward process, ``(run,)``."""
    from scipy.special import ndtr

    found = []
    for one, s, a in zip(x.T, spread, modes):
        sd, middle = np.sqrt(1 + (s - 1) * np.exp(-2 * t)), a * np.exp(-t)
        grid = np.linspace(-middle - 8 * sd, middle + 8 * sd, 20_001)
        law = (ndtr((grid - middle) / sd) + ndtr((grid + middle) / sd)) / 2
        found.append(np.sqrt(np.mean((np.sort(one) - np.interp(LEVELS, law, grid)) ** 2)))
    return np.array(found)
