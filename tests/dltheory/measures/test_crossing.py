import numpy as np
import pytest
import xarray as xr

from dltheory.measures.crossing import first_below, half_time

STEPS = np.array([0, 1, 2, 4, 8, 16])


@pytest.fixture
def decay():
    """exp(-rate step), two of whose rates are too slow, or at once below."""
    rate = xr.DataArray([0.5, 0.1, 0.001], dims="run")
    values = np.exp(-rate * xr.DataArray(STEPS, {"step": STEPS}, "step"))
    return xr.concat([values, values.isel(run=[0]) / 10], "run")


def test_an_exponential_is_halved_after_ln_2_over_its_rate_whatever_the_steps(decay):
    np.testing.assert_allclose(first_below(decay, 0.5, "step")[:2], np.log(2) / np.array([0.5, 0.1]))


def test_there_is_no_time_where_it_is_never_reached_or_was_from_the_start(decay):
    assert np.isnan(first_below(decay, 0.5, "step")[2:]).all()


def test_only_the_first_time_counts():
    values = xr.DataArray([1.0, 0.25, 1.0, 0.25], {"step": [0, 10, 20, 30]}, "step")
    assert float(first_below(values, 0.5, "step")) == pytest.approx(5.0)


def test_further_dimensions_are_kept_by_name(decay):
    many = xr.concat([decay, decay**2], "draw")
    found = first_below(many, 0.5, "step")
    assert found.dims == ("draw", "run")
    np.testing.assert_allclose(found.isel(draw=0, run=0), 2 * found.isel(draw=1, run=0), rtol=1e-12)


def test_the_half_time_of_an_exponential_is_ln_2_over_its_rate():
    trace = xr.DataArray(0.5 * np.exp(-0.2 * np.arange(40)), {"trace_step": range(40)}, "trace_step")
    assert float(half_time(trace)) == pytest.approx(np.log(2) / 0.2, rel=1e-12)
