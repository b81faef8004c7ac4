"""Waves of several frequencies on the circle."""

from pathlib import Path

import numpy as np

from dlatlas.data.dataset import Dataset

FREQUENCIES = (1, 2, 4, 8, 16)


def amplitudes(name: str, highest: int = FREQUENCIES[-1]) -> np.ndarray:
    """Amplitude of each frequency up to the highest, equal or in proportion to it; the target's mean square is 1."""
    k = np.array([frequency for frequency in FREQUENCIES if frequency <= highest], dtype=float)
    size = k if name == "rising" else np.ones(len(k))
    return size * np.sqrt(2 / (size**2).sum())


def circle_waves(
    *,
    folder: Path,
    generator: np.random.Generator,
    n_train: int = 128,
    amplitude: str = "equal",
    harmonics: int = 1,
    highest: int = FREQUENCIES[-1],
    scale: float = 1.0,
) -> Dataset:
    """Targets sum_k A_k sin(k t + phase) at ``n_train`` equally spaced angles t, k = 1, 2, 4, 8, 16.

    The test set lies half-way between, at as many points.

    Args:
        folder: the data folder; not read.
        generator: the run's data stream; draws the phases.
        n_train: points on the circle; more than twice the highest frequency.
        amplitude: see `amplitudes`.
        harmonics: inputs are cos jt and sin jt, j = 1 to this, over its root; 1 is the plain circle, more are Fourier
            features (Tancik et al. 2020).
        highest: frequency of the target.
        scale: of the target; its mean square is this squared.

    Returns:
        Inputs ``(n, 2 * harmonics)`` of unit norm and targets ``(n, 1)``, float64.
    """
    phase = generator.uniform(0, 2 * np.pi, len(FREQUENCIES))
    size = scale * amplitudes(amplitude, highest)

    def at(angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        multiples = np.arange(1, harmonics + 1) * angle[:, None]
        x = np.concatenate([np.cos(multiples), np.sin(multiples)], axis=1) / np.sqrt(harmonics)
        waves = np.sin(np.array(FREQUENCIES) * angle[:, None] + phase)[:, : len(size)]
        return x, waves @ size[:, None]

    angle = 2 * np.pi * np.arange(n_train) / n_train
    return Dataset(*at(angle), *at(angle + np.pi / n_train))
