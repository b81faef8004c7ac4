"""How well the explicit network of 2n + d weights fits what was trained on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.identity.streams import stream
from dltheory.theory.interpolation import interpolant, residual

CLASSES = 10


def construction(trained: Any, stack: Any) -> dict[str, NDArray[np.float64]]:  # noqa: ANN401
    """Residual of the interpolant on the training points, class labels scaled to -1 to 1.

    Args:
        trained: a stack with class labels 0 to 9.
        stack: its runs; each has its own random direction.

    Returns:
        ``construction``, ``(run, arithmetic)``, in float64 and in float32.

    Source: Zhang, Bengio, Hardt, Recht & Vinyals 2017, theorem 1.
    """
    x, y = (value.numpy() for value in trained.data())
    found = np.full((len(stack), 2), np.nan)
    for run, key in enumerate(trained.keys):
        points, labels = (x, y) if trained.shared_data else (x[run], y[run])
        for i, kind in enumerate((np.float64, np.float32)):
            data = points.astype(kind), (labels / ((CLASSES - 1) / 2) - 1).astype(kind)
            found[run, i] = residual(*data, interpolant(*data, stream(key, "direction")))
    return {"construction": found}
