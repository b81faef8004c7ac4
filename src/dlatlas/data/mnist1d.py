"""MNIST-1D (Greydanus & Kobak 2020, arXiv 2011.14439): ten templates, moved, bent and drowned in noise."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlatlas.data.dataset import Dataset
from dlatlas.data.random_labels import randomise
from dlatlas.data.subset import subset
from dlatlas.data.tensors import read

FILE = "mnist1d"
TRAIN = 4000
# The ten digits as curves of twelve points.
TEMPLATES = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)


def stretch(signal: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """``signal`` ``(m,)`` interpolated linearly to ``length`` points, ends kept."""
    return np.interp(np.linspace(0, 1, length), np.linspace(0, 1, len(signal)), signal)


def signals(samples: int = 5000, seed: int = 42) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The data set, drawn in the published order: the defaults give the frozen file's labels and inputs.

    Args:
        samples: how many signals, a multiple of ten.
        seed: of the (legacy) random state.

    Returns:
        Signals ``(samples, 40)`` of mean 0 and standard deviation 1 over all, and classes ``(samples,)``.
    """
    from scipy.ndimage import gaussian_filter

    draw = np.random.RandomState(seed)
    templates = np.asarray(TEMPLATES)
    templates = templates - templates.mean(axis=1, keepdims=True)
    templates /= templates.std(axis=1, keepdims=True)
    templates = (templates - templates[:, :1]) / 6
    y = np.repeat(np.arange(10), samples // 10)
    x = np.empty((len(y), 40))
    for row, label in enumerate(y):
        padding = 36 + int(draw.rand() * 25)
        # The 1e-8 tells the curve, where it is zero, from the padding, which becomes correlated noise.
        curve = stretch(np.concatenate([templates[label] + 1e-8, np.zeros(padding)]), 72)
        curve *= 1 + 0.4 * (draw.rand() - 0.5)
        curve = np.roll(curve, draw.choice(48))
        smooth = gaussian_filter(0.25 * draw.randn(72), 2)
        curve = np.where(curve != 0, curve, smooth) + 0.02 * draw.randn(72)
        curve = curve - 0.75 * (draw.rand() - 0.5) * np.linspace(-0.5, 0.5, 72)
        x[row] = stretch(curve, 40)
    order = draw.permutation(len(y))
    x, y = x[order], y[order]
    return (x - x.mean()) / x.std(), y


def make() -> dict[str, NDArray[np.generic]]:
    """The arrays of the file: ``x`` (5000, 40) float32 and ``y`` (5000,) int64, training examples first."""
    # float32: the C library's logarithm and NumPy's order of summation may differ in the last bit of a float64
    # between machines; the rounded values, and with them the file's digest, practically never do.
    x, y = signals()
    return {"x": x.astype(np.float32), "y": y.astype(np.int64)}


def mnist1d(
    *,
    folder: Path,
    generator: np.random.Generator,
    n_train: int = TRAIN,
    label_noise: float = 0.0,
    input_noise: bool = False,
) -> Dataset:
    """MNIST-1D with its published split, 4000 to train and 1000 to test; standardised as published.

    Args:
        folder: the data folder.
        generator: the run's data stream; draws the subset, then the noise.
        n_train: training examples, a random subset if fewer than 4000.
        label_noise: share of the training labels replaced by uniformly random ones; 1 is random labels.
        input_noise: replace the training inputs by Gaussian noise of their mean and covariance.

    Returns:
        Inputs ``(n, 40)`` float32, classes int64. The test set is always clean.

    Raises:
        InputError: the file is missing or broken, or a hyper-parameter is out of range.
    """
    file = read(folder, "mnist1d")
    x, y = file["x"], file["y"]
    train = subset("mnist1d: n_train", n_train, TRAIN, generator)
    clean = Dataset(x[train], y[train], x[TRAIN:], y[TRAIN:])
    return randomise(clean, label_noise, input_noise, classes=10, generator=generator)
