"""The statistics that claims are made of: exponents, agreement with a theory, order, extremes.

Each takes ``(cube, theory, *, of, where, ...)``, so that a claim names it with its settings and the control changes one
of them. ``of`` is a variable of the cube or a function of (cube, theory); ``where`` selects runs, see `select`.
"""

import math
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlatlas.errors import unknown

if TYPE_CHECKING:
    import xarray as xr

Middle = Literal["mean", "median", "log mean"]


def select(data: "xr.Dataset", where: Mapping[str, Any]) -> "xr.Dataset":
    """The part of a data set in which coordinates have given values.

    Args:
        data: a cube, or a theory on its coordinates.
        where: coordinate -> one value, a list of values, or a pair (low, high) of which each end may be None. A
            dimension of which one place is left over is dropped for a single value, and kept for lists and pairs.

    Raises:
        InputError: a coordinate that is not there.
    """
    kept: dict[Hashable, NDArray[np.bool_]] = {}
    single = set()
    for name, wanted in where.items():
        if name not in data.coords:
            raise unknown("where", "coordinate", name, [str(key) for key in data.coords])
        coordinate = data.variables[name]
        if coordinate.ndim == 0:
            continue
        (dim,), values = coordinate.dims, coordinate.values
        if isinstance(wanted, tuple):
            low, high = wanted
            chosen = np.ones(len(values), bool)
            chosen &= values >= low if low is not None else True
            chosen &= values <= high if high is not None else True
        elif isinstance(wanted, list):
            chosen = np.isin(values, wanted)
        else:
            chosen = values == wanted
            single.add(dim)
        kept[dim] = kept[dim] & chosen if dim in kept else chosen
    places: dict[Hashable, Any] = {}
    for dim, chosen in kept.items():
        found = np.flatnonzero(chosen)
        if dim in single and len(found) == 1:
            places[dim] = int(found[0])
        elif len(found) < len(chosen):
            places[dim] = found
    return data.isel(places) if places else data


def narrowed(
    cube: "xr.Dataset", theory: "xr.Dataset", where: Mapping[str, Any] | None
) -> "tuple[xr.Dataset, xr.Dataset]":
    """The part of both, the theory's by those of the coordinates that it has."""
    where = where or {}
    known = {name: value for name, value in where.items() if name in theory.coords}
    return select(cube, where), select(theory, known)


def quantity(cube: "xr.Dataset", theory: "xr.Dataset", of: Any) -> "xr.DataArray":  # noqa: ANN401
    """A variable by its name, or what a function of (cube, theory) gives."""
    return of(cube, theory) if callable(of) else cube[of]


def middle(values: "xr.DataArray", keep: tuple[str, ...], how: Middle = "mean") -> "xr.DataArray":
    """Mean, median or geometric mean over every dimension but some; NaN (diverged runs) are left out."""
    over = [dim for dim in values.dims if dim not in keep]
    if how == "log mean":
        return np.exp(np.log(values.where(values > 0)).mean(over))
    return values.mean(over) if how == "mean" else values.median(over)


def exponent(
    cube: "xr.Dataset",
    theory: "xr.Dataset",
    *,
    of: Any,  # noqa: ANN401
    along: str,
    where: Mapping[str, Any] | None = None,
    by: Middle = "mean",
) -> float:
    """Log-log slope of a quantity's mean over seeds (and all else that is not selected) against a coordinate."""
    cube, theory = narrowed(cube, theory, where)
    values = quantity(cube, theory, of)
    (dim,) = cube[along].dims
    return loglog_slope(cube[along].values, middle(values, (dim,), by).values)


