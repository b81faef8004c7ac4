import numpy as np
import pytest
from scipy import stats

from dltheory.theory import reverse_diffusion as closed


def test_gaussian_kl_is_that_of_quadrature():
    x = np.linspace(-30, 30, 200_001)
    p, q = stats.norm(1.0, 0.7), stats.norm(-0.5, 1.3)
    expected = np.trapezoid(p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), x)
    assert closed.gaussian_kl(1.5**2, 0.7**2 / 1.3**2, 1.3**2) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("sd", "horizon", "exact"), [(2.0, 2.0, 0.00989), (0.5, 2.0, 0.009205), (2.0, 4.0, 0.000168)])
def test_the_start_costs_what_the_audit_of_the_catalogue_found(sd, horizon, exact):
    """Computed there independently, in one dimension with mean 1."""
    assert closed.start_kl(sd, 1.0, 1, horizon) == pytest.approx(exact, rel=2e-3)
    assert closed.start_kl_asymptotic(sd, 1.0, 1, horizon) == pytest.approx(exact, rel=5e-3)


def test_samples_have_the_moments_of_particles():
    """Monte Carlo with 200,000 particles, |z| < 4."""
    rng, sd, mean, error, horizon, step = np.random.default_rng(0), 2.0, 1.0, 0.3, 2.0, 0.25
    centre, spread = closed.sampled_gaussian(np.array([sd]), np.array([[mean]]), np.array([[error]]), horizon, step)
    x, grow = rng.standard_normal(200_000), np.expm1(step)
    for k in range(8):
        t = horizon - k * step
        score = -(x - mean * np.exp(-t)) / closed.variance(sd, t)
        x = (1 + grow) * x + 2 * grow * (score + error) + np.sqrt(np.expm1(2 * step)) * rng.standard_normal(len(x))
    z_mean = (x.mean() - centre[0, 0]) / np.sqrt(spread[0] / len(x))
    z_variance = (x.var() / spread[0] - 1) / np.sqrt(2 / len(x))
    assert abs(z_mean) < 4
    assert abs(z_variance) < 4


def test_exact_steps_without_error_end_at_the_data():
    for step in (2.0**-8, 2.0**-10):
        centre, spread = closed.sampled_gaussian(np.array([0.5]), np.array([[1.0]]), np.zeros((1, 1)), 8.0, step)
        assert centre[0, 0] == pytest.approx(1.0, abs=4 * step)
        assert spread[0] == pytest.approx(0.25, rel=16 * step)


def test_the_cost_of_steps_is_that_of_sampled_paths():
    """Monte Carlo over pairs of the forward process, |z| < 4."""
    rng, sd, step, horizon, n = np.random.default_rng(1), 2.0, 0.25, 1.0, 100_000
    draws = []
    for k in range(4):
        later = horizon - k * step
        at = rng.uniform(0, step, n)
        early = later - at
        x = np.sqrt(closed.variance(sd, early)) * rng.standard_normal(n)
        y = np.exp(-at) * x + np.sqrt(-np.expm1(-2 * at)) * rng.standard_normal(n)
        draws.append(step * (y / closed.variance(sd, later) - x / closed.variance(sd, early)) ** 2)
    total = np.sum(draws, axis=0)
    z = (total.mean() - closed.step_kl(sd, 1, horizon, step)) / (total.std() / np.sqrt(n))
    assert abs(z) < 4


def test_the_saturated_kl_is_that_of_a_long_fine_process():
    for sd in (1.5, 2.0):
        centre, _ = closed.sampled_gaussian(np.array([sd]), np.zeros((1, 1)), np.array([[0.1]]), 12.0, 2.0**-10)
        assert centre[0, 0] ** 2 / (2 * sd**2) == pytest.approx(closed.saturated_kl(sd, 0.1), rel=0.01)
    assert closed.saturated_kl(2.0, 1.0) == pytest.approx(2.924, abs=1e-3)
    with pytest.raises(ValueError, match="more than 1, found"):
        closed.saturated_kl(0.5, 0.1)
