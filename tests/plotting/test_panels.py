import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from dlatlas.declare.panel import panel
from dlatlas.declare.parameter import count
from dlatlas.declare.study import Study
from dlatlas.plotting.draw import settle
from dlatlas.plotting.panels import _tick, draw_panels
from dlatlas.plotting.style import CONTROL, PALETTE


def axes_of(cube, theory, *picture):
    """The axes of a study of that picture."""
    study = SimpleNamespace(picture=picture, theory=theory, observables={}, variables={})
    return draw_panels(study, cube, theory(cube)).axes


@pytest.fixture
def cube():
    """An error that falls with a ratio, which varies together with another parameter."""
    ratio = np.array([0.5, 1.0, 2.0, 4.0])
    error = xr.DataArray(1 / ratio[:, None] + np.zeros(3), dims=("size", "seed"))
    return xr.Dataset({"error": error}, {"ratio": ("size", ratio), "other": ("size", [3, 3, 5, 5])})


def test_the_theory_is_a_smooth_line_along_what_varies_together_with_another(cube):
    (axes,) = axes_of(cube, lambda cube: xr.Dataset({"error": 1 / cube["ratio"]}), panel("error", "ratio", log="xy"))
    x, y = axes.lines[-1].get_data()
    assert len(x) >= 200
    np.testing.assert_allclose(y, 1 / x)


def test_a_theory_that_needs_the_other_one_is_drawn_where_it_is_known(cube):
    (axes,) = axes_of(cube, lambda cube: xr.Dataset({"error": cube["other"] / cube["ratio"]}), panel("error", "ratio"))
    np.testing.assert_allclose(axes.lines[-1].get_data(), [[0.5, 1, 2, 4], [6, 3, 2.5, 1.25]])


def test_what_shares_a_panel_keeps_its_colour_in_the_others(cube):
    cube = cube.assign(bias=cube["error"] / 3, variance=cube["error"] / 2, sets=cube["error"] / 4)
    left, right = axes_of(
        cube,
        lambda cube: xr.Dataset(),
        panel(["error", "bias", "variance"], "ratio", grey={"y": ["bias"]}),
        panel(["sets", "variance"], "ratio"),
    )
    colors = [[line.get_color() for line in axes.lines if line.get_marker() in "os"] for axes in (left, right)]
    assert colors == [[PALETTE[0], CONTROL, PALETTE[1]], [PALETTE[2], PALETTE[1]]]


def test_every_run_is_a_point_where_both_axes_differ_from_run_to_run(cube):
    cube = cube.assign(twin=cube["error"] * xr.DataArray([1.0, 2.0, 3.0], dims="seed"))
    (axes,) = axes_of(cube, lambda cube: xr.Dataset(), panel("error", "twin", at="runs"))
    np.testing.assert_allclose(axes.lines[0].get_xdata(), np.outer([2, 1, 0.5, 0.25], [1, 2, 3]).ravel())
    np.testing.assert_allclose(axes.lines[0].get_ydata(), np.repeat([2, 1, 0.5, 0.25], 3))


def test_each_series_has_its_power_law_beside_it(cube):
    cube = cube.assign(square=cube["error"] ** 2)
    powers = panel(["error", "square"], "ratio", slope=[(-1, "one"), (-2, "two")], log="xy")
    (axes,) = axes_of(cube, lambda cube: xr.Dataset(), powers)
    for line, exponent in zip(axes.lines[-2:], (-1, -2)):
        x, y = line.get_data()
        np.testing.assert_allclose(y, 1.6 * x**exponent)


def test_a_threshold_may_be_a_prediction(cube):
    mark = {"x": ("half", "n = p")}
    (axes,) = axes_of(
        cube, lambda cube: xr.Dataset({"half": 0.5 * cube["ratio"].max()}), panel("error", "ratio", mark=mark)
    )
    assert list(axes.lines[-1].get_xdata()) == [2.0, 2.0]
    assert axes.texts[0].get_text() == "n = p"


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.001, "0.001"), (3e-4, "3e-4"), (2e5, "2e5"), (1000, "1,000")])
def test_small_and_large_ticks_are_short(value, text):
    assert _tick(value) == text


