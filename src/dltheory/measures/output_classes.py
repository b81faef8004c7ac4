"""Which outputs are equal: classes of a network's outputs, and how far they are from given ones."""

import numpy as np
from numpy.typing import NDArray

SAME = 1e-9
"""Relative difference up to which two outputs are one: round-off of float64 stays below 1e-13."""


def grouped(outputs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Classes of equal rows ``(row,)``: sorted along one direction, then each compared with the one before."""
    scale = np.abs(outputs).max()
    along = outputs @ np.random.default_rng(0).standard_normal(outputs.shape[1])
    order = np.argsort(along, kind="stable")
    new = np.abs(np.diff(outputs[order], axis=0)).max(1) > SAME * scale
    found = np.empty(len(outputs), dtype=np.int64)
    found[order] = np.concatenate([[0], np.cumsum(new)])
    return found


def spread(outputs: NDArray[np.float64], group: NDArray[np.int64]) -> float:
    """The largest difference of two outputs of one class, in units of the largest output; 0 if all of them are 0."""
    low, high = (np.full((group.max() + 1, outputs.shape[1]), sign * np.inf) for sign in (1, -1))
    np.minimum.at(low, group, outputs)
    np.maximum.at(high, group, outputs)
    return float((high - low).max() / (np.abs(outputs).max() or 1.0))
