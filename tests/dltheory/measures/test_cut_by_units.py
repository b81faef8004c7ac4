import numpy as np
import pytest

from dltheory.measures.cut_by_units import angle


def test_random_hyperplanes_separate_two_points_as_often_as_their_angle_says():
    """A million Gaussian units with biases of standard deviation 1.5."""
    rng, one, other = np.random.default_rng(0), np.array([1.0, 2.0]), np.array([-1.0, 0.5])
    w, b = rng.standard_normal((1_000_000, 2)), 1.5 * rng.standard_normal(1_000_000)
    parted = np.mean((w @ one + b > 0) != (w @ other + b > 0))
    assert angle(one, other, 1.5) / np.pi == pytest.approx(parted, abs=2e-3)
