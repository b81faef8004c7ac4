"""The flow of measures against Monte Carlo, many particles, refinement and dissipation."""

import numpy as np
import pytest
from scipy.special import erf

from dltheory.theory.mean_field import correlation, excess_risk, mean_field_flow

SETTING = {"dimension": 5, "teacher": 2.0, "height": 0.8, "sd": 0.5}
TIMES = (0.0, 0.5, 1.0, 2.0)


def sigma(z):
    return erf(z / np.sqrt(2))


def test_the_correlation_is_an_expectation_over_gaussian_inputs():
    rng = np.random.default_rng(0)
    w, v = rng.standard_normal((2, 4))
    x = rng.standard_normal((1_000_000, 4))
    draws = sigma(x @ w) * sigma(x @ v)
    z = (draws.mean() - correlation(w @ v, w @ w, v @ v)) / (draws.std() / 1000)
    assert abs(z) < 4


@pytest.mark.parametrize("scale", [1 / 6, 6**-0.5])
def test_the_risk_is_a_mean_square_over_inputs(scale):
    rng = np.random.default_rng(1)
    w, x = rng.standard_normal((6, 5)), rng.standard_normal((400_000, 5))
    draws = (0.8 * sigma(2 * x[:, 0]) - scale * sigma(x @ w.T).sum(1)) ** 2
    z = (draws.mean() - excess_risk(w[None], 2.0, 0.8, scale)[0]) / (draws.std() / np.sqrt(len(x)))
    assert abs(z) < 4


def test_at_the_start_the_output_is_zero_and_the_risk_that_of_the_teacher():
    flow = mean_field_flow(TIMES, **SETTING)
    assert flow.risk[0] == pytest.approx(0.64 * correlation(4.0, 4.0, 4.0))
    assert flow.predictor(np.array([[1.0, 1, 0, 0, 0]]))[0] == pytest.approx(0, abs=1e-12)


def test_the_risk_only_falls():
    flow = mean_field_flow(tuple(np.linspace(0, 2, 21)), **SETTING)
    assert np.all(np.diff(flow.risk) < 0)


def test_more_nodes_and_smaller_steps_change_nothing():
    coarse = mean_field_flow(TIMES, **SETTING)
    fine = mean_field_flow(TIMES, **SETTING, nodes=(30, 18, 18), dt=0.01)
    np.testing.assert_allclose(coarse.risk, fine.risk, atol=1e-6)


def population_descent(w, steps, dt):
    """Plain Euler steps of N particles on the exact population risk, gradients by differences of the risk."""
    n = len(w)
    for _ in range(steps):
        a = 1 + (w**2).sum(1)
        p = w @ w.T
        pull = 1 / np.sqrt(a[:, None] * a[None] - p**2)
        own = (pull @ w - (pull * p).sum(1)[:, None] * w / a[:, None]) / n
        u = 2.0 * w[:, 0]
        cross = 0.8 / np.sqrt(a * 5.0 - u**2)
        to = cross[:, None] * (2.0 * np.eye(5)[0] - (u / a)[:, None] * w)
        w = w + dt * 4 / np.pi * (to - own)
    return w


def test_the_particles_velocity_is_minus_n_times_the_gradient_of_the_risk():
    w, h = 0.5 * np.random.default_rng(2).standard_normal((7, 5)), 1e-6
    moved = (population_descent(w, 1, 1.0) - w)[3]
    for d in range(5):
        up, down = w.copy(), w.copy()
        up[3, d] += h
        down[3, d] -= h
        slope = (excess_risk(up[None], 2.0, 0.8, 1 / 7) - excess_risk(down[None], 2.0, 0.8, 1 / 7))[0] / (2 * h)
        assert moved[d] == pytest.approx(-7 * slope, rel=1e-5)


def test_many_particles_follow_it():
    """1,200 particles, symmetrised so that their output begins at zero; their error is of order 1/N."""
    half = 0.5 * np.random.default_rng(3).standard_normal((600, 5))
    w = population_descent(np.concatenate([half, -half]), 100, 0.01)
    flow = mean_field_flow((0.0, 1.0), **SETTING)
    assert excess_risk(w[None], 2.0, 0.8, 1 / 1200)[0] == pytest.approx(flow.risk[1], rel=0.05)
    x = np.random.default_rng(4).standard_normal((50, 5))
    np.testing.assert_allclose(sigma(x @ w.T).mean(1), flow.predictor(x)[1], atol=0.03)
