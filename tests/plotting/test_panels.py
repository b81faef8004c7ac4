from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from dlatlas.declare.panel import panel
from dlatlas.plotting.panels import _tick, draw_panels


def drawn(cube, theory, *picture):
    """The axes of a study of that picture."""
    study = SimpleNamespace(picture=picture, theory=theory, observables={})
    return draw_panels(study, cube, theory(cube)).axes


@pytest.fixture
def cube():
    """An error that falls with a ratio, which varies together with another parameter."""
    ratio = np.array([0.5, 1.0, 2.0, 4.0])
    error = xr.DataArray(1 / ratio[:, None] + np.zeros(3), dims=("size", "seed"))
    return xr.Dataset({"error": error}, {"ratio": ("size", ratio), "other": ("size", [3, 3, 5, 5])})


def test_the_theory_is_a_smooth_line_along_what_varies_together_with_another(cube):
    (axes,) = drawn(cube, lambda cube: xr.Dataset({"error": 1 / cube["ratio"]}), panel("error", "ratio", log="xy"))
    x, y = axes.lines[-1].get_data()
    assert len(x) >= 200
    np.testing.assert_allclose(y, 1 / x)


def test_a_theory_that_needs_the_other_one_is_drawn_where_it_is_known(cube):
    (axes,) = drawn(cube, lambda cube: xr.Dataset({"error": cube["other"] / cube["ratio"]}), panel("error", "ratio"))
    np.testing.assert_allclose(axes.lines[-1].get_data(), [[0.5, 1, 2, 4], [6, 3, 2.5, 1.25]])


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (0.001, "0.001"), (3e-4, "3e-4"), (2e5, "2e5"), (1000, "1,000")])
def test_small_and_large_ticks_are_short(value, text):
    assert _tick(value) == text
