"""Exact linear regions of ReLU networks on lines and planes.

On a line the preactivations of the first layer are affine, so each unit breaks it where it changes sign; between the
breaks so far the next layer is affine again. On a plane the same cuts convex polygons. Nothing is sampled: a grid
counts each kink twice or misses it (the audit of the catalogue found 2253 for 1126).
Source: Hanin & Rolnick 2019, section 3 and appendix A.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Layers = Sequence[tuple[Floats, Floats]]
"""Weights ``(out, in)`` and biases ``(out,)`` of the hidden layers, in order."""


def breakpoints(layers: Layers, start: Floats, end: Floats) -> Floats:
    """Where a network breaks on the segment from ``start`` (0) to ``end`` (1), sorted; one entry a unit and break."""
    nodes, found = np.array([0.0, 1.0]), []
    for depth in range(1, len(layers) + 1):
        z = _preactivations(layers[:depth], start + nodes[:, None] * (end - start))
        before, after = z[:-1], z[1:]
        at, unit = np.nonzero(before * after < 0)
        share = before[at, unit] / (before[at, unit] - after[at, unit])
        new = nodes[at] + share * (nodes[at + 1] - nodes[at])
        found.append(new)
        nodes = np.unique(np.concatenate([nodes, new]))
    return np.sort(np.concatenate(found))


def _preactivations(layers: Layers, x: Floats) -> Floats:
    for weights, biases in layers[:-1]:
        x = np.maximum(x @ weights.T + biases, 0)
    weights, biases = layers[-1]
    return x @ weights.T + biases


def regions(layers: Layers, corner: Floats, one: Floats, other: Floats) -> int:
    """Number of linear regions on the parallelogram ``corner + s one + t other``, s and t from 0 to 1.

    Regions are counted by activation patterns on connected pieces: a unit that does not cross one does not cut it.
    """
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    pieces = [square]
    for depth in range(1, len(layers) + 1):
        cut: list[Floats] = []
        for piece in pieces:
            x = corner + piece @ np.stack([one, other])
            values = _preactivations(layers[:depth], x)
            parts = [(piece, values)]
            for unit in range(values.shape[1]):
                parts = [half for part in parts for half in _halves(*part, unit)]
            cut += [part for part, _ in parts]
        pieces = cut
    return len(pieces)


def _halves(piece: Floats, values: Floats, unit: int) -> list[tuple[Floats, Floats]]:
    """A convex polygon and the units' values at its corners, cut where one unit is zero."""
    z = values[:, unit]
    if not (z.min() < 0 < z.max()):
        return [(piece, values)]
    both = np.hstack([piece, values])
    following = np.roll(both, -1, axis=0)
    z_next = np.roll(z, -1)
    crossed = z * z_next < 0
    share = np.where(crossed, z / np.where(crossed, z - z_next, 1.0), 0.0)[:, None]
    between = both + share * (following - both)
    halves = []
    for side in (z >= 0, z <= 0):
        rows = [row for i in range(len(z)) for row in ([both[i]] * int(side[i]) + [between[i]] * int(crossed[i]))]
        halves.append((np.array(rows)[:, :2], np.array(rows)[:, 2:]))
    return halves


def tent(layers: int, noise: float, rng: np.random.Generator) -> list[tuple[Floats, Floats]]:
    """Hidden layers of the network that folds [0, 1] ``layers`` times: 2^layers linear pieces from two units a layer.

    Args:
        layers: how many folds.
        noise: relative size of Gaussian noise on each weight and bias.
        rng: draws the noise.

    Source: Telgarsky 2015, the sawtooth; Hanin & Rolnick 2019, figure 2, for its fragility.
    """
    fold = np.array([[2.0, -4.0], [2.0, -4.0]])  # of the two units before: 2 relu(x) - 4 relu(x - 1/2)
    made = [(np.ones((2, 1)), np.array([0.0, -0.5]))]
    made += [(fold.copy(), np.array([0.0, -0.5])) for _ in range(layers - 1)]

    def shaken(values: Floats) -> Floats:
        return values * (1 + noise * rng.standard_normal(values.shape))

    return [(shaken(weights), shaken(biases)) for weights, biases in made]
