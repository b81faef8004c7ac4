"""A picture declared: which dimensions of a cube become which channels of a figure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Panel:
    """One panel of a study's figure; made by `panel`."""

    y: tuple[Any, ...]
    x: str
    by: str
    line: Any
    where: Mapping[str, Any]
    at: Literal["mean", "median", "log mean", "spread", "runs"]
    log: str
    mark: Mapping[str, Any]
    grey: Mapping[str, Any]
    slope: Sequence[tuple[float, str]]
    title: str
    labels: Mapping[Any, str]
    xlabel: str
    ylabel: str
    xlim: tuple[float | None, float | None] | None
    ylim: tuple[float | None, float | None] | None
    legend: str | tuple[float, float]
    joined: bool
    marker: str
    series: Mapping[str, Mapping[str, Any]]
    also: Sequence["Panel"] = field(default_factory=tuple)
    draw: Callable[..., None] | None = None
    nested: bool = False


def panel(
    y: Any,  # noqa: ANN401
    x: str,
    by: str = "",
    line: Any = "same",  # noqa: ANN401
    where: Mapping[str, Any] | None = None,
    at: Literal["mean", "median", "log mean", "spread", "runs"] = "mean",
    log: str = "",
    mark: Mapping[str, Any] | None = None,
    grey: Mapping[str, Any] | None = None,
    slope: Sequence[tuple[float, str]] = (),
    title: str = "",
    labels: Mapping[Any, str] | None = None,
    xlabel: str = "",
    ylabel: str = "",
    xlim: tuple[float | None, float | None] | None = None,
    ylim: tuple[float | None, float | None] | None = None,
    legend: str | tuple[float, float] = "best",
    joined: bool = False,
    marker: str = "",
    series: Mapping[str, Mapping[str, Any]] | None = None,
    also: "Panel | Sequence[Panel]" = (),
    draw: Callable[..., None] | None = None,
    nested: bool = False,
) -> Panel:
    """A panel: measurement as points with 95 % intervals over seeds, theory as lines, thresholds dashed, control grey.

    Args:
        y: the observable or variable on the y axis; several share the panel, each in a colour of its own that it keeps
            in the other panels. A prediction (``"theory.bound"``) is a dashed line.
        x: the coordinate (or observable) on the x axis.
        by: the coordinate whose values have a colour each; in shades where they are numbers.
        line: the theory's line: ``"same"`` for the prediction of each series' own name, another prediction's name for
            one line in black, a mapping of series to predictions, or "" for none.
        where: which runs; dimensions that are left over are averaged.
        at: mean with its t interval, or median with its exact one for heavy tails; the geometric mean; the standard
            deviation over seeds; or ``runs`` for a point for each run, where x differs from run to run, too.
        log: logarithmic axes: "", "x", "y" or "xy".
        mark: thresholds of the theory: ``{"x": 40}``, ``{"y": (2, "edge")}``, each with what is written beside it; the
            name of a prediction for its value, a list for several.
        grey: the values of coordinates that are the control: drawn in grey, with the rest of ``where``.
        slope: exponents of power laws to compare with, each with its name, drawn beside the first series; each beside
            its own if there are as many.
        title: above the panel, left.
        labels: what legends say for a value of ``by`` (in this order, if for all), for its name, or for a series.
        xlabel: instead of long name and unit.
        ylabel: instead of long name and unit.
        xlim: instead of what the data ask for.
        ylim: instead of what the data ask for.
        legend: where, as Matplotlib says it; "below" for below all panels; "" for none. One series alone is named only
            if it says where.
        joined: points joined by thin lines, where there is no theory.
        marker: shape of the points, as Matplotlib says it; circles if empty, squares for the control.
        series: what legends say -> which runs beyond ``where``: a colour each, for settings that differ in more than
            one coordinate; ``grey={"y": [...]}`` names the controls among them.
        also: further series with channels of their own, over the same axes, logarithmic where these are.
        draw: ``(axes, cube, theory)`` for what a declaration cannot say; called last.
        nested: hollow points, smaller from series to series, where they lie on each other.
    """
    several = tuple(y) if isinstance(y, list | tuple) else (y,)
    others = tuple(replace(layer, log=log) for layer in ((also,) if isinstance(also, Panel) else also))
    return Panel(
        several, x, by, line, where or {}, at, log, mark or {}, grey or {}, tuple(slope), title, labels or {}, xlabel,
        ylabel, xlim, ylim, legend, joined, marker, series or {}, others, draw, nested,
    )  # fmt: skip
