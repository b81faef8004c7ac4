"""Exact exit times against independent witnesses, and the formula as their limit."""

import numpy as np
import pytest

from dltheory.theory import kramers


def ratio(beta, *shape):
    exact = kramers.mean_exit_time_tube(beta, *shape) if shape else kramers.mean_exit_time(beta)
    return exact / kramers.eyring_kramers(beta, *shape)


def test_kramers_formula_overestimates_the_rate_by_the_known_factors():
    # Computed independently by the audit of the catalogue.
    known = {2: 1.250, 3: 1.194, 4: 1.142, 5: 1.107, 6: 1.083, 7: 1.068, 8: 1.057, 9: 1.049}
    assert {beta: round(ratio(beta), 3) for beta in known} == known


def test_the_quadrature_agrees_with_scipy_on_the_double_integral():
    from scipy.integrate import quad

    def inner(x, beta):
        return quad(lambda u: np.exp(-beta * kramers.double_well(u)), -3, x, epsabs=1e-12)[0]

    for beta in (0.5, 2.0):
        outer = quad(lambda x, b=beta: np.exp(b * kramers.double_well(x)) * inner(x, b), -1, 1, epsrel=1e-9)[0]
        assert kramers.mean_exit_time(beta) == pytest.approx(beta * outer, rel=1e-6)


def test_free_diffusion_between_a_far_wall_and_a_target_is_recovered():
    # V = 0 on [low, 1] with a reflecting end at low = 2 start - 1: T = beta ((1 - low)^2 - (start - low)^2) / 2.
    time = kramers.mean_exit_time(2.0, lambda x: np.zeros_like(x), start=-1.0, target=1.0)
    assert time == pytest.approx(2.0 * (16 - 4) / 2, rel=1e-9)


@pytest.mark.parametrize("shape", [(1, 8.0, 8.0), (2, 8.0, 4.0), (5, 8.0, 4.0)])
def test_the_next_order_of_the_formula_is_the_slope_of_the_exact_ratio_in_one_over_beta(shape):
    beta = np.array([9.0, 12.0, 16.0])
    slope = [b * (kramers.mean_exit_time_tube(b, *shape, cells=(900, 60)) / kramers.eyring_kramers(b, *shape) - 1)
             for b in beta]  # fmt: skip
    limit = np.polyval(np.polyfit(1 / beta, slope, 2), 0.0)
    assert limit == pytest.approx(kramers.first_correction(*shape), abs=0.06 * shape[0])


def test_transverse_directions_of_constant_curvature_do_not_matter():
    for d in (2, 5):
        tube = kramers.mean_exit_time_tube(3.0, d, 8.0, 8.0)
        assert tube == pytest.approx(kramers.mean_exit_time(3.0), rel=1e-3)


def test_a_finer_grid_gives_the_same_time_in_five_dimensions():
    coarse = kramers.mean_exit_time_tube(4.0, 5, 8.0, 4.0)
    fine = kramers.mean_exit_time_tube(4.0, 5, 8.0, 4.0, cells=(600, 80))
    assert coarse == pytest.approx(fine, rel=3e-3)


def test_a_flat_top_gives_the_prefactor_the_exponent_one_quarter_and_a_quadratic_one_none():
    beta = np.array([40.0, 80.0, 160.0])

    def exponent(times):
        return np.polyfit(np.log(beta), np.log(times) - beta, 1)[0]

    flat = [kramers.mean_exit_time(b, kramers.flat_top, -2.0, 2.0, cells=12000) for b in beta]
    assert exponent(flat) == pytest.approx(0.25, abs=0.01)
    assert exponent([kramers.mean_exit_time(b, cells=12000) for b in beta]) == pytest.approx(0.0, abs=0.01)
    audit = {2: 1.46, 4: 1.19, 8: 1.06, 16: 1.03}
    found = {b: kramers.mean_exit_time(b, kramers.flat_top, -2.0, 2.0) / kramers.flat_top_time(b) for b in audit}
    assert {b: round(value, 2) for b, value in found.items()} == audit


def test_both_landscapes_have_barrier_one_and_curvature_eight_at_their_minima():
    for potential, well in ((kramers.double_well, -1.0), (kramers.flat_top, -2.0)):
        e = 1e-3
        v = potential(np.array([well - e, well, well + e]))
        assert potential(np.zeros(1))[0] == 1
        assert v[1] == 0
        assert (v[0] - 2 * v[1] + v[2]) / e**2 == pytest.approx(kramers.CURVATURE_WELL, rel=1e-4)
