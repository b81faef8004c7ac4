"""Separable Gaussian classes of several dimensions in arrays of one shape, so that they make one stack."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from dlatlas.data.dataset import Dataset
from dlatlas.data.gaussian import gaussian_classes
from dlatlas.errors import InputError


def embedded_classes(
    *,
    folder: Path,
    generator: np.random.Generator,
    n_train: int = 40,
    inputs: int = 20,
    dimension: int = 20,
    n_test: int = 200,
    margin: float = 0.5,
) -> Dataset:
    """`gaussian_classes` in ``dimension`` dimensions, followed by coordinates that are zero, ``inputs`` in all.

    Linear classification without intercept is the same problem as without the zeros.

    Raises:
        InputError: ``dimension`` exceeds ``inputs``, or ``margin`` is not positive.
    """
    dimension, inputs = int(dimension), int(inputs)
    if dimension > inputs:
        raise InputError(f"embedded_classes: dimension: expected at most inputs = {inputs}, found {dimension}")
    small = gaussian_classes(
        folder=folder, generator=generator, n_train=int(n_train), inputs=dimension, n_test=int(n_test), margin=margin
    )
    pad = ((0, 0), (0, inputs - dimension))
    return replace(small, x=np.pad(small.x, pad), x_test=np.pad(small.x_test, pad))
