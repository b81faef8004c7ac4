"""The house style: theory as lines, measurement as points with intervals, colours that everybody can tell apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from dlatlas.judging.sample import Sample

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe & Ito's colours, ordered so that the first ones differ most."""

INK = "#1B1F24"
"""A line of the theory that belongs to no series."""

CONTROL = "#8A8F98"
"""Controls are grey wherever they appear."""

STYLE = Path(__file__).with_name("house.mplstyle")

WIDTH, HEIGHT = 7.2, 4.2
"""Inches of a figure with one or two panels."""


def new_figure(columns: int = 1, rows: int = 1, **options: Any) -> tuple[Figure, list["Axes"]]:  # noqa: ANN401
    """A figure in house style with its panels in reading order; ``options`` go to ``Figure.subplots``."""
    with mpl.rc_context(fname=STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT * (1 if rows == 1 else 0.62 * rows)), layout="constrained")
        panels = np.atleast_1d(figure.subplots(rows, columns, **options)).ravel()
    return figure, list(panels)


def shades(number: int, name: str = "viridis") -> list[tuple[float, ...]]:
    """Colours for an ordered axis (width, depth, ...), dark to light, the palest left out."""
    return [mpl.colormaps[name](position) for position in np.linspace(0.05, 0.82, max(number, 1))]


def points(
    panel: "Axes",
    x: ArrayLike,
    measured: "xr.DataArray",
    *,
    color: Any,  # noqa: ANN401
    label: str | None = None,
    of: Literal["mean", "median", "spread"] = "mean",
    marker: str = "o",
    **options: Any,  # noqa: ANN401
) -> None:
    """Measurement: a point and a 95 % interval over seeds at each x.

    Args:
        panel: where to draw.
        x: positions, ``(n,)``.
        measured: one dimension beside ``seed``; NaN (diverged runs) are left out.
        color: of points and intervals.
        label: for the legend.
        of: mean with its t interval, median with its exact order-statistic interval for heavy tails, or standard
            deviation with its chi-squared interval.
        marker: shape of the points.
        options: for ``errorbar``.
    """
    values = measured.transpose(..., "seed").values.astype(float)
    middle, low, high = {"mean": mean_interval, "median": median_interval, "spread": spread_interval}[of](values)
    panel.errorbar(
        np.asarray(x, dtype=float),
        middle,
        yerr=[np.maximum(middle - low, 0), np.maximum(high - middle, 0)],
        fmt=marker,
        color=color,
        label=label,
        **{"markersize": 4.0, "elinewidth": 1.0, "capsize": 0, "zorder": 3, **options},
    )


def versus(
    panel: "Axes",
    sample: "Sample",
    of: Any,  # noqa: ANN401
    along: str,
    where: Mapping[str, Any] | None = None,
    *,
    color: Any,  # noqa: ANN401
    label: str | None = None,
    by: Literal["mean", "median"] = "mean",
    **options: Any,  # noqa: ANN401
) -> None:
    """A quantity against a coordinate, in a figure of one's own: points with intervals over seeds.

    Args:
        panel: where to draw.
        sample: the cube, its theory and the study's observables.
        of: an observable, a variable, or a function of (cube, theory).
        along: a coordinate of one dimension.
        where: which runs, see `dlatlas.judging.selection.select`.
        color: of the points.
        label: of the points, for the legend.
        by: mean or median over seeds.
        options: for `points`.
    """
    values, axis = sample.observe(of, where), sample.observe(along, where)
    (dim,) = axis.dims
    extra = [name for name in values.dims if name not in (dim, "seed")]
    points(panel, axis.values, values.mean(extra), color=color, label=label, of=by, **options)


def power(panel: "Axes", x: ArrayLike, exponent: float, through: tuple[float, float], text: str = "") -> None:
    """A dashed power law through one point, named at its end: a slope to compare with."""
    x = np.asarray(x, dtype=float)
    y = through[1] * (x / through[0]) ** exponent
    panel.plot(x, y, color="#444444", linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    if text:
        from matplotlib.patheffects import withStroke

        panel.annotate(text, (x[-1], y[-1]), xytext=(-2, 6), textcoords="offset points", ha="right", va="bottom",
                       fontsize=8, color="#444444", zorder=1.5,  # over the line, under the data
                       path_effects=[withStroke(linewidth=3, foreground="white")])  # fmt: skip


def mean_interval(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Mean over the last dimension and its 95 % t interval, NaN left out."""
    from scipy import stats

    n = np.isfinite(values).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = np.nansum(values, -1) / n
        spread = np.sqrt(np.nansum((values - middle[..., None]) ** 2, -1) / (n - 1) / n)
    reach = stats.t.ppf(0.975, np.maximum(n - 1, 1)) * np.where(n > 1, spread, 0.0)
    return middle, middle - reach, middle + reach


def spread_interval(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Standard deviation over the last dimension and its 95 % interval for normal values, NaN left out."""
    from scipy import stats

    free = np.maximum(np.isfinite(values).sum(-1) - 1, 1)
    middle = np.nanstd(values, axis=-1, ddof=1)
    low, high = (middle * np.sqrt(free / stats.chi2.ppf(level, free)) for level in (0.975, 0.025))
    return middle, low, high


def median_interval(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Median over the last dimension and its distribution-free 95 % interval (order statistics), NaN left out."""
    from scipy import stats

    def one(row: NDArray[np.float64]) -> NDArray[np.float64]:
        row = np.sort(row[np.isfinite(row)])
        if len(row) == 0:
            return np.full(3, np.nan)
        below = int(stats.binom.ppf(0.025, len(row), 0.5))
        return np.array([np.median(row), row[max(below - 1, 0)], row[min(len(row) - below, len(row) - 1)]])

    return tuple(np.moveaxis(np.apply_along_axis(one, -1, values), -1, 0))


def reference(
    panel: "Axes",
    *,
    x: float | None = None,
    y: float | None = None,
    text: str = "",
    side: Literal["left", "right"] = "right",
) -> None:
    """A thin dashed line at a threshold of the theory, named beside it."""
    line = {"color": "#444444", "linewidth": 0.9, "linestyle": (0, (4, 3)), "zorder": 1}
    if x is not None:
        panel.axvline(x, **line)
        offset, align = ((3, 0), "left") if side == "right" else ((-3, 0), "right")
        panel.annotate(text, (x, 0.98), xycoords=("data", "axes fraction"), xytext=offset,
                       textcoords="offset points", ha=align, va="top", fontsize=8, color="#444444")  # fmt: skip
    if y is not None:
        panel.axhline(y, **line)
        place, align = (0.99, "right") if side == "right" else (0.01, "left")
        panel.annotate(text, (place, y), xycoords=("axes fraction", "data"), xytext=(0, 3),
                       textcoords="offset points", ha=align, va="bottom", fontsize=8, color="#444444")  # fmt: skip


def legend(panel: "Axes", **options: Any) -> None:  # noqa: ANN401
    """A legend without a box, small, where it hides least; lines fade behind it."""
    veil = {"frameon": True, "facecolor": "white", "edgecolor": "none", "framealpha": 0.85, "borderpad": 0.2}
    panel.legend(**{"loc": "best", "fontsize": 8, "handlelength": 1.6, "labelspacing": 0.35, **veil, **options})


def letters(panels: Sequence["Axes"], titles: Sequence[str]) -> None:
    """Titles of the panels, left-aligned."""
    for panel, title in zip(panels, titles):
        panel.set_title(title, loc="left", fontsize=9.5)
