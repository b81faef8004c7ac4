"""Isotropic Gaussian inputs with a linear teacher: regression, and classes that a hyperplane separates."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlatlas.data.dataset import Dataset
from dlatlas.data.directions import directions
from dlatlas.data.random_labels import corrupt
from dlatlas.errors import InputError


def gaussian_regression(
    *,
    folder: Path,
    generator: np.random.Generator,
    n_train: int = 100,
    inputs: int = 50,
    n_test: int = 1000,
    signal: float = 1.0,
    noise: float = 0.0,
) -> Dataset:
    """Targets ``signal <w*, x> + noise z`` of inputs N(0, I), with a unit teacher w* and z standard normal.

    The signal-to-noise ratio is ``(signal / noise)^2`` (Hastie, Montanari, Rosset & Tibshirani 2022). Test targets
    have no noise, so the mean squared test error estimates the excess risk ``|w - signal w*|^2``.

    Args:
        folder: the data folder; not read.
        generator: the run's data stream; draws the teacher (`directions`), then both sets.
        n_train: training examples.
        inputs: dimension d of the inputs.
        n_test: test examples.
        signal: norm of the teacher.
        noise: standard deviation of the noise on the training targets.

    Returns:
        Inputs ``(n, inputs)`` and targets ``(n, 1)``, float64.
    """
    teacher = signal * directions(generator, inputs).T
    x = generator.standard_normal((n_train, inputs))
    x_test = generator.standard_normal((n_test, inputs))
    return Dataset(x, x @ teacher + noise * generator.standard_normal((n_train, 1)), x_test, x_test @ teacher)


def gaussian_classes(
    *,
    folder: Path,
    generator: np.random.Generator,
    n_train: int = 100,
    inputs: int = 50,
    n_test: int = 1000,
    margin: float = 0.1,
    label_noise: float = 0.0,
) -> Dataset:
    """Inputs N(0, I) moved away from a hyperplane by ``margin``; the label is the side of it, -1 or 1.

    With the unit teacher w*, ``x = g + margin sign<w*, g> w*`` and ``y = sign<w*, g>``, so that
    ``y <w*, x> = |<w*, g>| + margin``: w* separates all examples with at least that margin, and the largest margin
    of a sample is at least as large.

    Args:
        folder: the data folder; not read.
        generator: the run's data stream; draws the teacher (`directions`), then both sets.
        n_train: training examples.
        inputs: dimension d of the inputs.
        n_test: test examples.
        margin: distance of the hyperplane from the nearest possible example, positive.
        label_noise: share of the training labels replaced by a fair coin; the classes then overlap.

    Returns:
        Inputs ``(n, inputs)`` and labels -1 or 1 ``(n, 1)``, float64. The test set is always clean.

    Raises:
        InputError: ``margin`` is not positive, or ``label_noise`` not in [0, 1].
    """
    if not margin > 0:
        raise InputError(f"gaussian_classes: margin: expected a positive number, found {margin}")
    (teacher,) = directions(generator, inputs)
    x, side = _apart(generator.standard_normal((n_train, inputs)), teacher, margin)
    x_test, side_test = _apart(generator.standard_normal((n_test, inputs)), teacher, margin)
    side = corrupt(side, label_noise, 2, generator)
    return Dataset(x, 2.0 * side[:, None] - 1, x_test, 2.0 * side_test[:, None] - 1)


def _apart(
    g: NDArray[np.float64], teacher: NDArray[np.float64], margin: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    side = (g @ teacher >= 0).astype(np.int64)
    return g + margin * (2 * side - 1)[:, None] * teacher, side
