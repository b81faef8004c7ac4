"""What every data set returns."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Dataset:
    """Inputs and targets of one data set, as NumPy arrays.

    Attributes:
        x: training inputs, ``(n, ...)`` float32 or float64.
        y: training targets, ``(n,)`` int64 classes or ``(n, outputs)``/``(n,)`` floats.
        x_test: test inputs, or None where there is no test set.
        y_test: test targets, or None.
    """

    x: NDArray[np.generic]
    y: NDArray[np.generic]
    x_test: NDArray[np.generic] | None = None
    y_test: NDArray[np.generic] | None = None


@dataclass(frozen=True)
class Online:
    """A data set without end: each batch is drawn anew.

    Attributes:
        draw: (generator, n) -> inputs ``(n, ...)`` and targets ``(n, ...)``; equal generators give equal draws.
        x_test: test inputs, or None.
        y_test: test targets, or None.
    """

    draw: Callable[[np.random.Generator, int], tuple[NDArray[np.generic], NDArray[np.generic]]]
    x_test: NDArray[np.generic] | None = None
    y_test: NDArray[np.generic] | None = None
