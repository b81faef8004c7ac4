"""Handwritten digits, 8x8: scikit-learn's copy of the UCI optical digits (Alpaydin & Kaynak, 1998)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlatlas.data.dataset import Dataset
from dlatlas.data.random_labels import randomise
from dlatlas.data.subset import check_count
from dlatlas.data.tensors import read

FILE = "digits"
EXAMPLES = 1797
# Mean and standard deviation of all pixels of all digits, pixels in [0, 1].
MEAN, STD = 0.305260, 0.376049


def make() -> dict[str, NDArray[np.generic]]:
    """The arrays of the file: pixels in [0, 1], sixteenths and so exact in float32, and labels 0 to 9.

    Returns:
        ``x`` (1797, 64) float32 and ``y`` (1797,) int64.
    """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return {"x": (x / 16).astype(np.float32), "y": y.astype(np.int64)}


def digits(
    *,
    folder: Path,
    generator: np.random.Generator,
    n_train: int = 1000,
    label_noise: float = 0.0,
    input_noise: bool = False,
    flat: bool = True,
) -> Dataset:
    """A random split of the digits, standardised by fixed constants.

    Args:
        folder: the data folder.
        generator: the run's data stream; draws the split, then the noise.
        n_train: training examples; the rest of the 1797 is the test set.
        label_noise: share of the training labels replaced by uniformly random ones; 1 is random labels.
        input_noise: replace the training inputs by Gaussian noise of their mean and covariance.
        flat: inputs ``(n, 64)``; otherwise ``(n, 1, 8, 8)``.

    Returns:
        Inputs float32, classes int64. The test set is always clean.

    Raises:
        InputError: the file is missing or broken, or a hyper-parameter is out of range.
    """
    check_count("digits: n_train", n_train, EXAMPLES - 1)
    file = read(folder, "digits")
    x, y = ((file["x"] - MEAN) / STD).astype(np.float32), file["y"]
    order = generator.permutation(EXAMPLES)
    train, test = order[:n_train], order[n_train:]
    shape = (-1, 64) if flat else (-1, 1, 8, 8)
    clean = Dataset(x[train].reshape(shape), y[train], x[test].reshape(shape), y[test])
    return randomise(clean, label_noise, input_noise, classes=10, generator=generator)
