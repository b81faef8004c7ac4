import numpy as np
import pytest
from scipy import integrate
from scipy.stats import ortho_group

from dltheory.theory.deep_linear import effective_rank, eigenvalue_path, nuclear_minimum, singular_value_rates


@pytest.mark.parametrize("factors", [2, 3, 4])
def test_rates_are_those_of_balanced_factors_moved_a_little(factors):
    """Finite differences of the singular values along explicit gradient steps of the factors."""
    rng, d, step = np.random.default_rng(0), 6, 1e-6
    bases = [ortho_group.rvs(d, random_state=seed) for seed in range(factors + 1)]
    roots = np.linspace(1.0, 0.4, d)
    own = [bases[j + 1] * roots @ bases[j].T for j in range(factors)]
    target, mask = rng.standard_normal((d, d)), rng.random((d, d)) < 0.6

    def product(list_):
        found = np.eye(d)
        for factor in list_:
            found = factor @ found
        return found

    slope = mask * (product(own) - target)
    moved = []
    for j, factor in enumerate(own):
        after, before = product(own[j + 1 :]), product(own[:j])
        moved.append(factor - step * after.T @ slope @ before.T)
    change = np.linalg.svd(product(moved), compute_uv=False) - np.linalg.svd(product(own), compute_uv=False)
    np.testing.assert_allclose(singular_value_rates(product(own), slope, factors, 3), change[:3] / step, rtol=1e-4)


def test_close_singular_values_have_no_rate():
    found = singular_value_rates(np.diag([1.0, 0.999, 0.5, 0.1]), np.eye(4), 2, 3)
    assert np.isnan(found[:2]).all()
    assert found[2] == pytest.approx(-2 * 0.5)


def test_two_factors_follow_the_logistic_function():
    t, target, start = np.linspace(0, 12, 40), 0.7, 1e-3
    expected = target / (1 + (target / start - 1) * np.exp(-2 * target * t))
    np.testing.assert_allclose(eigenvalue_path(t, target, start, 2), expected, rtol=1e-6)


@pytest.mark.parametrize(("factors", "alpha", "time"), [(2, 1e-2, 4.6051), (3, 1e-2, 99.15), (4, 1e-2, 4999.7)])
def test_half_of_the_target_is_reached_when_the_audit_says(factors, alpha, time):
    """By quadrature there: lambda = 1, alpha the scale of one factor, alpha^N that of the product."""
    scale = alpha**factors
    value = eigenvalue_path([0.0, time], 1.0, scale, factors)[-1]
    power = 1 - 2 / factors
    half, _ = integrate.quad(
        lambda u: np.exp(-power * u) / (factors * (1 - np.exp(u))), np.log(scale), np.log(0.5), limit=500
    )
    assert half == pytest.approx(time, rel=2e-3)
    assert value == pytest.approx(0.5, abs=0.1)


def test_effective_rank_of_equal_values_is_their_number():
    assert effective_rank(np.ones(7)) == pytest.approx(7)
    assert effective_rank(np.array([1.0, 0, 0])) == 1
    p = np.array([0.75, 0.25])
    assert effective_rank(3 * p) == pytest.approx(np.exp(-(p * np.log(p)).sum()))


def test_the_nuclear_minimum_is_the_convex_solver_s():
    """Its norm is that of the smallest nuclear norm on the feasible set, found by a general optimiser in 3 x 3."""
    from scipy import optimize

    rng = np.random.default_rng(1)
    mask = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1.0]])
    values = mask * rng.standard_normal((3, 3))
    found = nuclear_minimum(mask, values)
    np.testing.assert_allclose(mask * found, values, atol=1e-7)
    holes = np.argwhere(mask == 0)

    def norm(free):
        full = values.copy()
        full[tuple(holes.T)] = free
        return np.linalg.norm(full, "nuc")

    best = min(optimize.minimize(norm, rng.standard_normal(3), method="Nelder-Mead", tol=1e-10).fun for _ in range(5))
    assert np.linalg.norm(found, "nuc") == pytest.approx(best, rel=1e-5)


def test_enough_entries_of_a_low_rank_matrix_are_completed():
    rng = np.random.default_rng(2)
    matrix = np.outer(rng.standard_normal(15), rng.standard_normal(15))
    mask = (rng.random((15, 15)) < 0.7).astype(float)
    np.testing.assert_allclose(nuclear_minimum(mask, mask * matrix), matrix, atol=1e-4)
