import numpy as np
import xarray as xr

from dlatlas.declare.panel import panel
from dlatlas.declare.study import Study
from dlatlas.plotting.panels import FINE, draw_panels
from dlatlas.plotting.style import CONTROL


def theory(cube):
    return xr.Dataset({"loss": 1 / cube["width"], "bound": 2 / cube["width"]})


def drawn(picture):
    width = np.array([1.0, 2.0, 4.0, 8.0])
    cube = xr.Dataset({"loss": (("width", "seed"), 1 / width[:, None] * [0.9, 1.1])}, {"width": width})
    study = Study(
        title="", rows=[], kind="solve", papers=[], says="", formula="", parameters={}, claims=[], theory=theory,
        caption="", picture=[picture],
    )  # fmt: skip
    return draw_panels(study, cube, theory(cube)).axes[0]


def test_a_prediction_on_the_y_axis_is_a_dashed_line_without_points():
    axes = drawn(panel("loss", "width", also=panel("theory.bound", "width", grey={"y": True})))
    assert len(axes.containers) == 1
    solid, dashed = (line for line in axes.lines if len(line.get_xdata()) > 4)
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
    assert dashed.get_color() == CONTROL
    assert len(dashed.get_xdata()) >= FINE
    np.testing.assert_allclose(dashed.get_ydata(), 2 / dashed.get_xdata())


def test_it_is_named_in_the_legend():
    axes = drawn(panel("loss", "width", also=panel("theory.bound", "width", labels={"theory.bound": "twice that"})))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["twice that", "loss"]


def test_it_is_smooth_on_logarithmic_axes_too():
    axes = drawn(panel("loss", "width", log="x", also=panel("theory.bound", "width")))
    (dashed,) = (line for line in axes.lines if line.get_linestyle() == "--")
    steps = np.diff(np.log(dashed.get_xdata()))
    assert steps.max() < 2 * np.log(8) / FINE
