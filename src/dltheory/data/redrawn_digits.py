"""Many training sets of handwritten digits with one test set, for bias and variance over training sets."""

from pathlib import Path

import numpy as np

from dlatlas.data.dataset import Dataset
from dlatlas.data.digits import EXAMPLES, STD
from dlatlas.data.random_labels import corrupt
from dlatlas.data.subset import check_count
from dlatlas.data.tensors import read
from dlatlas.identity.content import canonical
from dlatlas.identity.streams import stream

FILE = "digits"


def redrawn_digits(
    *,
    folder: Path,
    generator: np.random.Generator,
    n_train: int = 200,
    label_noise: float = 0.0,
    tests: int = 500,
    seed: int = 0,
    sample: int = 0,
) -> Dataset:
    """``n_train`` digits from all but the test set, which hangs on ``seed`` and ``tests`` alone.

    Pixels are less their means over all digits, in units of the standard deviation of all pixels: with the mean image
    left in, gradient descent takes many times as long to fit.

    Args:
        folder: the data folder.
        generator: the run's data stream; draws the training set, then the noise.
        n_train: training examples.
        label_noise: share of the training labels replaced by uniformly random ones.
        tests: test examples.
        seed: names the test set.
        sample: which training set; names the data stream, so that each is drawn independently of the others.

    Returns:
        Inputs ``(n, 64)`` float32, classes int64. The test set is clean.

    Raises:
        InputError: the file is missing or broken, or a hyper-parameter is out of range.
    """
    check_count("redrawn_digits: tests", tests, EXAMPLES - 1)
    check_count("redrawn_digits: n_train", n_train, EXAMPLES - tests)
    file = read(folder, "digits")
    pixels, y = file["x"].astype(np.float64), file["y"]
    x = ((pixels - pixels.mean(axis=0)) / STD).astype(np.float32)
    order = stream(canonical({"seed": seed}), "redrawn_digits").permutation(EXAMPLES)
    test, pool = order[:tests], order[tests:]
    train = pool[generator.permutation(len(pool))[:n_train]]
    return Dataset(x[train], corrupt(y[train], label_noise, 10, generator), x[test], y[test])
