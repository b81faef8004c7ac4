import numpy as np
import xarray as xr

from dlatlas.declare.panel import panel
from dlatlas.declare.study import Study
from dlatlas.plotting.panels import draw_panels


def drawn(**options):
    """The axes of a figure of one panel: y against step, by lr."""
    coords = {"step": [0, 1, 10, 100], "lr": [0.1, 0.2], "seed": range(3)}
    values = np.random.default_rng(0).random((4, 2, 3))
    cube = xr.Dataset({"y": (tuple(coords), values)}, coords)
    study = Study("", [], "solve", [], "", "", {}, [], lambda cube: xr.Dataset(), "", picture=[
        panel(**{"y": "y", "x": "step", "by": "lr", **options})])  # fmt: skip
    return draw_panels(study, cube, xr.Dataset({"time": ("step", [0.2, 0.9, 1.7, 4.0])})).axes[0]


def test_a_legend_writes_the_symbol_of_a_coordinate_and_names_single_values():
    axes = drawn(labels={"lr": "η", 0.2: "large"})
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["η = 0.1", "large"]


def test_zero_has_a_narrow_place_of_its_own_on_a_logarithmic_axis():
    axes = drawn(log="x")
    zero, one, ten = (axes.transData.transform((x, 0.5))[0] for x in (0, 1, 10))
    assert 0 < one - zero < 0.5 * (ten - one)


def test_a_short_logarithmic_axis_of_a_prediction_has_plain_numbers():
    axes = drawn(x="theory.time", log="x")
    axes.figure.draw_without_rendering()
    low, high = axes.get_xlim()
    places = zip(axes.get_xticks(), axes.get_xticklabels())
    assert [text.get_text() for x, text in places if low <= x <= high] == ["0.2", "0.5", "1", "2"]
    assert axes.get_xlabel() == "time"


def test_a_line_of_medians_is_the_median_of_each_seed_s_theory():
    heavy = xr.DataArray([[1.0, 2.0, 300.0]] * 4, {"step": [0, 1, 10, 100], "seed": range(3)})
    for at, height in (("median", 2.0), ("mean", 101.0)):
        axes = drawn(by="", at=at, line={"y": lambda cube, theory: heavy.sel(seed=cube["seed"])})
        assert [line.get_ydata()[0] for line in axes.lines if len(set(line.get_ydata())) == 1] == [height]


def test_nested_points_are_hollow_and_smaller_from_series_to_series():
    points = [container[0] for container in drawn(nested=True).containers]
    assert all(each.get_markerfacecolor() == "none" for each in points)
    assert points[0].get_markersize() > points[1].get_markersize()
