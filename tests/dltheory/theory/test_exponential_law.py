"""Lilliefors' test: uniform p-values for exponential samples of any mean, small ones for others."""

import numpy as np
from scipy import stats

from dltheory.theory.exponential_law import NULL_DRAWS, ks_distance, lilliefors_p


def test_the_distance_is_scipys_with_the_mean_estimated():
    for seed, n in enumerate((2, 3, 5, 8, 13, 200)):
        sample = np.random.default_rng(seed).exponential(3.0, n)
        assert np.isclose(ks_distance(sample), stats.kstest(sample, "expon", args=(0, sample.mean())).statistic)


def test_p_values_of_exponential_samples_are_uniform_whatever_the_mean():
    sample = np.random.default_rng(1).exponential(7.0, (800, 256))
    p = lilliefors_p(sample)
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert abs(p.mean() - 0.5) < 4 * np.sqrt(1 / 12 / 800)


def test_the_critical_value_at_five_percent_is_that_of_stephens():
    # Stephens 1974: (D - 0.2/n)(sqrt n + 0.26 + 0.5/sqrt n) = 1.094 at 5 %.
    n = 256
    d = ks_distance(np.random.default_rng(2).exponential(1.0, (4000, n)))
    critical = 1.094 / (np.sqrt(n) + 0.26 + 0.5 / np.sqrt(n)) + 0.2 / n
    assert abs((d > critical).mean() - 0.05) < 0.015


def test_a_gamma_sample_is_rejected():
    assert lilliefors_p(np.random.default_rng(3).gamma(2.0, size=256)) < 0.01


def test_the_p_value_of_a_sample_further_than_all_draws_counts_the_sample_itself():
    assert lilliefors_p(np.ones(64)) == 1 / (1 + NULL_DRAWS)
