"""Waves of several frequencies on the circle."""

from pathlib import Path

import numpy as np

from dlatlas.data.dataset import Dataset

FREQUENCIES = (1, 2, 4, 8, 16)


def amplitudes(name: str) -> np.ndarray:
    """Amplitude of each frequency, equal or in proportion to it; the mean square of the target is 1."""
    size = np.array(FREQUENCIES, dtype=float) if name == "rising" else np.ones(len(FREQUENCIES))
    return size * np.sqrt(2 / (size**2).sum())


def circle_waves(
    *,
    folder: Path,
    generator: np.random.Generator,
    n_train: int = 128,
    amplitude: str = "equal",
    harmonics: int = 1,
) -> Dataset:
    """Targets sum_k A_k sin(k t + phase) at ``n_train`` equally spaced angles t, k = 1, 2, 4, 8, 16.

    Args:
        folder: the data folder; not read.
        generator: the run's data stream; draws the phases.
        n_train: points on the circle; more than 32.
        amplitude: see `amplitudes`.
        harmonics: inputs are cos jt and sin jt, j = 1 to this, over its root; 1 is the plain circle, more are Fourier
            features (Tancik et al. 2020).

    Returns:
        Inputs ``(n, 2 * harmonics)`` of unit norm and targets ``(n, 1)``, float64.
    """
    angle = 2 * np.pi * np.arange(n_train) / n_train
    multiples = np.arange(1, harmonics + 1) * angle[:, None]
    x = np.concatenate([np.cos(multiples), np.sin(multiples)], axis=1) / np.sqrt(harmonics)
    phase = generator.uniform(0, 2 * np.pi, len(FREQUENCIES))
    waves = np.sin(np.array(FREQUENCIES) * angle[:, None] + phase)
    return Dataset(x, waves @ amplitudes(amplitude)[:, None])
