import numpy as np
import pytest
import xarray as xr

from dltheory.measures.correlation import correlation, moments


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    x = xr.DataArray(rng.standard_normal((3, 5, 40)), dims=("beta", "seed", "walker"))
    return x, 0.5 * x + rng.standard_normal(x.shape) + 10 * xr.DataArray(np.arange(3), dims="beta")


def test_a_correlation_from_moments_is_pearson_s_over_seeds_and_walkers(pair):
    x, y = pair
    each = [np.corrcoef(x[i].values.ravel(), y[i].values.ravel())[0, 1] for i in range(3)]
    assert float(correlation(moments(x, y, "walker").mean("seed"))) == pytest.approx(np.mean(each))


def test_settings_together_are_one_population(pair):
    x, y = pair
    expected = np.corrcoef(x.values.ravel(), y.values.ravel())[0, 1]
    assert float(correlation(moments(x, y, "walker").mean("seed"), ["beta"])) == pytest.approx(expected)


def test_every_draw_has_a_correlation_of_its_own(pair):
    found = moments(*pair, "walker").rename(seed="draw")
    alone = [float(correlation(found.isel(draw=draw))) for draw in range(5)]
    assert correlation(found).values == pytest.approx(np.array(alone))
