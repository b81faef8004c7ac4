from itertools import combinations

import numpy as np
import pytest

from dltheory.theory.marginal_step import marginal_curvature


def test_the_mean_over_every_batch_of_4_of_12_curvatures_is_marginal():
    h = np.random.default_rng(0).uniform(0, 2, 12)
    lr = float(marginal_curvature(1.0, h.var() / h.mean() ** 2, 4, 12) / h.mean())
    assert np.mean([(1 - lr * np.mean(h[list(rows)])) ** 2 for rows in combinations(range(12), 4)]) == pytest.approx(1)


def test_with_the_full_batch_it_is_two_over_the_step():
    assert marginal_curvature(0.1, 7.0, 200, 200) == pytest.approx(20)
