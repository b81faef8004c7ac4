"""A mixture of two Gaussians on the line, and particles that sample it by reverse diffusion or by Langevin steps."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MODE, WEIGHT, SD = 2.0, 0.8, 0.5
"""Modes at +-2, eight standard deviations apart; four fifths of the mass are on the right."""


def score(x: Floats, t: float) -> Floats:
    """Gradient of the log density after a time t of dx = -x dt + sqrt 2 dB; t = 0 is the mixture itself."""
    mode, variance = MODE * np.exp(-t), 1 + (SD**2 - 1) * np.exp(-2 * t)
    odds = np.log(WEIGHT / (1 - WEIGHT)) + 2 * x * mode / variance
    return (mode * np.tanh(odds / 2) - x) / variance


def reverse(rng: np.random.Generator, particles: int, horizon: float, step: float, error: float) -> Floats:
    """Particles from N(0, 1) by the exponential integrator of the reverse process, a constant added to the score."""
    x, grow, noise = rng.standard_normal(particles), np.expm1(step), np.sqrt(np.expm1(2 * step))
    for k in range(round(horizon / step)):
        x = (1 + grow) * x + 2 * grow * (score(x, horizon - k * step) + error) + noise * rng.standard_normal(particles)
    return x


def langevin(rng: np.random.Generator, particles: int, horizon: float, step: float, error: float) -> Floats:
    """Particles from the right mode by Langevin steps with the mixture's own score, a constant added."""
    x = MODE + SD * rng.standard_normal(particles)
    for _ in range(round(horizon / step)):
        x = x + step * (score(x, 0.0) + error) + np.sqrt(2 * step) * rng.standard_normal(particles)
    return x