def agreement(
    cube: "xr.Dataset",
    theory: "xr.Dataset",
    *,
    of: str,
    tolerance: float,
    prediction: str | None = None,
    where: Mapping[str, Any] | None = None,
    average: bool = True,
) -> float:
    """Share of settings in which the mean over seeds (or of runs, each for itself) is the theory's within a tolerance.

    Args:
        cube: the measured variable ``of``.
        theory: its prediction.
        of: the variable.
        tolerance: relative to the prediction.
        prediction: the theory's variable where it has another name.
        where: see `select`.
        average: over seeds first.
    """
    cube, theory = narrowed(cube, theory, where)
    measured, predicted = cube[of], theory[prediction or of]
    if average and "seed" in measured.dims:
        measured = measured.mean("seed")
        predicted = predicted.mean("seed") if "seed" in predicted.dims else predicted
    near = np.abs(measured - predicted) <= tolerance * np.abs(predicted)
    known = np.isfinite(predicted) & (np.isfinite(measured) | (not average))
    return float(near.where(known).mean())


def deviation(
    cube: "xr.Dataset",
    theory: "xr.Dataset",
    *,
    of: str,
    prediction: str | None = None,
    where: Mapping[str, Any] | None = None,
    worst: bool = False,
) -> float:
    """Mean (or largest) relative deviation of the mean over seeds from a variable of the theory, by default its own."""
    cube, theory = narrowed(cube, theory, where)
    measured, predicted = cube[of], theory[prediction or of]
    if "seed" in measured.dims:
        measured = measured.mean("seed")
        predicted = predicted.mean("seed") if "seed" in predicted.dims else predicted
    off = np.abs(measured / predicted - 1)
    return float(off.max() if worst else off.mean())


def extreme(
    cube: "xr.Dataset",
    theory: "xr.Dataset",
    *,
    of: Any,  # noqa: ANN401
    end: Literal["largest", "smallest"],
    where: Mapping[str, Any] | None = None,
    average: bool = False,
) -> float:
    """The largest or smallest value of a quantity over runs, or over settings after the mean over seeds."""
    cube, theory = narrowed(cube, theory, where)
    values = quantity(cube, theory, of)
    if average and "seed" in values.dims:
        values = values.mean("seed")
    return float(values.max() if end == "largest" else values.min())


def average(
    cube: "xr.Dataset",
    theory: "xr.Dataset",
    *,
    of: Any,  # noqa: ANN401
    where: Mapping[str, Any] | None = None,
    by: Middle = "mean",
) -> float:
    """Mean, median or geometric mean of a quantity over all selected runs; of a truth value, their share."""
    cube, theory = narrowed(cube, theory, where)
    return float(middle(quantity(cube, theory, of).astype(float), (), by))


def order(
    cube: "xr.Dataset",
    theory: "xr.Dataset",
    *,
    of: Any,  # noqa: ANN401
    along: str,
    where: Mapping[str, Any] | None = None,
    by: Middle = "mean",
) -> float:
    """Spearman's correlation of a quantity's mean over seeds with a coordinate: 1 if it always grows along it."""
    cube, theory = narrowed(cube, theory, where)
    values = quantity(cube, theory, of)
    (dim,) = cube[along].dims
    return rank_correlation(cube[along].values, middle(values, (dim,), by).values)


def slope(x: ArrayLike, y: ArrayLike) -> float:
    """Least-squares slope of y on x; pairs with a NaN are left out; NaN with fewer than two."""
    x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    good = np.isfinite(x) & np.isfinite(y)
    if good.sum() < 2:
        return math.nan
    x, y = x[good] - x[good].mean(), y[good]
    return float(x @ y / (x @ x)) if np.any(x) else math.nan


def loglog_slope(x: ArrayLike, y: ArrayLike) -> float:
    """Exponent of a power law: the least-squares slope of ln y on ln x, positive pairs only."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return slope(np.log(np.where(x > 0, x, np.nan)), np.log(np.where(y > 0, y, np.nan)))


def rank_correlation(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation, pairs with a NaN left out."""
    from scipy import stats

    x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    good = np.isfinite(x) & np.isfinite(y)
    if good.sum() < 3 or np.ptp(x[good]) == 0 or np.ptp(y[good]) == 0:
        return math.nan
    return float(stats.spearmanr(x[good], y[good]).statistic)
