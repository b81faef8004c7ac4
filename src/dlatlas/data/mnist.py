"""MNIST (LeCun, Bottou, Bengio & Haffner 1998), from the four published IDX files, if you have put them there."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlatlas.data.dataset import Dataset
from dlatlas.data.idx import read_idx
from dlatlas.data.random_labels import randomise
from dlatlas.data.subset import subset
from dlatlas.errors import InputError

FILE = "mnist"
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# Mean and standard deviation of the training pixels, pixels in [0, 1].
MEAN, STD = 0.1307, 0.3081


def mnist(
    *,
    folder: Path,
    generator: np.random.Generator,
    n_train: int = 10_000,
    n_test: int = 10_000,
    label_noise: float = 0.0,
    input_noise: bool = False,
    flat: bool = True,
) -> Dataset:
    """MNIST with its published split, standardised by fixed constants.

    Args:
        folder: the data folder; the files are in ``mnist/`` in it, each as published or with ``.gz``.
        generator: the run's data stream; draws the subsets, then the noise.
        n_train: training examples, a random subset if fewer than published.
        n_test: test examples, likewise.
        label_noise: share of the training labels replaced by uniformly random ones; 1 is random labels.
        input_noise: replace the training inputs by Gaussian noise of their mean and covariance.
        flat: inputs ``(n, 784)``; otherwise ``(n, 1, 28, 28)``.

    Returns:
        Inputs float32, classes int64. The test set is always clean.

    Raises:
        InputError: a file is missing or broken, or a hyper-parameter is out of range.
    """
    paths = [_find(Path(folder) / "mnist", name) for name in FILES]
    x, y = _half(*paths[:2])
    x_test, y_test = _half(*paths[2:])
    train = subset("mnist: n_train", n_train, len(y), generator)
    test = subset("mnist: n_test", n_test, len(y_test), generator)
    shape = (-1, 784) if flat else (-1, 1, 28, 28)
    clean = Dataset(_scaled(x[train], shape), y[train], _scaled(x_test[test], shape), y_test[test])
    return randomise(clean, label_noise, input_noise, classes=10, generator=generator)


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise InputError(
        f"{folder / name}[.gz]: missing; put the four published files there ({', '.join(FILES)}), "
        "then run `dvc add data`"
    )


def _half(images: Path, labels: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    x, y = read_idx(images, (None, 28, 28)), read_idx(labels, (None,))
    if len(x) != len(y):
        raise InputError(f"{labels}: expected {len(x)} labels, as many as images, found {len(y)}")
    if y.size and y.max() > 9:
        raise InputError(f"{labels}: expected labels 0 to 9, found {y.max()}")
    return x, y.astype(np.int64)


def _scaled(x: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.float32]:
    return ((x / np.float32(255) - np.float32(MEAN)) / np.float32(STD)).reshape(shape)
