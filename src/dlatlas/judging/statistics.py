"""The statistics that claims are made of: exponents, agreement with a theory, order, extremes.

A statistic is an object: it says which observable it looks at, where, how the runs of one setting become one number
(``by``), and what it makes of those numbers. Compared with a number it becomes a claim's expectation:

    exponent("error", along="width", where={"depth": 2}).within(-0.5, 0.1)
    smallest("over_bound", by="mean", where=DENSE) >= 1

It is evaluated for many draws of the seeds, or many shuffles, at once (see `dlatlas.judging.sample`). Statistics can be
added, divided and compared with each other: ``average("a") / average("b") <= 0.5``, ``least(first, -second) >= 0``.
``of`` names an observable of the study, a variable of the cube, ``theory.<name>`` for a prediction, or is a function.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dlatlas.declare.statistic import By, Kind, Of, Statistic, Where, combined
from dlatlas.judging.sample import DRAW, Sample

if TYPE_CHECKING:
    import xarray as xr


Array = NDArray[np.float64]
Numbers = tuple[Array, Any]
Ends = Callable[[float], tuple[Array, Array]]
"""The ends of the intervals of a statistic's numbers, at a probability on either side."""
Pair = tuple[float, float]
Whole = Callable[[float], Pair]

MIDDLES = {"log mean": "geometric mean", "spread": "standard deviation", "runs": "mean"}
"""What numbers of runs are called where their own names do not do."""


def least(*parts: Statistic) -> Statistic:
    """The smallest of several statistics."""
    return combined(np.minimum, "smallest of: " + ", ".join(["{}"] * len(parts)), *parts)


def most(*parts: Statistic) -> Statistic:
    """The largest of several statistics."""
    return combined(np.maximum, "largest of: " + ", ".join(["{}"] * len(parts)), *parts)


def average(of: Of, where: Where | None = None, by: By = "mean") -> Statistic:
    """Mean, median or geometric mean of an observable over all selected runs; of a truth value, their share."""

    def compute(sample: Sample, statistic: Statistic) -> NDArray[np.float64]:
        values = sample.observe(statistic.of[0], statistic.where).astype(float)
        return sample.reduced(values, statistic.by, ()).values

    return Statistic((of,), compute, f"{MIDDLES.get(by, by)} of {{of}}", where or {}, by, units="", kind="mean")


def share(of: Of, where: Where | None = None) -> Statistic:
    """The share of all selected runs of which a truth value holds; NaN (where it has none) are left out."""
    return replace(average(of, where), words="share of {of}", units="1")


def smallest(of: Of, where: Where | None = None, by: By = "runs") -> Statistic:
    """The smallest value over runs, or over settings after the mean or median of their runs."""
    return _extreme("smallest", of, where, by)


def largest(of: Of, where: Where | None = None, by: By = "runs") -> Statistic:
    """The largest value over runs, or over settings after the mean or median of their runs."""
    return _extreme("largest", of, where, by)


def _extreme(end: Literal["smallest", "largest"], of: Of, where: Where | None, by: By) -> Statistic:
    sign = 1 if end == "largest" else -1

    def numbers(sample: Sample, statistic: Statistic) -> Numbers:
        found = sample.reduced(sample.observe(statistic.of[0], statistic.where).astype(float), statistic.by)
        return _flat(found), None

    def compute(sample: Sample, statistic: Statistic) -> NDArray[np.float64]:
        if statistic.by != "runs":
            return sign * np.nanmax(sign * numbers(sample, statistic)[0], axis=-1)
        values = sample.observe(statistic.of[0], statistic.where).astype(float)
        # Within a seed first: what is drawn is then one number a seed.
        found = sample.reduced(_end(values, [dim for dim in values.dims if dim not in ("seed", DRAW)], end), "runs")
        return _end(found, [dim for dim in found.dims if dim != DRAW], end).values

    def made(_: Statistic, values: Array, axis: None, ends: Ends, below: float, above: float, whole: Whole) -> Pair:
        many = int(np.isfinite(values).sum())
        if end == "largest":
            return np.nanmax(ends(below / many)[0]), np.nanmax(ends(above)[1])
        return np.nanmin(ends(below)[0]), np.nanmin(ends(above / many)[1])

    middle = "" if by == "runs" else f"{MIDDLES.get(by, by)} of "
    kind: Kind = "runs" if by == "runs" else "settings"
    words = f"{end} {middle}{{of}}"
    return Statistic((of,), compute, words, where or {}, by, units="", kind=kind, numbers=numbers, made=made)


