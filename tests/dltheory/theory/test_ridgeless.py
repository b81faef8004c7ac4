import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltheory.theory.ridgeless import gaussian_bias, gaussian_noise, noise_bound


@given(st.integers(1, 300), st.integers(1, 300))
def test_gaussian_features_exceed_the_bound_by_the_known_factor(n, p):
    if abs(p - n) > 1:
        low, high = min(n, p), max(n, p)
        assert gaussian_noise(n, p) / noise_bound(n, p) == pytest.approx((high + 1 - low) / (high - low - 1))
    else:
        assert np.isinf(gaussian_noise(n, p))
    assert noise_bound(n, p) == pytest.approx(noise_bound(p, n))


@pytest.mark.parametrize(("n", "p"), [(20, 60), (30, 12)])
def test_both_are_the_means_of_draws(n, p):
    """Monte Carlo with 4,000 draws, |z| < 4."""
    rng = np.random.default_rng(0)
    noise, bias = [], []
    for _ in range(4000):
        X = rng.standard_normal((n, p))
        inverse = np.linalg.pinv(X)
        signal = rng.standard_normal(p) / np.sqrt(p)
        noise.append((inverse**2).sum())
        bias.append(((signal - inverse @ (X @ signal)) ** 2).sum())
    for draws, expected in ((noise, gaussian_noise(n, p)), (bias, gaussian_bias(n, p))):
        error = max(np.std(draws) / np.sqrt(4000), 1e-12)
        assert abs(np.mean(draws) - expected) / error < 4


def test_the_values_of_the_audit():
    """n = 40: the ratio tends to 1 far from the peak, 1.01 at p = 200."""
    assert gaussian_noise(40, 200) / noise_bound(40, 200) == pytest.approx(1.0126, abs=1e-4)
    assert noise_bound(40, 46) == pytest.approx(40 / 7)
