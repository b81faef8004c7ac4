"""CIFAR-10 (Krizhevsky 2009), from its published files, binary or python version, if you have put them there."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlatlas.data.dataset import Dataset
from dlatlas.data.python_batch import read_python_batch
from dlatlas.data.random_labels import randomise
from dlatlas.data.subset import subset
from dlatlas.errors import InputError

FILE = "cifar10"
BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
PIXELS = 3072
# Means and standard deviations of the training pixels, red, green and blue, pixels in [0, 1].
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def cifar10(
    *,
    folder: Path,
    generator: np.random.Generator,
    n_train: int = 10_000,
    n_test: int = 10_000,
    label_noise: float = 0.0,
    input_noise: bool = False,
    flat: bool = False,
) -> Dataset:
    """CIFAR-10 with its published split, standardised channel by channel by fixed constants.

    Args:
        folder: the data folder; the files are in ``cifar10/`` in it: ``data_batch_1`` to ``data_batch_5`` and
            ``test_batch``, each with ``.bin`` (binary version) or without (python version).
        generator: the run's data stream; draws the subsets, then the noise.
        n_train: training examples, a random subset if fewer than published.
        n_test: test examples, likewise.
        label_noise: share of the training labels replaced by uniformly random ones; 1 is random labels.
        input_noise: replace the training inputs by Gaussian noise of their mean and covariance.
        flat: inputs ``(n, 3072)``; otherwise ``(n, 3, 32, 32)``.

    Returns:
        Inputs float32, classes int64. The test set is always clean.

    Raises:
        InputError: a file is missing or broken, or a hyper-parameter is out of range.
    """
    place = Path(folder) / "cifar10"
    batches = [read_batch(place, name) for name in BATCHES]
    x, y = (np.concatenate(parts) for parts in zip(*batches))
    x_test, y_test = read_batch(place, "test_batch")
    train = subset("cifar10: n_train", n_train, len(y), generator)
    test = subset("cifar10: n_test", n_test, len(y_test), generator)
    clean = Dataset(_scaled(x[train], flat), y[train], _scaled(x_test[test], flat), y_test[test])
    return randomise(clean, label_noise, input_noise, classes=10, generator=generator)


def read_batch(folder: Path, name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """One published file of images, the binary version if it is there, else the python version.

    Args:
        folder: where the files are.
        name: the file without ``.bin``.

    Returns:
        Pixels ``(n, 3072)`` uint8, red, then green, then blue, row by row; and classes ``(n,)``.

    Raises:
        InputError: the file is missing, of a wrong size, or holds something else.
    """
    binary, python = folder / f"{name}.bin", folder / name
    if binary.is_file():
        path, content = binary, np.fromfile(binary, np.uint8)
        if not content.size or content.size % (PIXELS + 1):
            raise InputError(
                f"{path}: expected a multiple of {PIXELS + 1} bytes (a label and {PIXELS} pixels), found {content.size}"
            )
        rows = content.reshape(-1, PIXELS + 1)
        x, y = rows[:, 1:], rows[:, 0].astype(np.int64)
    elif python.is_file():
        path, record = python, read_python_batch(python)
        missing = [key for key in ("data", "labels") if key.encode() not in record]
        if missing:
            raise InputError(f'{path}: not a CIFAR batch: has no "{missing[0]}"')
        x, labels = record[b"data"], record[b"labels"]
        if not isinstance(labels, list) or not all(type(label) is int for label in labels):
            raise InputError(f"{path}: expected the labels to be a list of whole numbers")
        if not isinstance(x, np.ndarray) or x.shape != (len(labels), PIXELS):
            raise InputError(f"{path}: expected {len(labels)} x {PIXELS} pixels for its labels, found {np.shape(x)}")
        y = np.array(labels, np.int64)
    else:
        names = ", ".join([*BATCHES, "test_batch"])
        raise InputError(
            f"{python}[.bin]: missing; put the six published files there ({names}, each .bin or of the python "
            "version), then run `dvc add data`"
        )
    if y.size and not 0 <= y.min() <= y.max() <= 9:
        raise InputError(f"{path}: expected labels 0 to 9, found {y.min()} to {y.max()}")
    return x, y


def _scaled(x: NDArray[np.uint8], flat: bool) -> NDArray[np.float32]:
    images = x.reshape(-1, 3, 32, 32) / np.float32(255)
    mean, std = (np.array(constants, np.float32)[:, None, None] for constants in (MEAN, STD))
    return ((images - mean) / std).reshape(x.shape if flat else images.shape)
