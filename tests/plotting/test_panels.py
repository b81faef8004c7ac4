import itertools

import numpy as np
import pytest
import xarray as xr

from dlatlas.declare.panel import panel
from dlatlas.declare.parameter import count
from dlatlas.declare.study import Study
from dlatlas.plotting.draw import settle
from dlatlas.plotting.panels import draw_panels
from dlatlas.plotting.style import CONTROL


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
