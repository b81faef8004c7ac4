"""The randomisation tests of Zhang, Bengio, Hardt, Recht & Vinyals (2017, arXiv 1611.03530)."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dlatlas.data.dataset import Dataset
from dlatlas.errors import InputError


def corrupt(
    y: NDArray[np.integer], fraction: float, classes: int, generator: np.random.Generator
) -> NDArray[np.integer]:
    """Labels of which exactly ``round(fraction * n)`` are drawn again, uniformly over all classes.

    A label drawn again may come out as it was: with ``fraction`` 1, one in ``classes`` is right by chance.

    Args:
        y: labels ``(n,)``, 0 to ``classes - 1``; left as they are.
        fraction: share that is drawn again, 0 to 1.
        classes: number of classes.
        generator: draws which labels, then their values.

    Returns:
        New labels ``(n,)`` of the same dtype.

    Raises:
        InputError: ``fraction`` is not in [0, 1].
    """
    if not 0 <= fraction <= 1:
        raise InputError(f"label_noise: expected a fraction from 0 to 1, found {fraction}")
    count = round(fraction * len(y))
    which = generator.permutation(len(y))[:count]
    noisy = y.copy()
    noisy[which] = generator.integers(classes, size=count)
    return noisy


def random_inputs(
    x: NDArray[np.floating], generator: np.random.Generator, n: int | None = None
) -> NDArray[np.floating]:
    """Gaussian inputs with the mean and covariance of ``x``, independent of any label.

    Args:
        x: inputs ``(m, ...)``, whose moments are copied.
        generator: draws the noise.
        n: how many to draw; ``m`` by default.

    Returns:
        Noise ``(n, ...)`` of the dtype of ``x``.
    """
    rows = x.reshape(len(x), -1).astype(np.float64)
    mean = rows.mean(axis=0)
    covariance = (rows - mean).T @ (rows - mean) / len(rows)
    # The symmetric root is unique, unlike eigenvectors and Cholesky factors of a singular matrix, whose signs
    # and pivots depend on the machine: so the noise agrees between machines to rounding.
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    noise = mean + generator.standard_normal((n or len(rows), rows.shape[1])) @ root
    return noise.reshape(-1, *x.shape[1:]).astype(x.dtype)


def randomise(
    clean: Dataset, label_noise: float, input_noise: bool, classes: int, generator: np.random.Generator
) -> Dataset:
    """``clean`` with its training labels corrupted and its training inputs made noise, where asked for.

    Args:
        clean: the data set; its test set stays clean.
        label_noise: the ``fraction`` of `corrupt`.
        input_noise: replace the training inputs by `random_inputs` of them.
        classes: number of classes.
        generator: draws the labels, then the inputs.

    Raises:
        InputError: ``label_noise`` is not in [0, 1].
    """
    y = corrupt(clean.y, label_noise, classes, generator)
    x = random_inputs(clean.x, generator) if input_noise else clean.x
    return replace(clean, x=x, y=y)
