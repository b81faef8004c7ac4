"""The Kolmogorov-Smirnov distance against SciPy's and at its extremes."""

import numpy as np
import pytest
from scipy import stats

from dltheory.theory.kolmogorov_smirnov import kolmogorov_smirnov


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
