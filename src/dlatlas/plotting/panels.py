"""A study's figure from its declared panels: theory as lines, measurement as points, the control grey."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.declare.nearest import meant
from dlatlas.errors import unknown
from dlatlas.judging.sample import Sample
from dlatlas.judging.selection import select
from dlatlas.judging.words import label
from dlatlas.plotting.style import (
    CONTROL,
    INK,
    PALETTE,
    legend,
    letters,
    new_figure,
    points,
    power,
    reference,
    shades,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from dlatlas.declare.panel import Panel
    from dlatlas.declare.study import Study

FINE = 200
"""Points of a smooth line."""
TICKS = 8
"""At most so many values of a logarithmic axis are written at their own places."""
COOL = (PALETTE[0], PALETTE[2], PALETTE[5])
"""The colours of the palette that are like shades."""
INSIDE, LETTER = 0.72, 0.085
"""Share of a panel's width that is inside its axes, and inches that a digit of a tick's label takes."""
NARROW = 0.3
"""Powers of ten that lie between zero and the smallest value of a logarithmic axis that has zero."""
SHORT = 200
"""A logarithmic axis whose ends have a smaller ratio has values between the powers of ten, too."""


@dataclass(frozen=True)
class Series:
    """Points of one colour and the line that belongs to them."""

    of: Any
    where: Mapping[str, Any]
    color: Any
    marker: str
    label: str | None
    line: Any


def draw_panels(study: "Study", cube: "xr.Dataset", theory: "xr.Dataset") -> "Figure":
    """The figure that a study declares.

    Raises:
        InputError: a panel that names what the cube has not.
    """
    columns = len(study.picture) if len(study.picture) <= 3 else 2 if len(study.picture) == 4 else 3
    figure, axes = new_figure(columns, -(-len(study.picture) // columns))
    sample = Sample(cube, theory, study.observables)
    colors = _colors(study.picture)
    for each, panel in zip(axes, study.picture):
        layers = (panel, *panel.also)
        for number, layer in enumerate(layers):
            _draw_layer(each, study, sample, layer, colors, _left_over(cube, layers[:number]))
        _finish(each, study, sample, panel)
        if panel.draw is not None:
            panel.draw(each, cube, theory)
        named = each.get_legend_handles_labels()
        if panel.legend == "below" and named[0]:
            figure.legend(*named, loc="outside lower center", ncols=3, fontsize=8)
        elif panel.legend and len(named[0]) > (0 if panel.draw or panel.legend != "best" else 1):
            legend(each, loc=panel.legend)
    for each in axes[len(study.picture) :]:
        each.remove()
    letters(axes, [panel.title for panel in study.picture])
    return figure


def _colors(picture: "Sequence[Panel]") -> dict[Any, str]:
    """A colour for each y of those that share a panel, the same in the whole figure."""
    layers = [layer for panel in picture for layer in (panel, *panel.also) if len(layer.y) > 1]
    shared = dict.fromkeys(of for layer in layers for of in layer.y if of not in layer.grey.get("y", ()))
    return {of: PALETTE[number % len(PALETTE)] for number, of in enumerate(shared)}


def _left_over(cube: "xr.Dataset", layers: "Sequence[Panel]") -> tuple[str, ...]:
    """The colours that layers leave for the next one; beside shades of blue and green the warm ones."""
    colors = PALETTE
    for layer in layers:
        values = np.unique(cube[layer.by].values) if layer.by in cube.coords else None
        if values is not None and _ordered(values):
            colors = tuple(color for color in colors if color not in COOL)
        elif not layer.grey.get("y"):
            colors = colors[len(layer.series or layer.y) if values is None else len(values) :]
    return colors or PALETTE


def _ordered(values: NDArray[Any]) -> bool:
    return np.issubdtype(values.dtype, np.number) and values.dtype != bool


def _draw_layer(
    axes: "Axes", study: "Study", sample: Sample, panel: "Panel", colors: Mapping[Any, str], palette: Sequence[str]
) -> None:
    smooth = _refined(study, sample, panel)
    drawn = []
    for number, series in enumerate(_series(study, sample, panel, colors, palette)):
        if _is_prediction(series.of):
            _draw_line(axes, sample, smooth, panel, series)
            continue
        x, values = _measured(sample, panel, series)
        height = values.std("seed") if panel.at == "spread" else values.mean("seed")
        drawn.append((x, height.values))
        look: dict[str, Any] = {"linestyle": "-", "linewidth": 0.6} if panel.joined else {}
        look |= {"markersize": 2.5} if panel.at == "runs" else {}
        if panel.nested:
            look |= {"markerfacecolor": "none", "markersize": max(9.0 - 2.0 * number, 2.0)}
        middle = panel.at if panel.at in ("median", "spread") else "mean"
        points(axes, x, values, color=series.color, marker=series.marker, label=series.label, of=middle, **look)
        if series.line:
            _draw_line(axes, sample, smooth, panel, series)
    if isinstance(panel.line, str) and panel.line not in ("", "same"):
        name = panel.labels.get(panel.line, panel.line.replace("_", " "))
        _draw_line(axes, sample, smooth, panel, Series(None, panel.where, INK, "", name, panel.line))
    for number, (exponent, text) in enumerate(panel.slope):
        x, y = drawn[number if len(panel.slope) == len(drawn) else 0]
        x, y = x[(x > 0) & (y > 0)], y[(x > 0) & (y > 0)]
        center = np.exp(np.log(x).mean()), 1.6 * np.exp(np.log(y).mean())
        power(axes, np.geomspace(x.min(), x.max(), 20), exponent, center, text)


def _series(
    study: "Study", sample: Sample, panel: "Panel", shared: Mapping[Any, str], palette: Sequence[str] = PALETTE
) -> Iterator[Series]:
    """What a panel draws: a series for each value of ``by``, or for each y, and the control."""
    cube = select(sample.cube, panel.where)
    if len(panel.y) > 1:
        for of in panel.y:
            name = panel.labels.get(of) or label(of, study, cube)[0]
            grey = of in panel.grey.get("y", ())
            color = CONTROL if grey else shared[of]
            yield Series(of, panel.where, color, _marker(panel, grey), name, _line_of(panel, of, of))
    elif panel.series:
        greys = panel.grey.get("y", ())
        colors = dict(zip([name for name in panel.series if name not in greys], palette))
        for name, settings in panel.series.items():
            place, line = {**panel.where, **settings}, _line_of(panel, panel.y[0], name)
            marker = _marker(panel, name in greys)
            yield Series(panel.y[0], place, colors.get(name, CONTROL), marker, name, line)
    elif panel.by:
        if panel.by not in cube.coords:
            raise unknown("panel: by", "coordinate", panel.by, map(str, cube.coords))
        found = np.atleast_1d(cube[panel.by].values)
        values = list(dict.fromkeys(found.tolist()))
        if set(values) <= set(panel.labels):
            values = [value for value in panel.labels if value in values]
        symbol = panel.labels.get(panel.by, panel.by)
        ordered = _ordered(found)
        grey = panel.grey.get(panel.by)
        greys = [value for one in (grey if isinstance(grey, list) else [grey]) for value in found[meant(found, one)]]
        colored = [value for value in values if value not in greys]
        colors = dict(zip(colored, shades(len(colored)) if ordered else [*palette, *palette]))
        for value in values:
            name = panel.labels.get(value, f"{symbol} = {value:g}" if ordered else str(value).replace("_", "-"))
            line = _line_of(panel, panel.y[0], value)
            color, marker = colors.get(value, CONTROL), _marker(panel, value not in colors)
            yield Series(panel.y[0], {**panel.where, panel.by: value}, color, marker, name or None, line)
    else:
        name = panel.labels.get(panel.y[0], label(panel.y[0], study, cube)[0])
        grey = bool(panel.grey.get("y"))
        color, marker = CONTROL if grey else palette[0], _marker(panel, grey)
        yield Series(panel.y[0], panel.where, color, marker, name or None, _line_of(panel, panel.y[0], panel.y[0]))
    others = {name: value for name, value in panel.grey.items() if name not in (panel.by, "y")}
    if others:
        for of in panel.y[:1]:
            name = panel.labels.get("grey", "control")
            yield Series(of, {**panel.where, **others}, CONTROL, "s", name or None, _line_of(panel, of, "grey"))


def _marker(panel: "Panel", grey: bool) -> str:
    return panel.marker or ("s" if grey else "o")


def _line_of(panel: "Panel", of: Any, key: Any) -> Any:  # noqa: ANN401
    if isinstance(panel.line, Mapping):
        return panel.line.get(key, "")
    return of if panel.line == "same" and isinstance(of, str) else ""


def _measured(sample: Sample, panel: "Panel", series: Series) -> "tuple[NDArray[np.float64], xr.DataArray]":
    """Positions, and the values ``(point, seed)``."""
    import xarray as xr

    values = sample.observe(series.of, series.where).astype(float)
    axis = sample.observe(panel.x, series.where)
    if panel.at == "runs":
        values, axis = xr.broadcast(values, axis)
        return axis.values.ravel().astype(float), xr.DataArray(values.values.reshape(-1, 1), dims=("point", "seed"))
    if "seed" in axis.dims:
        axis = axis.mean("seed")
    own = [dim for dim in axis.dims if dim in values.dims]
    over = [dim for dim in values.dims if dim not in (*own, "seed")]
    if panel.at == "log mean":
        values = np.exp(np.log(values.where(values > 0)).mean(over)) if over else values
    elif over:
        values = values.mean(over)
    if "seed" not in values.dims:
        values = values.expand_dims("seed")
    x = axis.mean([dim for dim in axis.dims if dim not in own]) if set(axis.dims) - set(own) else axis
    flat = values.transpose(*own, "seed").values.reshape(-1, values.sizes["seed"])
    return x.transpose(*own).values.ravel().astype(float), xr.DataArray(flat, dims=("point", "seed"))


def _draw_line(axes: "Axes", sample: Sample, smooth: "Sample | None", panel: "Panel", series: Series) -> None:
    for source in (smooth, sample):
        if source is None or not set(series.where) <= set(source.cube.coords):  # some vary together with x
            continue
        name = series.line if callable(series.line) else f"theory.{str(series.line).removeprefix('theory.')}"
        if isinstance(name, str) and name.removeprefix("theory.") not in source.theory:
            if series.line != series.of:
                raise unknown("panel: line", "prediction", series.line, map(str, source.theory.data_vars))
            return
        known = {key: value for key, value in series.where.items() if key in source.theory.coords}
        line = source.observe(name, known)
        axis = source.observe(panel.x, series.where)
        dims: list[Hashable] = [dim for dim in axis.dims if dim != "seed"]
        if "seed" in axis.dims:
            axis = axis.mean("seed")
        over = [dim for dim in line.dims if dim not in dims]
        line = line.median(over) if panel.at == "median" else line.mean(over)
        line = line.broadcast_like(axis).transpose(*dims)
        x, y = axis.values.ravel().astype(float), line.values.ravel().astype(float)
        place = np.argsort(x, kind="stable")
        alone = series.of is None or _is_prediction(series.of)
        look = {"linewidth": 1.2 if series.of is None else 1.0, "linestyle": "--" if _is_prediction(series.of) else "-"}
        axes.plot(x[place], y[place], color=series.color, zorder=2, label=series.label if alone else None, **look)
        return


def _is_prediction(of: Any) -> bool:  # noqa: ANN401
    return isinstance(of, str) and of.startswith("theory.")


def _refined(study: "Study", sample: Sample, panel: "Panel") -> "Sample | None":
    """The theory on many points of the x axis, where it is a function of coordinates alone and agrees on the cube's."""
    import xarray as xr

    cube, x = sample.cube, panel.x
    if not panel.line or x not in cube.coords or cube[x].ndim != 1 or not np.issubdtype(cube[x].dtype, np.number):
        return None
    (dim,) = cube[x].dims  # its own, or one along which it varies together with others
    if cube.sizes[dim] < 3:
        return None
    values = select(cube, panel.where)[x].values.astype(float)
    if "x" in panel.log and values.min() > 0:
        grid = np.geomspace(values.min(), values.max(), FINE)
    else:
        grid = np.linspace(values.min(), values.max(), FINE)
    if np.issubdtype(cube[x].dtype, np.integer):
        grid = np.rint(grid).astype(int)
    grid = np.union1d(grid, cube[x].values)
    bare = cube.drop_vars([name for name, array in cube.variables.items() if dim in array.dims])
    bare = bare.assign_coords({x: (dim, grid, cube[x].attrs)})
    try:
        theory = study.theory(bare)
        for name, known in sample.theory.data_vars.items():
            if dim not in known.dims:
                continue
            again = theory[name].isel({dim: np.searchsorted(grid, cube[x].values)}).transpose(*known.dims).values
            if not np.allclose(again, known.values, rtol=1e-6, equal_nan=True):
                return None
    except Exception:  # it needs measured values
        return None
    return Sample(xr.Dataset(coords=bare.coords, attrs=cube.attrs), theory, study.observables)


