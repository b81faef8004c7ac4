"""Runs become one number, for many draws of the seeds at once: means, medians and spreads, NaN left out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.declare.statistic import By

NUMBERS = 2**23
"""About this many numbers are held at once (64 MiB); more draws go in turns."""


class LeaveOneOut:
    """The draws of the jackknife: every seed is left out once.

    Means over them need no list of who is in; where one is needed it is made.
    """

    def __init__(self, seeds: int) -> None:
        self.seeds = seeds

    def __len__(self) -> int:
        return self.seeds

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.int64]:  # noqa: ANN401
        index = np.arange(self.seeds - 1)[None]
        return index + (index >= np.arange(self.seeds)[:, None])


def middle(array: NDArray[np.float64], by: By, seeds: NDArray[np.int64] | LeaveOneOut | None) -> NDArray[np.float64]:
    """The mean (median, geometric mean, spread) of runs, for each draw.

    Args:
        array: ``(draw, *kept, other, seed)``; with ``seeds``, one draw of which they are drawn.
        by: any but ``runs``.
        seeds: ``(draw, seed)``, places of seeds; None for all of them once.

    Returns:
        ``(draw, *kept)``, NaN where there is no value.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if by == "log mean":
            return np.exp(middle(np.log(np.where(array > 0, array, np.nan)), "mean", seeds))
        if by == "median":
            return _median(array, seeds)
        if by == "spread":
            return _spread(array, seeds)
        missing = np.isnan(array)
        whole = not missing.any()
        if not whole:
            array = np.where(missing, 0.0, array)
        total = array[..., 0, :] if array.shape[-2] == 1 else array.sum(-2)
        count = (~missing).sum(-2).astype(float) if not whole else np.full((1,) * total.ndim, float(array.shape[-2]))
        if seeds is None:
            return total.sum(-1) / (count.sum(-1) if not whole else count[..., 0] * total.shape[-1])
        if isinstance(seeds, LeaveOneOut):
            left, of = (_left_out(part[0]) for part in (total, np.broadcast_to(count, total.shape)))
            return left / of
        if not np.isfinite(total).all():  # 0 times infinity would be NaN
            total, count = (np.moveaxis(np.broadcast_to(part, total.shape)[0][..., seeds], -2, 0)
                            for part in (total, count))  # fmt: skip
            return total.sum(-1) / count.sum(-1)
        size = array.shape[-1]  # how often each seed is drawn: one product of matrices then does for all draws
        place = (np.arange(len(seeds))[:, None] * size + seeds).ravel()
        weights = np.bincount(place, minlength=len(seeds) * size).reshape(len(seeds), size).astype(float)
        drawn = np.moveaxis(total[0] @ weights.T, -1, 0)
        return drawn / (count[0, ..., 0] * size if whole else np.moveaxis(count[0] @ weights.T, -1, 0))


def _spread(array: NDArray[np.float64], seeds: NDArray[np.int64] | LeaveOneOut | None) -> NDArray[np.float64]:
    """Standard deviation over seeds, with one degree of freedom less, and its mean over the others."""
    off = array - np.nanmean(array, axis=-1, keepdims=True)  # else the two moments would lose digits
    known = np.isfinite(array).astype(float)
    mean, square, share = (middle(part[..., None, :], "mean", seeds) for part in (off, off**2, known))
    size = array.shape[-1] if seeds is None else np.asarray(seeds).shape[1]
    variance = np.maximum(square - mean**2, 0) * (share * size) / (share * size - 1)
    return np.nanmean(np.sqrt(variance), axis=-1)


def _left_out(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum over all seeds but one, for each of them, ``(seed, ...)``; an infinity is left out with its seed."""

    def others(values: NDArray[Any]) -> NDArray[Any]:
        return values.sum(-1, keepdims=True) - values

    wild = ~np.isfinite(values)
    found = others(np.where(wild, 0.0, values))
    if wild.any():
        above, below, lost = (
            others(kind.astype(int)) > 0 for kind in (values == np.inf, values == -np.inf, np.isnan(values))
        )
        found = np.where(above, np.inf, np.where(below, -np.inf, found))
        found = np.where(lost | above & below, np.nan, found)
    return np.moveaxis(found, -1, 0)


def _median(array: NDArray[np.float64], seeds: NDArray[np.int64] | LeaveOneOut | None) -> NDArray[np.float64]:
    if seeds is None:
        return _sorted_median(array.reshape(*array.shape[:-2], -1))
    seeds = np.asarray(seeds)
    parts = max(1, NUMBERS // max(1, array[0].size))
    found = []
    for at in range(0, len(seeds), parts):
        drawn = np.moveaxis(array[0][..., seeds[at : at + parts]], -2, 0)
        found.append(_sorted_median(drawn.reshape(*drawn.shape[:-2], -1)))
    return np.concatenate(found)


def _sorted_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the last dimension, NaN left out; NumPy's own goes row by row."""
    values = np.sort(values, axis=-1)
    count = (~np.isnan(values)).sum(-1, keepdims=True)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, values.shape[-1] - 1)
    middle = (np.take_along_axis(values, low, -1) + np.take_along_axis(values, high, -1)) / 2
    return np.where(count > 0, middle, np.nan)[..., 0]
