import numpy as np
import pytest
import xarray as xr

from dlatlas.judging.reduction import LeaveOneOut
from dlatlas.judging.sample import Sample
from dlatlas.judging.statistics import average, exponent


@pytest.fixture
def cube():
    """Normal values whose standard deviation is 1/n, far from 0, two of them missing."""
    rng = np.random.default_rng(0)
    values = 1e4 + rng.standard_normal((3, 2, 40)) / np.array([1, 10, 100]).reshape(3, 1, 1)
    values[0, 0, :2] = np.nan
    coords = {"n": [1, 10, 100], "time": [0, 1], "seed": range(40)}
    return xr.Dataset({"value": (("n", "time", "seed"), values)}, coords)


@pytest.mark.parametrize("seeds", [None, np.random.default_rng(1).integers(0, 40, (5, 40)), LeaveOneOut(40)])
def test_the_spread_is_the_standard_deviation_of_the_drawn_seeds_averaged_over_what_is_not_kept(cube, seeds):
    sample = Sample(cube, cube, seeds=seeds)
    drawn = [range(40)] if seeds is None else np.asarray(seeds)
    expected = [cube["value"].isel(seed=list(one)).std("seed", ddof=1).mean("time") for one in drawn]
    found = sample.reduced(cube["value"], "spread", ["n"])
    assert found.dims == ("draw", "n")
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-6)


def test_an_exponent_of_the_spread_says_so(cube):
    statistic = exponent("value", "n", by="spread")
    assert statistic.values(Sample(cube, cube))[0] == pytest.approx(-1, abs=0.1)
    assert statistic.words == "log-log slope of standard deviation of {of} against {along}"
    assert average("value", by="spread").words == "standard deviation of {of}"
