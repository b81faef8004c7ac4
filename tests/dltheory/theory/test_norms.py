"""The largest margin in a norm against brute force, other solvers and laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from dlatlas.errors import InputError
from dlatlas.optimizers.orders import ORDERS
from dltheory.theory.norms import dual_direction, largest_margin


def separable(seed, n=30, d=60):
    return np.random.default_rng(seed).standard_normal((n, d))  # n <= d: any labels can be separated


@pytest.mark.parametrize("p", ORDERS.values())
def test_primal_and_dual_agree(p):
    found = largest_margin(separable(0), p)
    assert np.linalg.norm(found.w, p) == pytest.approx(1)
    assert 0 < found.margin <= found.bound * (1 + 1e-12)
    assert found.bound - found.margin < 1e-4 * found.bound


@pytest.mark.parametrize("p", ORDERS.values())
def test_in_two_dimensions_no_direction_has_a_larger_margin(p):
    z = np.array([[1.0, 0.2], [0.7, 1.1], [1.5, -0.1]])
    angle = np.linspace(0, 2 * np.pi, 100_001)
    w = np.array([np.cos(angle), np.sin(angle)])
    best = ((z @ w).min(0) / np.linalg.norm(w, p, axis=0)).max()
    assert largest_margin(z, p).margin == pytest.approx(best, rel=2e-4)


@pytest.mark.parametrize("p", [4 / 3, 3.0])
def test_it_agrees_with_a_general_solver(p):
    z = separable(1, n=8, d=12)
    rules = {"type": "ineq", "fun": lambda w: z @ w - 1, "jac": lambda w: z}
    start = np.linalg.lstsq(z, np.ones(8), rcond=None)[0]
    w = minimize(lambda w: (np.abs(w) ** p).sum(), start, constraints=rules, method="SLSQP", options={"ftol": 1e-12}).x
    assert largest_margin(z, p).margin == pytest.approx(1 / np.linalg.norm(w, p), rel=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(sorted(ORDERS.values())), st.floats(0.1, 10))
def test_scaling_and_permuting_the_examples_scale_the_margin_and_permute_nothing(seed, p, scale):
    z, rng = separable(seed, 6, 10), np.random.default_rng(seed)
    signs, order = rng.choice([-1.0, 1.0], 10), rng.permutation(10)
    margin = largest_margin(z, p).margin
    assert largest_margin(scale * (z * signs)[:, order][rng.permutation(6)], p).margin == pytest.approx(
        scale * margin, rel=3e-4
    )


def test_margins_are_ordered_as_the_norms_are():
    """|w|_p falls with p, so the largest margin grows with it."""
    z = separable(3)
    margins = [largest_margin(z, p).margin for p in sorted(ORDERS.values())]
    assert np.all(np.diff(margins) > 0)


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, np.inf])
def test_contradicting_examples_are_refused(p):
    with pytest.raises(InputError, match="separable"):
        largest_margin(np.array([[1.0, 0.5], [-1.0, -0.5]]), p)


@pytest.mark.parametrize("q", [1.1, 1.5, 3.0, 11.0])
def test_the_dual_direction_is_a_gradient(q):
    u = np.random.default_rng(0).standard_normal(7)
    numeric = [(np.linalg.norm(u + h, q) ** 2 - np.linalg.norm(u - h, q) ** 2) / 4e-6 for h in 1e-6 * np.eye(7)]
    assert dual_direction(u, q) == pytest.approx(numeric, rel=1e-5, abs=1e-6)
    assert np.array_equal(dual_direction(np.zeros(3), q), np.zeros(3))