def _end(values: "xr.DataArray", over: Sequence[Hashable], end: str) -> "xr.DataArray":
    return values.max(over) if end == "largest" else values.min(over)


def _flat(values: "xr.DataArray") -> Array:
    """``(draw, setting)``."""
    array = values.transpose(DRAW, ...).values
    return array.reshape(len(array), -1)


def deviation(
    of: Of, prediction: Of = None, where: Where | None = None, by: By = "mean", worst: bool = False
) -> Statistic:
    """Mean (or largest) relative deviation of the runs' mean from a prediction, by default the theory's own.

    Args:
        of: what was measured.
        prediction: what it is compared with; the prediction of the same name if None.
        where: see `dlatlas.judging.selection.select`.
        by: how runs become one number, of the prediction, too, where it differs from seed to seed.
        worst: the largest over settings, not the mean.
    """

    def numbers(sample: Sample, statistic: Statistic) -> Numbers:
        measured, predicted = _pair(sample, statistic)
        return _flat(measured / predicted), None

    def compute(sample: Sample, statistic: Statistic) -> NDArray[np.float64]:
        off = np.abs(numbers(sample, statistic)[0] - 1)
        return np.nanmax(off, axis=-1) if statistic.settings["worst"] else np.nanmean(off, axis=-1)

    def made(
        statistic: Statistic, values: Array, axis: None, ends: Ends, below: float, above: float, whole: Whole
    ) -> Pair:
        worst = statistic.settings["worst"]
        low, high = ends(below / np.isfinite(values).sum())
        away = np.maximum(np.maximum(low - 1, 1 - high), 0.0)  # as far from 0 as all that is not excluded
        if not worst:  # seeds that scatter make the mean of absolute values larger, never smaller
            return np.nanmean(away), whole(above)[1]
        low, high = ends(above)
        return np.nanmax(away), np.nanmax(np.maximum(np.abs(low - 1), np.abs(high - 1)))

    words = f"{'largest' if worst else 'mean'} relative deviation of {{of}} from {{prediction}}"
    settings = {"prediction": prediction, "worst": worst}
    return Statistic(
        (of,), compute, words, where or {}, by, settings=settings, kind="settings", numbers=numbers, made=made
    )


def ratio(of: Of, prediction: Of = None, where: Where | None = None, by: By = "mean") -> Statistic:
    """Geometric mean over settings of the runs' mean over a prediction, by default the theory's own: 1 if it holds."""

    def compute(sample: Sample, statistic: Statistic) -> NDArray[np.float64]:
        measured, predicted = _pair(sample, statistic)
        logs = np.log(measured / predicted)
        return np.exp(logs.mean([dim for dim in logs.dims if dim != DRAW])).values

    words = "geometric mean of {of} over {prediction}"
    return Statistic((of,), compute, words, where or {}, by, settings={"prediction": prediction}, kind="logarithm")


def agreement(
    of: Of, tolerance: float, prediction: Of = None, where: Where | None = None, by: By = "mean"
) -> Statistic:
    """Share of settings in which the runs' mean is the prediction within a relative tolerance; of runs with ``runs``.

    Args:
        of: what was measured.
        tolerance: relative to the prediction.
        prediction: what it is compared with; the prediction of the same name if None.
        where: see `dlatlas.judging.selection.select`.
        by: how runs become one number; ``runs`` to judge each for itself.
    """

    def observed(sample: Sample, statistic: Statistic) -> "xr.DataArray":
        of, other = statistic.of[0], statistic.settings["prediction"]
        predicted = sample.observe(_predicted(of) if other is None else other, statistic.where)
        off = sample.observe(of, statistic.where) / predicted - 1
        return (abs(off) <= statistic.settings["tolerance"]).astype(float).where(np.isfinite(off))

    def numbers(sample: Sample, statistic: Statistic) -> Numbers:
        measured, predicted = _pair(sample, statistic)
        return _flat((measured / predicted).where(np.isfinite(predicted))), None

    def compute(sample: Sample, statistic: Statistic) -> NDArray[np.float64]:
        if statistic.by == "runs":
            return sample.reduced(observed(sample, statistic), "mean", ()).values
        off = numbers(sample, statistic)[0] - 1
        return np.nanmean(np.where(np.isnan(off), np.nan, np.abs(off) <= statistic.settings["tolerance"]), axis=-1)

    def made(
        statistic: Statistic, values: Array, axis: None, ends: Ends, below: float, above: float, whole: Whole
    ) -> Pair:
        width, known = statistic.settings["tolerance"], np.isfinite(values)
        low, high = ends(below / known.sum())
        within = (np.abs(low - 1) <= width) & (np.abs(high - 1) <= width)
        low, high = ends(above / known.sum())
        outside = (low - 1 > width) | (high - 1 < -width)
        return within[known].mean(), 1 - outside[known].mean()

    what = "runs" if by == "runs" else "settings"
    words = f"share of {what} in which {{of}} is {{prediction}} within {100 * tolerance:g} %"
    settings = {"prediction": prediction, "tolerance": tolerance}
    if by == "runs":
        return Statistic((of,), compute, words, where or {}, by, settings=settings, kind="mean", numbers=observed)
    return Statistic(
        (of,), compute, words, where or {}, by, settings=settings, kind="settings", numbers=numbers, made=made
    )


