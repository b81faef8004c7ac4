"""Errors of a network's outputs on random directions, so that inner products of runs are statistics of the cube."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

DIRECTIONS = 64
CLASSES = 10


def error_on_directions(trained: Any, stack: Any) -> dict[str, NDArray[np.float32]]:  # noqa: ANN401
    """Outputs less one-hot targets on directions that all runs of a seed share; their squares sum to |e|^2 an example.

    With g standard normal in the space of all test outputs, E (g . e)(g . e') = e . e', so the sum over directions is
    right on average, of products too.

    Args:
        trained: a stack with class labels 0 to 9 and a test set.
        stack: with ``seed`` and ``tests``.

    Returns:
        ``error``, ``(run, direction)``.
    """
    outputs = trained.outputs("test").numpy()
    errors = outputs - np.eye(CLASSES)[trained.stacked_targets("test").numpy()]
    kept = np.empty((len(stack), DIRECTIONS), np.float32)
    directions: dict[int, Any] = {}
    for run, seed in enumerate(stack["seed"]):
        if seed not in directions:
            draw = stack.generator(run, "directions", ("tests",))
            directions[seed] = draw.standard_normal((DIRECTIONS, errors[run].size))
        kept[run] = directions[seed] @ errors[run].ravel() / np.sqrt(DIRECTIONS * len(errors[run]))
    return {"error": kept}