@pytest.fixture
def drawn():
    """``drawn(*panels)``: the axes of a picture of a loss that falls with width, in two kinds."""

    def of(*panels, fall=-0.5):
        width = 2 ** np.arange(6, 13)
        loss = width[:, None, None] ** fall * np.exp(0.1 * np.arange(6).reshape(1, 2, 3))
        coords = {"width": width, "kind": ["plain", "other"], "seed": range(3)}
        cube = xr.Dataset({"loss": (("width", "kind", "seed"), loss)}, coords)
        study = Study(
            title="", rows=[], kind="solve", papers=[], says="", formula="", parameters={"width": count(1, "units")},
            claims=[], theory=lambda cube: xr.Dataset(), caption="", picture=panels,
        )  # fmt: skip
        figure = draw_panels(study, cube, study.theory(cube))
        settle(figure)
        return figure.axes

    return of


def test_points_are_circles_and_squares_for_the_control_unless_a_marker_is_named(drawn):
    grey = {"kind": "other"}
    plain, named = drawn(
        panel("loss", "width", "kind", grey=grey), panel("loss", "width", "kind", marker="^", grey=grey)
    )
    shapes = [[bars.lines[0].get_marker() for bars in axes.containers] for axes in (plain, named)]
    assert shapes == [["o", "s"], ["^", "^"]]
    assert plain.containers[1].lines[0].get_color() == CONTROL


def test_a_control_named_by_its_number_is_grey_up_to_round_off(cube):
    cube = cube.assign_coords(rate=("size", [0.1, 0.2, 0.1 + 0.2, 0.4]))
    (axes,) = axes_of(cube, lambda cube: xr.Dataset(), panel("error", "ratio", by="rate", grey={"rate": [0.3]}))
    colors = [bars.lines[0].get_color() == CONTROL for bars in axes.containers]
    assert colors == [False, False, True, False]


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_the_values_of_a_logarithmic_axis_do_not_touch(drawn, columns):
    for axes in drawn(*[panel("loss", "width", log="xy") for _ in range(columns)]):
        texts = [text for text in axes.get_xticklabels() if text.get_text()]
        boxes = sorted((text.get_window_extent() for text in texts), key=lambda box: box.x0)
        assert len(texts) >= 3
        assert all(one.x1 < other.x0 for one, other in itertools.pairwise(boxes))


@pytest.mark.parametrize(("fall", "texts"), [(-0.5, {"0.02", "0.05", "0.1"}), (-2.0, {"$\\mathdefault{10^{-5}}$"})])
def test_a_short_logarithmic_y_axis_has_values_between_powers_of_ten(drawn, fall, texts):
    (axes,) = drawn(panel("loss", "width", log="xy"), fall=fall)
    low, high = axes.get_ylim()
    shown = {tick.label1.get_text() for tick in axes.yaxis.get_major_ticks() if low <= tick.get_loc() <= high}
    assert texts <= shown
    assert len(shown) >= 2
    assert not axes.yaxis.get_minor_ticks()


def test_named_series_have_a_colour_each_and_controls_are_grey(drawn):
    series = {"a": {"kind": "plain"}, "wide": {"kind": "other", "width": (512, None)}, "b": {"kind": "other"}}
    (axes,) = drawn(panel("loss", "width", series=series, grey={"y": ["wide"]}))
    points = [bars.lines[0] for bars in axes.containers]
    assert [line.get_color() for line in points] == [PALETTE[0], CONTROL, PALETTE[1]]
    assert [len(line.get_xdata()) for line in points] == [7, 4, 7]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(series)


def test_layers_of_one_series_take_the_colours_that_are_left(cube):
    layers = [panel("error", "ratio", where={"other": other}) for other in (3, 5)]
    (axes,) = axes_of(cube, lambda cube: xr.Dataset(), panel("error", "ratio", also=layers))
    assert [line.get_color() for line in axes.lines if line.get_marker() == "o"] == list(PALETTE[:3])


def test_series_come_in_the_order_of_their_labels(cube):
    cube = cube.assign_coords(kind=("size", ["a", "b", "b", "c"]))
    ordered = panel("error", "ratio", by="kind", labels={"c": "third", "a": "first", "b": "second"})
    (axes,) = axes_of(cube, lambda cube: xr.Dataset(), ordered)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["third", "first", "second"]


def test_thresholds_may_be_predictions_hyper_parameters_or_numbers(cube):
    mark = {"ratio": ("half", "n = p")}
    (axes,) = axes_of(
        cube, lambda cube: xr.Dataset({"half": 0.5 * cube["ratio"].max()}), panel("error", "ratio", mark=mark)
    )
    assert list(axes.lines[-1].get_xdata()) == [2.0, 2.0]
    assert axes.texts[0].get_text() == "n = p"
