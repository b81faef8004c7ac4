"""Standard normal inputs without end and without targets, for objectives that are their own noise model."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlatlas.data.dataset import Online


def gaussian_noise(*, folder: Path, generator: np.random.Generator, d: int = 20) -> Online:
    """Fresh N(0, I) inputs ``(n, d)`` float32 at every step, targets zero ``(n,)``.

    Args:
        folder: the data folder; not read.
        generator: the run's data stream; not drawn from.
        d: dimension of the inputs.
    """

    def draw(generator: np.random.Generator, n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return generator.standard_normal((n, d), dtype=np.float32), np.zeros(n, dtype=np.float32)

    return Online(draw)
