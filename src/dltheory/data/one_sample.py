"""One training example."""

from pathlib import Path

import numpy as np

from dlatlas.data.dataset import Dataset


def one_sample(*, folder: Path, generator: np.random.Generator) -> Dataset:
    """The input x = 1 with the target y = 0.

    Source: the warm-up model of Lewkowycz et al. 2020 (arXiv 2003.02218).

    Args:
        folder: the data folder; not read.
        generator: the run's data stream; not used.

    Returns:
        Input and target ``(1, 1)``, float64; no test set.
    """
    return Dataset(np.ones((1, 1)), np.zeros((1, 1)))
