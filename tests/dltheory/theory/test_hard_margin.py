"""The hard-margin solution against other solvers, and the late-time formulas against exact solutions."""

import numpy as np
import pytest
from sklearn.svm import SVC

from dlatlas.errors import InputError
from dltheory.theory.hard_margin import hard_margin, log_clock


def separable(seed, n=30, d=5, margin=0.3):
    rng = np.random.default_rng(seed)
    g, u = rng.standard_normal((n, d)), np.eye(d)[0]
    y = np.where(g @ u >= 0, 1.0, -1.0)
    return g + margin * y[:, None] * u, y


@pytest.mark.parametrize(("seed", "d"), [(0, 2), (1, 5), (2, 20)])
def test_the_solution_is_optimal_and_each_multiplier_belongs_to_a_support_vector(seed, d):
    x, y = separable(seed, d=d)
    found = hard_margin(y[:, None] * x)
    assert found.kkt_residual(y[:, None] * x) < 1e-10
    assert 2 <= (found.alpha > 0).sum() <= d
    assert found.alpha.sum() == pytest.approx(found.margin**-2)


def test_it_agrees_with_a_support_vector_machine_of_almost_no_slack_on_mirrored_data():
    x, y = separable(3)
    mirrored = SVC(kernel="linear", C=1e8, tol=1e-10).fit(np.vstack([x, -x]), np.append(y, -y))  # intercept 0
    assert np.allclose(mirrored.coef_[0], hard_margin(y[:, None] * x).w, rtol=1e-5, atol=1e-6)


def test_in_two_dimensions_no_direction_has_a_larger_margin():
    x, y = separable(4, d=2)
    z, angle = y[:, None] * x, np.linspace(0, 2 * np.pi, 200_001)
    best = (z @ np.array([np.cos(angle), np.sin(angle)])).min(0).max()
    reach = np.linalg.norm(z, axis=1).max() * 2 * np.pi / 200_000  # what a grid of angles can miss
    assert best <= hard_margin(z).margin <= best + reach


def test_examples_that_contradict_each_other_are_an_error():
    with pytest.raises(InputError, match="separable"):
        hard_margin(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]))


def test_one_example_follows_its_exact_flow():
    a, tau = 3.0, np.exp(np.array([5.0, 20.0]))  # dw/dtau = a exp(-a w)
    s, norm, gap = log_clock(tau, np.array([1 / a**2, 0.0]))
    assert np.allclose(norm, np.log1p(a * a * tau) / a, rtol=1e-3)
    assert np.allclose(s, a * norm)  # gamma = a
    assert np.all(gap == 0)


def test_two_orthogonal_examples_follow_their_exact_flow():
    a, tau = np.array([3.0, 0.7]), np.exp(np.array([20.0, 200.0]))
    w = np.log1p(a**2 * tau[:, None]) / a
    s, norm, gap = log_clock(tau, a**-2)
    size, gamma = np.linalg.norm(w, axis=1), 1 / np.sqrt((a**-2).sum())
    assert np.allclose(norm / size, 1, atol=3 / np.log(tau) ** 2)
    assert np.allclose(gap / (1 - (a * w).min(1) / size / gamma), 1, atol=2 / s[0])
    assert abs(gap[1] / (1 - (a * w).min(1)[1] / size[1] / gamma) - 1) < 0.03