def _pair(sample: Sample, statistic: Statistic) -> "tuple[xr.DataArray, xr.DataArray]":
    of, prediction = statistic.of[0], statistic.settings["prediction"]
    measured = sample.observe(of, statistic.where)
    predicted = sample.observe(_predicted(of) if prediction is None else prediction, statistic.where)
    return sample.reduced(measured, statistic.by), sample.reduced(predicted, statistic.by)


def _predicted(of: Of) -> Of:
    return f"theory.{of}" if isinstance(of, str) and not of.startswith("theory.") else of


def slope(
    of: Of, along: Of, where: Where | None = None, by: By = "mean", each: Sequence[str] = (), log: str = ""
) -> Statistic:
    """Least-squares slope of an observable against a coordinate.

    Args:
        of: what is on the y axis.
        along: what is on the x axis: a coordinate, or another observable of the same dimensions.
        where: see `dlatlas.judging.selection.select`.
        by: how runs (and dimensions that are neither along nor in ``each``) become one number; ``runs`` fits all runs.
        each: dimensions along which slopes are taken one by one and averaged.
        log: axes whose logarithm is taken: "", "x", "y" or "xy".
    """

    def compute(sample: Sample, statistic: Statistic) -> NDArray[np.float64]:
        each, log = statistic.settings["each"], statistic.settings["log"]
        x, y, dims = _axes(sample, statistic, each)
        x, y = (np.log(np.where(value > 0, value, np.nan)) if axis in log else value
                for axis, value in (("x", x), ("y", y)))  # fmt: skip
        found = fitted_slope(x, y)
        return np.nanmean(found.reshape(len(found), -1), axis=-1) if dims else found

    words = {"": "slope", "xy": "log-log slope", "y": "slope of the logarithm", "x": "slope"}[log]
    x = "ln {along}" if log == "x" else "{along}"
    y = f"{MIDDLES[by]} of {{of}}" if by == "spread" else "{of}"
    settings = {"each": tuple(each), "log": log}
    return Statistic((of,), compute, f"{words} of {y} against {x}", where or {}, by, along, settings)


def exponent(of: Of, along: Of, where: Where | None = None, by: By = "mean", each: Sequence[str] = ()) -> Statistic:
    """Exponent of a power law: log-log slope of an observable against a coordinate; see `slope`."""
    return slope(of, along, where, by, each, log="xy")


def rate(of: Of, along: Of, where: Where | None = None, by: By = "mean", each: Sequence[str] = ()) -> Statistic:
    """Rate of an exponential law: slope of the logarithm of an observable against a coordinate; see `slope`."""
    return slope(of, along, where, by, each, log="y")


