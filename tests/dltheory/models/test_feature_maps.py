import numpy as np
import pytest

from dltheory.models.feature_maps import FEATURES, drawn


@pytest.mark.parametrize("name", FEATURES)
def test_features_have_second_moments_near_one_and_one_map(name):
    one, other = drawn(name, 30, (20_000, 10), np.random.default_rng(0))
    assert one.shape == (20_000, 30)
    assert other.shape == (10, 30)
    assert (one**2).mean() == pytest.approx(1.0, abs=0.1)


def test_one_hot_features_are_categories():
    (x,) = drawn("one_hot", 5, (50,), np.random.default_rng(0))
    assert ((x > 0).sum(1) == 1).all()
    np.testing.assert_allclose((x**2).sum(1), 5)
