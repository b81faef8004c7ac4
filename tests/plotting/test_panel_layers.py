"""Declared panels: which colours their layers take and where their names stand."""

from types import SimpleNamespace

import matplotlib.colors as mc
import numpy as np
import pytest
import xarray as xr

from dlatlas.declare.panel import panel
from dlatlas.plotting.panels import draw_panels
from dlatlas.plotting.style import CONTROL, PALETTE


@pytest.fixture
def cube():
    """Two variables over three x, two widths and two rules."""
    values = np.random.default_rng(0).uniform(1, 2, (3, 2, 2, 4))
    dims = ("x", "width", "rule", "seed")
    coords = {"x": [1, 2, 3], "width": [8, 64], "rule": ["sgd", "adam"], "seed": range(4)}
    return xr.Dataset({"loss": (dims, values), "error": (dims, values + 1)}, coords)


def drawn(cube, *picture):
    study = SimpleNamespace(picture=picture, observables={}, variables={}, theory=lambda cube: xr.Dataset())
    figure = draw_panels(study, cube, xr.Dataset())
    return figure, [mc.to_hex(line.get_color()).upper() for line in figure.axes[0].get_lines()]


def test_layers_of_one_colour_each_take_the_next(cube):
    also = [panel("error", "x"), panel("error", "x", grey={"y": True}), panel("error", "x")]
    assert drawn(cube, panel("loss", "x", also=also))[1] == [PALETTE[0], PALETTE[1], CONTROL, PALETTE[2]]
    assert drawn(cube, panel("loss", "x", by="rule", also=panel("error", "x")))[1] == [*PALETTE[:3]]


def test_beside_shades_they_are_warm(cube):
    _, colors = drawn(cube, panel("loss", "x", by="width", also=[panel("error", "x"), panel("error", "x")]))
    assert colors[2:] == ["#D55E00", "#CC79A7"]


def test_a_legend_below_is_the_figure_s_own(cube):
    figure, _ = drawn(cube, panel("loss", "x", by="width", legend="below"), panel("loss", "x", by="rule", legend=""))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["width = 8", "width = 64"]
    assert all(axes.get_legend() is None for axes in figure.axes)


def test_one_series_alone_is_named_where_its_panel_says_where(cube):
    assert drawn(cube, panel("loss", "x"))[0].axes[0].get_legend() is None
    assert drawn(cube, panel("loss", "x", legend="upper left"))[0].axes[0].get_legend() is not None


def test_a_theory_is_drawn_smoothly_over_the_part_of_an_axis_that_a_panel_shows():
    x = np.array([0, 1, 100, 10_000])
    cube = xr.Dataset({"loss": (("x", "seed"), np.ones((4, 3)))}, {"x": x, "seed": range(3)})

    def theory(cube):
        return xr.Dataset({"loss": 1 / (1 + cube["x"])})

    shown = panel("loss", "x", where={"x": (1, None)}, log="x")
    study = SimpleNamespace(picture=[shown], observables={}, variables={}, theory=theory)
    line = draw_panels(study, cube, theory(cube)).axes[0].get_lines()[-1].get_xdata()
    assert line.min() == 1
    assert ((line > 100) & (line < 1000)).sum() > 30