def order(of: Of, along: Of, where: Where | None = None, by: By = "mean", each: Sequence[str] = ()) -> Statistic:
    """Kendall's rank correlation of an observable with a coordinate: 1 if it always grows along it; see `slope`.

    Of all pairs of points, those in order less those in reverse, over their number; a pair that the seeds cannot tell
    apart is in the interval either way.
    """

    def numbers(sample: Sample, statistic: Statistic) -> Numbers:
        x, y, _ = _axes(sample, statistic, statistic.settings["each"])
        first, second = np.triu_indices(x.shape[-1], 1)
        sign = np.sign(x[..., second] - x[..., first])
        found = sign * (y[..., second] - y[..., first])
        found = np.where(sign == 0, np.nan, found)
        return found.reshape(len(found), -1), None

    def compute(sample: Sample, statistic: Statistic) -> NDArray[np.float64]:
        return np.nanmean(np.sign(numbers(sample, statistic)[0]), axis=-1)

    def made(_: Statistic, values: Array, axis: None, ends: Ends, below: float, above: float, whole: Whole) -> Pair:
        known = np.isfinite(values)
        up = np.where(ends(below / known.sum())[0] > 0, 1, -1)
        down = np.where(ends(above / known.sum())[1] < 0, -1, 1)
        return up[known].mean(), down[known].mean()

    words = "rank correlation of {of} with {along}"
    settings = {"each": tuple(each)}
    if by == "runs" or "seed" in each:
        return Statistic((of,), compute, words, where or {}, by, along, settings, kind="mean", limits=(-1.0, 1.0))
    return Statistic(
        (of,), compute, words, where or {}, by, along, settings, kind="settings", numbers=numbers, made=made
    )


def _axes(
    sample: Sample, statistic: Statistic, each: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[Hashable]]:
    """X and y ``(draw, *each, point)``, and the dimensions in ``each`` that are there."""
    values = sample.observe(statistic.of[0], statistic.where).astype(float)
    axis = sample.observe(statistic.along, statistic.where)
    dims = [dim for dim in values.dims if dim in each]
    own = [dim for dim in axis.dims if dim not in ("seed", DRAW, *dims)]
    y = sample.reduced(values, statistic.by, (*own, *dims))
    x = sample.reduced(axis, statistic.by, (*own, *dims)) if set(axis.dims) & {"seed", DRAW} else axis
    points = [dim for dim in y.dims if dim not in (DRAW, *dims)]
    y = y.transpose(DRAW, *dims, *points)
    x = x.broadcast_like(y).transpose(*y.dims) if set(x.dims) != set(y.dims) else x.transpose(*y.dims)
    shape = (*(y.sizes[dim] for dim in (DRAW, *dims)), -1)
    return x.values.reshape(shape).astype(float), y.values.reshape(shape), dims


def peak(
    of: Of, along: str, where: Where | None = None, by: By = "mean", end: Literal["largest", "smallest"] = "largest"
) -> Statistic:
    """The value of a coordinate at which the runs' mean is largest (or smallest).

    With ``by="runs"`` each seed has a peak of its own and the mean of these is taken.
    """

    def signed(sample: Sample, statistic: Statistic) -> tuple[Array, Array]:
        axis = sample.observe(statistic.along, statistic.where)
        (dim,) = axis.dims
        values = sample.observe(statistic.of[0], statistic.where).astype(float)
        means = sample.reduced(values, statistic.by, (dim,)).transpose(DRAW, dim).values
        return means if statistic.settings["end"] == "largest" else -means, axis.values.astype(float)

    def numbers(sample: Sample, statistic: Statistic) -> Numbers:
        """How much each point is above each other."""
        means, axis = signed(sample, statistic)
        return (means[:, :, None] - means[:, None, :]).reshape(len(means), -1), axis

    def compute(sample: Sample, statistic: Statistic) -> NDArray[np.float64]:
        if statistic.by == "runs":
            values = sample.observe(statistic.of[0], statistic.where).astype(float)
            axis = sample.observe(statistic.along, statistic.where)
            (dim,) = axis.dims
            at = ((1 if statistic.settings["end"] == "largest" else -1) * values).fillna(-np.inf).argmax(dim)
            return sample.reduced(axis.isel({dim: at}).astype(float), "mean", ()).values
        means, axis = signed(sample, statistic)
        return axis[np.where(np.isnan(means), -np.inf, means).argmax(-1)]

    def made(_: Statistic, values: Array, axis: Array, ends: Ends, below: float, above: float, whole: Whole) -> Pair:
        # A point is in the interval unless some other is above it for certain.
        _, high = ends(min(below, above) / max(len(axis) - 1, 1))
        high = np.where(np.isnan(high), 0.0, high).reshape(len(axis), len(axis))
        kept = axis[(high >= 0).all(-1)]
        return kept.min(), kept.max()

    words = f"{{along}} at which {{of}} is {end}"
    if by == "runs":
        return Statistic((of,), compute, words, where or {}, by, along, {"end": end}, kind="mean")
    return Statistic(
        (of,), compute, words, where or {}, by, along, {"end": end}, kind="settings", numbers=numbers, made=made
    )


