"""Exact times against double integrals and their asymptotics, the limit law against its own definition."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from dltheory.theory import saddle_escape


def double_integral(b, sign):
    inner, error = integrate.dblquad(lambda z, y: math.exp(sign * b * (z * z - y * y) / 2), 0, 1, 0, lambda y: y)
    assert error < 1e-6 * inner
    return b * inner


@pytest.mark.parametrize("b", [0.1, 1.0, 10.0, 60.0])
def test_times_out_of_saddle_and_well_are_the_first_passage_integrals(b):
    assert saddle_escape.mean_exit_time(b) == pytest.approx(double_integral(b, 1), rel=1e-8)
    assert saddle_escape.mean_well_time(b) == pytest.approx(double_integral(b, -1), rel=1e-7)


def test_without_a_force_both_are_the_time_of_free_diffusion():
    for time in (saddle_escape.mean_exit_time, saddle_escape.mean_well_time):
        assert time(1e-6) == pytest.approx(1e-6 / 2, rel=1e-5)


def test_times_solve_the_backward_equation():
    # u(x) = T(1) - T(x) with T(x) the time from 0 to |x| = x: u'' / b + x u' = -1.
    b, x, e = 20.0, np.linspace(0.2, 0.9, 8), 1e-3
    u = [-saddle_escape.mean_exit_time(b * (x + shift) ** 2) for shift in (-e, 0, e)]
    slope, bend = (u[2] - u[0]) / (2 * e), (u[0] - 2 * u[1] + u[2]) / e**2
    assert bend / b + x * slope == pytest.approx(-1, abs=1e-4)


@pytest.mark.parametrize("b", [300.0, 1e4, 1e8])
def test_cold_times_are_the_logarithm_its_constant_and_the_next_order(b):
    found = saddle_escape.mean_exit_time(b)
    expected = saddle_escape.leading_time(b) + saddle_escape.CONSTANT - 1 / (2 * b)
    assert found == pytest.approx(expected, abs=1.0 / b**2 + 1e-12)


def test_the_constant_is_minus_the_mean_logarithm_of_a_normal_number():
    def weighed(z):
        return -math.log(z) * math.sqrt(2 / math.pi) * math.exp(-z * z / 2)

    mean = integrate.quad(weighed, 0, 1)[0] + integrate.quad(weighed, 1, 40)[0]
    assert pytest.approx(mean, rel=1e-8) == saddle_escape.CONSTANT


def test_the_well_is_left_after_eyring_and_kramers_time_of_a_hard_wall():
    # Laplace's method at the wall |x| = 1: T = sqrt(pi/2) exp(b/2) b^(-1/2) (1 + 1/b + O(1/b^2)), two exits.
    b = 60.0
    expected = math.sqrt(math.pi / (2 * b)) * math.exp(b / 2)
    assert saddle_escape.mean_well_time(b) / expected == pytest.approx(1 + 1 / b, abs=4 / b**2)
    assert np.isinf(saddle_escape.mean_well_time(1e4))


def test_the_limit_law_is_that_of_minus_log_of_a_normal_number():
    z = np.abs(np.random.default_rng(0).standard_normal(20_000))
    b = 1e5
    times = np.log(b) / 2 - np.log(z)
    assert stats.kstest(times, lambda t: saddle_escape.limit_law(t, b)).pvalue > 1e-3
    s, e = np.linspace(-1, 4, 11), 1e-4
    law = [saddle_escape.limit_law(np.log(b) / 2 + s + shift, b) for shift in (-e, e)]
    density = math.sqrt(2 / math.pi) * np.exp(-s) * np.exp(-np.exp(-2 * s) / 2)
    assert (law[1] - law[0]) / (2 * e) == pytest.approx(density, rel=1e-5)


def test_stable_directions_delay_the_fall_by_half_their_number_over_b():
    b = 1e5
    for d in (2, 20):
        late = saddle_escape.mean_fall_time(b, d) - saddle_escape.mean_exit_time(b)
        assert late == pytest.approx((d - 1) / (2 * b), rel=1e-2)
    chi = stats.chi2(19)
    direct = integrate.quad(lambda r: math.log1p(r / 10) * chi.pdf(r), 0, 200)[0] / 2
    late = saddle_escape.mean_fall_time(10.0, 20) - saddle_escape.mean_exit_time(10.0)
    assert late == pytest.approx(direct, rel=1e-4)
