"""The Kolmogorov-Smirnov distance against SciPy's and at its extremes."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from dltheory.theory.kolmogorov_smirnov import distance, kolmogorov_smirnov


@pytest.mark.parametrize("seed", range(4))
def test_it_is_scipys_statistic(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal(70).round(1), rng.standard_normal(50).round(1) + 0.4  # with ties
    assert kolmogorov_smirnov(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)
    assert kolmogorov_smirnov(a, b, True) == pytest.approx(stats.ks_2samp(a, b, alternative="greater").statistic)


def test_one_sided_it_knows_which_is_lower():
    low, high = np.arange(5.0), np.arange(5.0) + 10
    assert kolmogorov_smirnov(low, high, True) == 1
    assert kolmogorov_smirnov(high, low, True) == 0
    assert kolmogorov_smirnov(high, low) == 1


def test_a_sample_of_nothing_has_no_distance():
    assert np.isnan(kolmogorov_smirnov([np.nan], [1.0]))


def test_rows_and_named_dimensions_are_judged_one_by_one():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 30)).round(1), rng.standard_normal((3, 20)).round(1)
    a[0, 4] = np.nan
    one_by_one = [kolmogorov_smirnov(*row, True) for row in zip(a, b)]
    assert kolmogorov_smirnov(a, b, True).tolist() == one_by_one
    named = distance(xr.DataArray(a.T, dims=("x", "run")), xr.DataArray(b, dims=("run", "x")), "x", True)
    assert named.dims == ("run",)
    assert named.values.tolist() == one_by_one
