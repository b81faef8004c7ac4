import numpy as np
import pytest
import xarray as xr

from dltheory.measures.escape_times import apart, off_law


def test_means_of_two_dimensions_are_compared_setting_by_setting_and_the_worst_counts_of_those_that_leave():
    times = xr.DataArray(
        [[[[1.0, 3.0], [4.0, 4.0]], [[2.0, 2.2], [5.0, 5.0]]]],
        {"setting": ["plane", "twenty"], "beta": [10.0, 100.0]},
        ("draw", "setting", "beta", "seed"),
    )
    assert apart(times).item() == pytest.approx(0.25)
    never = times.where(times != 2.2)
    assert apart(never).item() == pytest.approx(0.25)
    assert np.isnan(apart(never.sel(beta=[10.0]))).all()


def test_the_law_of_barriers_is_none_of_a_limit_law_and_either_is_at_no_distance_from_itself():
    coords = {"lam": [1.0], "beta": [10.0], "time": [0.0, 1.0, 2.0]}
    dims = ("draw", "lam", "beta", "time")
    limit = xr.DataArray([[[[0.0, 0.5, 1.0]]]], coords, dims)
    mean = xr.DataArray([[[2.0]]], {"lam": [1.0], "beta": [10.0]}, dims[:-1])
    barrier = (1 - np.exp(-limit["time"] / mean)).transpose(*dims)
    assert off_law(limit, mean, limit, "limit").item() == 0
    assert off_law(barrier, mean, limit, "exponential").item() == 0
    assert off_law(limit, mean, limit, "exponential").item() == pytest.approx(np.exp(-1))
