"""The recursion over layers against Monte Carlo, closed forms and wide networks."""

import numpy as np
import pytest
import torch

from dlatlas.measures.kernels import empirical_ntk
from dlatlas.models.tangent_mlp import TangentMLP
from dltheory.theory.tangent_kernel import ACTIVATIONS, limit_kernels

PHI = {
    "relu": (lambda u: np.maximum(u, 0), lambda u: (u > 0).astype(float)),
    "erf": (lambda u: torch.erf(torch.from_numpy(u)).numpy(), lambda u: 2 / np.sqrt(np.pi) * np.exp(-u * u)),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_duals_are_expectations_over_correlated_gaussians(activation):
    """Two million draws, |z| < 4."""
    k11, k22, k12 = 1.3, 0.6, -0.4
    root = np.linalg.cholesky([[k11, k12], [k12, k22]])
    u, v = root @ np.random.default_rng(0).standard_normal((2, 2_000_000))
    record = ACTIVATIONS[activation]
    for phi, dual in zip(PHI[activation], (record.dual, record.slope_dual)):
        draws = phi(u) * phi(v)
        assert abs(draws.mean() - dual(np.array(k12), np.array(k11), np.array(k22))) < 4 * draws.std() / len(u) ** 0.5


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_derivative_of_a_dual_is_the_dual_of_the_derivative(activation):
    """d/dk12 E phi phi = E phi' phi' (Price's theorem)."""
    record, h = ACTIVATIONS[activation], 1e-6
    k12, k11, k22 = np.linspace(-0.5, 0.5, 11), np.array(1.3), np.array(0.6)
    numeric = (record.dual(k12 + h, k11, k22) - record.dual(k12 - h, k11, k22)) / (2 * h)
    np.testing.assert_allclose(numeric, record.slope_dual(k12, k11, k22), rtol=1e-6)


def test_relu_keeps_the_variance_and_the_diagonal_counts_layers():
    """With c = 2 and no biases Sigma(x, x) = |x|^2 / d at every depth and Theta(x, x) = (depth + 1) |x|^2 / d."""
    x = np.random.default_rng(0).standard_normal((4, 3))
    for depth in (0, 1, 4):
        sigma, theta = limit_kernels(x, depth, "relu")
        np.testing.assert_allclose(np.diag(sigma), (x**2).sum(1) / 3)
        np.testing.assert_allclose(np.diag(theta), (depth + 1) * (x**2).sum(1) / 3)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("depth", "width", "networks"), [(1, 2048, 48), (2, 256, 48)])
def test_wide_networks_have_these_kernels(activation, depth, width, networks):
    """Mean over networks; the second tolerance is the bias of order 1/m of two hidden layers."""
    torch.manual_seed(0)
    x = torch.randn(4, 3, dtype=torch.float64)
    made = [TangentMLP(3, width, depth, activation, bias=0.5).double() for _ in range(networks)]
    p = {n: torch.stack([dict(m.named_parameters())[n].detach() for m in made]) for n, _ in made[0].named_parameters()}
    held = {"scale": torch.ones(networks, dtype=torch.float64)}
    found = empirical_ntk(made[0], p, held, x).numpy()
    sigma, theta = limit_kernels(x.numpy(), depth, activation, 0.5)
    error = found.std(0) / np.sqrt(networks)
    assert np.all(np.abs(found.mean(0) - theta) < 4.5 * error + (0.0 if depth == 1 else 4 / width) * np.abs(theta))
    outputs = torch.stack([m(x)[:, 0].detach() for m in made]).numpy()
    products = outputs[:, :, None] * outputs[:, None]
    assert np.all(np.abs(products.mean(0) - sigma) < 4.5 * products.std(0) / np.sqrt(networks))


def test_mean_field_scaling_divides_the_output_by_the_root_of_the_width():
    torch.manual_seed(0)
    plain = TangentMLP(2, 64)
    torch.manual_seed(0)
    field = TangentMLP(2, 64, mean_field=True)
    x = torch.randn(5, 2)
    torch.testing.assert_close(field(x), plain(x) / 8)
