import numpy as np
import pytest
from scipy import linalg, optimize

from dltheory.models.unconstrained_features import Features, problem
from dltheory.theory.unconstrained_features import decay_rates, shrinkage, threshold, weight_energy

CASE = Features((4, 4, 4), 5, 0.01, 0.02)


@pytest.mark.parametrize("bias", [False, True])
def test_the_gradient_is_that_of_finite_differences(bias):
    case = Features((3, 2), 4, 0.1, 0.3, bias)
    point = np.random.default_rng(0).standard_normal(2 * 4 + 4 * 5 + 2 * bias)
    off = optimize.check_grad(lambda p: case.objective(p)[0], lambda p: case.objective(p)[1], point)
    assert off < 1e-6


@pytest.mark.parametrize("sizes", [(8, 8, 8), (16, 8, 2)])
@pytest.mark.parametrize("product", [0.01, 0.05, 0.2])
def test_minima_are_those_of_the_theory(sizes, product):
    case = Features(sizes, 6, product, product / 4)
    W, H, b = case.minimise(np.random.default_rng(1))
    expected = shrinkage(threshold(sizes, product, product / 4))
    np.testing.assert_allclose(W @ H, expected[:, None] * case.targets, atol=1e-5)
    assert case.weight_penalty * (W**2).sum() == pytest.approx(case.feature_penalty * (H**2).sum(), rel=1e-4, abs=1e-9)
    assert (b == 0).all()


def test_the_classifier_s_energy_is_that_of_the_theory():
    W, *_ = CASE.minimise(np.random.default_rng(1))
    c = float(threshold(CASE.sizes, 0.01, 0.02)[0])
    found = np.linalg.svd(W, compute_uv=False)[:3] ** 2
    np.testing.assert_allclose(found, weight_energy(4, c, 0.01, 0.02), rtol=1e-5)


@pytest.mark.parametrize(("c", "s"), [(0.1, 0.9), (0.5, 0.5), (0.99, 0.01), (1.01, 0.0), (1.1, 0.0)])
def test_shrinkage_has_the_values_of_the_audit(c, s):
    assert shrinkage(c) == pytest.approx(s)


def test_without_bias_the_rare_class_has_the_longest_mean():
    """Norms of class means go as sqrt(1 - c_k) / n_k^(1/4)."""
    case = Features((40, 20, 4), 6, 0.002, 0.002)
    _, H, _ = case.minimise(np.random.default_rng(0))
    norms = np.array([np.linalg.norm(H[:, case.labels == k].mean(1)) for k in range(3)])
    expected = np.sqrt(shrinkage(threshold(case.sizes, 0.002, 0.002))) * np.array(case.sizes) ** -0.25
    np.testing.assert_allclose(norms / norms[0], expected / expected[0], rtol=1e-4)
    assert norms[0] < norms[1] < norms[2]


def test_the_flow_at_fixed_weights_is_the_matrix_exponential():
    rng = np.random.default_rng(2)
    W, H, t = rng.standard_normal((3, 5)), rng.standard_normal((5, 12)), 7.0
    _, (_, found) = CASE.flow(W, H, np.array([0.0, t]), train_weights=False)
    rate = W.T @ W / 12 + CASE.feature_penalty * np.eye(5)
    rest = np.linalg.solve(rate, W.T @ CASE.targets / 12)
    expected = rest + linalg.expm(-t * rate) @ (H - rest)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(np.sort(decay_rates(W, 12, CASE.feature_penalty)), np.linalg.eigvalsh(rate))


def test_the_flow_of_both_ends_at_the_minimum():
    rng = np.random.default_rng(3)
    W, H = CASE.flow(0.3 * rng.standard_normal((3, 5)), 0.3 * rng.standard_normal((5, 12)), np.array([0.0, 5e3]), True)
    c = threshold(CASE.sizes, 0.01, 0.02)
    np.testing.assert_allclose(W[-1] @ H[-1], shrinkage(c)[:, None] * CASE.targets, atol=1e-3)


def test_skewed_sizes_halve_and_the_mean_class_has_that_c():
    case = problem(5, 20, 10, 0.5, 4.0, False, True)
    assert case.sizes == (40, 20, 10, 5, 2)
    mean = sum(case.sizes) / 5
    assert 5 * (mean * case.weight_penalty * case.feature_penalty) ** 0.5 == pytest.approx(0.5)
    assert case.feature_penalty / case.weight_penalty == pytest.approx(4.0)
