import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltheory.theory.interpolation import interpolant, residual


@given(st.integers(2, 60), st.integers(1, 8), st.integers(0, 1000))
def test_any_labels_are_fitted_with_2n_plus_d_weights(n, d, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    network = interpolant(x, y, rng)
    assert sum(part.size for part in network) == 2 * n + d
    assert residual(x, y, network) < 1e-6


def test_it_is_the_network_of_the_theorem():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 3)), rng.standard_normal(6)
    direction, biases, weights = interpolant(x, y, rng)
    for point, label in zip(x, y):
        output = sum(w * max(direction @ point - b, 0) for w, b in zip(weights, biases))
        assert output == pytest.approx(label)
    along = np.sort(x @ direction)
    assert (np.sort(biases) < along).all()
    assert (along[:-1] < np.sort(biases)[1:]).all()


@pytest.mark.parametrize(("n", "low", "high"), [(10, 0, 1e-11), (500, 1e-12, 1e-4)])
def test_the_residual_is_of_the_size_that_the_audit_found(n, low, high):
    """1e-13 at 10 points, 9e-8 at 500, by one draw there."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((n, 64)), rng.choice([-1.0, 1.0], n)
    assert low <= residual(x, y, interpolant(x, y, rng)) < high


def test_equal_projections_leave_the_labels_unfitted():
    x = np.array([[1.0], [1.0], [2.0]])
    network = interpolant(x, np.array([1.0, -1.0, 1.0]), np.random.default_rng(0))
    assert residual(x, np.array([1.0, -1.0, 1.0]), network) == 1