def threshold(of: Of, along: str, level: float, where: Where | None = None, by: By = "mean") -> Statistic:
    """The largest value of a coordinate at which the runs' mean is at least a level; 0 if there is none."""

    def numbers(sample: Sample, statistic: Statistic) -> Numbers:
        axis = sample.observe(statistic.along, statistic.where)
        values = sample.observe(statistic.of[0], statistic.where).astype(float)
        means = sample.reduced(values, statistic.by, axis.dims).transpose(DRAW, *axis.dims).values
        return means - statistic.settings["level"], axis.values.astype(float)

    def compute(sample: Sample, statistic: Statistic) -> NDArray[np.float64]:
        above, axis = numbers(sample, statistic)
        return np.max(np.where(above >= 0, axis, 0.0), axis=-1)

    def made(_: Statistic, values: Array, axis: Array, ends: Ends, below: float, above: float, whole: Whole) -> Pair:
        certain = ends(below)[0] >= 0
        possible = ends(above / len(axis))[1] >= 0
        return np.max(np.where(certain, axis, 0.0)), np.max(np.where(possible, axis, 0.0))

    words = f"largest {{along}} at which the {by} of {{of}} is at least {level:g}"
    return Statistic(
        (of,), compute, words, where or {}, by, along, {"level": level}, kind="settings", numbers=numbers, made=made
    )


def statistic(
    function: Callable[..., Any],
    *of: Of,
    words: str,
    where: Where | None = None,
    by: By = "mean",
    keep: Sequence[str] | None = None,
    units: str = "1",
    kind: Literal["smooth", "mean", "logarithm", "own"] = "smooth",
    **settings: Any,  # noqa: ANN401
) -> Statistic:
    """A statistic of one's own: a function of the runs' means, one array for each observable.

    Args:
        function: ``(*arrays, **settings) -> array``. Each array is an ``xr.DataArray`` ``(draw, *settings)`` in the
            order of the cube's dimensions, with ``seed`` where ``by`` is ``runs``; the result has ``draw`` alone.
            Written with named dimensions, it works for a thousand draws as for one.
        of: what it looks at.
        words: what it computes, for the page; ``{name}`` stands for a setting.
        where: see `dlatlas.judging.selection.select`.
        by: how runs become one number.
        keep: the dimensions that are not averaged; all of them if None.
        units: of the result.
        kind: how its interval is found: ``smooth`` for a smooth function of means, ``mean`` for a mean of runs,
            ``logarithm`` for the exponential of one, ``own`` for quantiles and extremes, which the bootstrap resamples.
        settings: passed on; a control may change them.
    """

    def compute(sample: Sample, self: Statistic) -> NDArray[np.float64]:
        arrays = [sample.reduced(sample.observe(each, self.where), self.by, keep) for each in self.of]
        arrays = [array.transpose(DRAW, *sample.cube.dims, ..., missing_dims="ignore") for array in arrays]
        return np.asarray(function(*arrays, **self.settings))

    return Statistic(of, compute, words, where or {}, by, settings=settings, units=units, kind=kind)


def plain(function: Callable[..., float], words: str, units: str = "1", **settings: Any) -> Statistic:  # noqa: ANN401
    """Any function ``(cube, theory, **settings) -> number``, evaluated draw by draw: for what fits nowhere else.

    A thousand times slower than the others: a setting named ``where`` is applied before seeds are drawn.
    """

    def compute(sample: Sample, self: Statistic) -> NDArray[np.float64]:
        return np.array([function(cube, theory, **self.settings) for cube, theory in sample.each(self.where)])

    where = settings.pop("where", {})
    return Statistic((), compute, words, where, settings=settings, units=units)


def fitted_slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least-squares slope of y on x along the last axis; pairs with a NaN are left out; NaN with fewer than two."""
    good = np.isfinite(x) & np.isfinite(y)
    n = good.sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = (np.where(good, value, 0.0) for value in np.broadcast_arrays(x, y))
        varies = np.where(good, x, -np.inf).max(-1) > np.where(good, x, np.inf).min(-1)
        x = np.where(good, x - x.sum(-1, keepdims=True) / n, 0.0)
        return np.where(varies, (x * y).sum(-1) / (x * x).sum(-1), np.nan)