def _finish(axes: "Axes", study: "Study", sample: Sample, panel: "Panel") -> None:
    cube = sample.cube
    for name, marks in panel.mark.items():
        for mark in marks if isinstance(marks, list) else [marks]:
            value, text = mark if isinstance(mark, tuple) else (mark, "")
            if isinstance(value, str):
                value = float(sample.theory[value] if value in sample.theory else cube[value])
            reference(axes, y=value, text=text) if name == "y" else reference(axes, x=value, text=text)
    text, units = label(panel.y[0], study, cube)
    unit = "" if units in ("1", "") else f"  [{units}]"
    axes.set_ylabel(panel.ylabel or f"{text}{unit}")
    axes.set_xlabel(panel.xlabel or _axis_label(panel.x, cube, study))
    if "x" in panel.log:
        _log_axis(axes, cube, panel)
    if "y" in panel.log:
        axes.set_yscale("log")
    if panel.xlim:
        axes.set_xlim(*panel.xlim)
    if panel.ylim:
        axes.set_ylim(*panel.ylim)
    if "y" in panel.log:
        _log_values(axes.yaxis)
    if "x" in panel.log and panel.x not in cube.coords:
        _log_values(axes.xaxis)


def _axis_label(x: str, cube: "xr.Dataset", study: "Study") -> str:
    if x in cube.coords:
        meaning = str(cube[x].attrs.get("long_name", x))
        return f"{meaning}  ${x}$" if len(x) == 1 else meaning if len(meaning) <= 36 else x.replace("_", " ")
    text, units = label(x, study, cube)
    return text if units in ("1", "") else f"{text}  [{units}]"


