"""Into how many linear pieces ReLU networks cut lines and planes between their training points."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.identity.streams import stream
from dlatlas.measures.linear_regions import breakpoints, regions, tent

LINES, FOLDS, NOISE, PLANE = 4, 10, (0.0, 0.001, 0.01, 0.03, 0.1, 0.3), 64
"""Lines a network; folds of the sawtooth and noise on its weights; most units for which planes are cut."""

Array = NDArray[np.float64]


def cut_by_units(trained: Any, stack: Any) -> dict[str, Array]:  # noqa: ANN401
    """Breaks on segments between training points, regions on a plane through three, breaks of a noisy sawtooth.

    Args:
        trained: a stack of `MLP`, in float64 from here on.
        stack: with ``depth``, ``neurons`` in all layers and ``bias_sd``, that of the biases at the start.

    Returns:
        ``breaks``, mean over `LINES` segments; ``angle``, the mean over them of the angle that the first layer sees,
        over pi; ``regions``, NaN with more than `PLANE` units, all ``(run,)``; ``sawtooth``, ``(run, noise)``.
    """
    x = trained.data()[0].numpy()
    p = {name: value.double().numpy() for name, value in trained.parameters.items()}
    depth, units = int(stack["depth"]), int(stack["neurons"])
    breaks, angles, pieces = np.full((3, len(stack)), np.nan)
    sawtooth = np.full((len(stack), len(NOISE)), np.nan)
    for run, key in enumerate(trained.keys):
        points, rng = x if trained.shared_data else x[run], stream(key, "measure")
        layers = [(p[f"layers.{i}.weight"][run], p[f"layers.{i}.bias"][run]) for i in range(depth)]
        pairs = [rng.choice(len(points), 2, replace=False) for _ in range(LINES)]
        breaks[run] = np.mean([len(breakpoints(layers, *points[pair])) for pair in pairs])
        beta = float(stack.runs[run]["bias_sd"]) / np.sqrt(2 / points.shape[1])
        angles[run] = np.mean([angle(*points[pair], beta) for pair in pairs]) / np.pi
        if units <= PLANE:
            corner, one, other = points[rng.choice(len(points), 3, replace=False)]
            pieces[run] = regions(layers, corner, one - corner, other - corner)
        for i, noise in enumerate(NOISE):
            sawtooth[run, i] = len(breakpoints(tent(FOLDS, noise, rng), np.zeros(1), np.ones(1)))
    return {"breaks": breaks, "regions": pieces, "angle": angles, "sawtooth": sawtooth}


def angle(one: Array, other: Array, beta: float) -> float:
    """Between (x, beta) and (x', beta): a random unit of bias over weight beta separates them with angle / pi."""
    a, b = np.append(one, beta), np.append(other, beta)
    return float(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
