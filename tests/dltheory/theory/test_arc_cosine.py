import numpy as np
import pytest
import torch

from dlatlas.measures.kernels import empirical_ntk
from dltheory.models.two_layer_tangent import TwoLayerTangent
from dltheory.theory.arc_cosine import circle_rates, dual, dual_of_slope, relu_kernel, two_layer_tangent_kernel


@pytest.mark.parametrize("c", [-0.9, 0.0, 0.3, 0.99])
def test_duals_are_expectations_over_correlated_gaussians(c):
    """Monte Carlo with two million draws, |z| < 4."""
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal((2, 2_000_000))
    v = c * u + np.sqrt(1 - c**2) * v
    for draws, expected in (
        (2 * np.maximum(u, 0) * np.maximum(v, 0), dual(c)),
        (2.0 * ((u > 0) & (v > 0)), dual_of_slope(c)),
    ):
        assert abs(draws.mean() - expected) / (draws.std() / np.sqrt(len(u)) + 1e-12) < 4


def test_both_are_one_at_one_and_their_derivatives_agree():
    assert dual(1.0) == dual_of_slope(1.0) == 1.0
    assert dual(-1.0) == pytest.approx(0.0)
    c, h = np.linspace(-0.9, 0.9, 19), 1e-6
    np.testing.assert_allclose((dual(c + h) - dual(c - h)) / (2 * h), dual_of_slope(c), rtol=1e-6)


@pytest.mark.parametrize("outer", [False, True])
def test_the_kernel_is_the_mean_empirical_kernel_of_wide_networks(outer):
    """64 networks of width 4096, |z| < 4.5 for each of 15 entries."""
    torch.manual_seed(0)
    angle = torch.arange(5, dtype=torch.float64)
    x = torch.stack([torch.cos(angle), torch.sin(angle)], 1)
    networks = [TwoLayerTangent(2, 4096, outer).double() for _ in range(64)]
    p = {name: torch.stack([dict(n.named_parameters())[name].detach() for n in networks]) for name in ("w", "a")}
    held = {name: torch.stack([dict(n.named_buffers())[name] for n in networks]) for name in ("w0", "a0", "moves")}
    kernels = empirical_ntk(networks[0], p, held, x).numpy()
    cosine = ((x @ x.T).numpy() + 1) / 2
    z = (kernels.mean(0) - two_layer_tangent_kernel(cosine, outer)) / (kernels.std(0) / 8)
    assert np.abs(z[np.tril_indices(5)]).max() < 4.5


def test_rates_are_eigenvalues_of_the_kernel_matrix():
    n = 24
    angle = 2 * np.pi * np.arange(n) / n
    cosine = (np.cos(angle[:, None] - angle) + 1) / 2
    values = np.linalg.eigvalsh(two_layer_tangent_kernel(cosine)) / n
    found = circle_rates(n, 1, np.arange(n))
    np.testing.assert_allclose(np.sort(found), values, atol=1e-12)


@pytest.mark.parametrize(("outer", "slope"), [(False, -2.0), (True, -4.0)])
def test_eigenvalues_fall_as_the_audit_found(outer, slope):
    """-1.998 with biases, -4.006 for output weights only, k = 20 to 200."""
    k = np.arange(20, 201)
    found = np.polyfit(np.log(k), np.log(circle_rates(8192, 1, k, outer)), 1)[0]
    assert found == pytest.approx(slope, abs=0.06)


def test_fourier_features_level_the_rates():
    found = circle_rates(256, 32, np.arange(1, 33))
    assert found.max() / found.min() < 1.2


def test_the_relu_kernel_is_the_mean_over_features():
    rng = np.random.default_rng(0)
    x, z = rng.standard_normal((3, 6)), rng.standard_normal((4, 6))
    F = rng.standard_normal((200_000, 6)) / np.sqrt(6)
    mean = np.maximum(x @ F.T, 0) @ np.maximum(z @ F.T, 0).T / len(F)
    assert relu_kernel(x, z) == pytest.approx(mean, abs=0.01)
    assert np.diag(relu_kernel(x, x)) == pytest.approx((x**2).sum(1) / 12)