def _log_axis(axes: "Axes", cube: "xr.Dataset", panel: "Panel") -> None:
    """A logarithmic x axis, its few values written at their own places, thinned until they do not touch."""
    if panel.x in cube.coords and (cube[panel.x].values <= 0).any():
        positive = cube[panel.x].values[cube[panel.x].values > 0]
        axes.set_xscale("symlog", linthresh=float(positive.min()), linscale=NARROW)
    else:
        axes.set_xscale("log")
    values = np.unique(select(cube, panel.where)[panel.x].values) if panel.x in cube.coords else np.array([])
    if len(values) < 2:
        return
    positive = values[values > 0]
    if len(values) > TICKS:  # too many: the round ones between them
        low, high = np.floor(np.log10(positive.min())), np.ceil(np.log10(positive.max()))
        steps = (1, 2, 5) if high - low <= 3 else (1,)
        ticks = [a * 10**k for k in np.arange(low, high + 1) for a in steps]
        values = np.array([each for each in ticks if positive.min() * 0.99 <= each <= positive.max() * 1.01])
    texts = [_tick(value) for value in values]
    grid = axes.get_subplotspec().get_gridspec()
    places = np.log(np.where(values > 0, values, positive.min())) - (values <= 0) * NARROW * np.log(10)
    inches = INSIDE * axes.get_figure().get_figwidth() / grid.ncols / (np.ptp(places) or 1.0)

    def apart(one: int, other: int) -> bool:
        return inches * (places[other] - places[one]) >= LETTER * (len(texts[one]) + len(texts[other]) + 2) / 2

    kept = [len(values) - 1]
    for at in range(len(values) - 2, -1, -1):
        while values[at] <= 0 and len(kept) > 1 and not apart(at, kept[-1]):
            kept.pop()  # zero stays
        if apart(at, kept[-1]):
            kept.append(at)
    axes.set_xticks(values[kept], [texts[at] for at in kept])
    axes.minorticks_off()


def _tick(value: float) -> str:
    if value == 0 or 1e-3 <= value < 1e5:
        return f"{value:,g}"
    return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")


def _log_values(axis: "Axis") -> None:
    """Values on a logarithmic axis: powers of ten, and 2 and 5 times these where it spans few of them."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axis.get_view_interval()
    axis.set_minor_locator(NullLocator())
    if high / low < SHORT:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
