"""Covariance of gradients and curvature along a direction against brute force."""

import numpy as np
import pytest
import torch
from torch.func import functional_call

from dlatlas.losses.squared import half_mse
from dlatlas.measures.curvature import hessian_matvec
from dlatlas.measures.gradient_noise import curvature_along, gradient_covariance_eigenvalues
from dlatlas.measures.trained import Trained
from dlatlas.models.mlp import MLP


@pytest.fixture(params=[True, False])
def trained(request):
    torch.manual_seed(0)
    model = MLP(3, 4, 1, 2, "tanh").double()
    p = {name: torch.stack([v.detach(), 2 * v.detach()]) for name, v in model.named_parameters()}
    x, y = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    if not request.param:
        x, y = torch.stack([x, x + 1]), torch.stack([y, -y])
    return Trained(model, p, p, {}, x, y, None, None, half_mse, {}, ["a", "b"], request.param)


def example(trained, run, i):
    x, y = trained.data()
    x, y = (x, y) if trained.shared_data else (x[run], y[run])
    p = {name: value[run].clone().requires_grad_() for name, value in trained.parameters.items()}
    return half_mse(functional_call(trained.model, p, (x[i : i + 1],)), y[i : i + 1]), p


def test_eigenvalues_are_those_of_the_covariance_matrix(trained):
    found = gradient_covariance_eigenvalues(trained, 4)
    for run in range(2):
        rows = []
        for i in range(5):
            loss, p = example(trained, run, i)
            rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(p.values()))]).numpy())
        covariance = np.cov(np.array(rows).T, bias=True)
        np.testing.assert_allclose(found[run], np.linalg.eigvalsh(covariance)[::-1][:4], atol=1e-12)


def test_curvatures_along_a_direction_are_second_differences(trained):
    size = sum(value[0].numel() for value in trained.parameters.values())
    v = torch.randn(2, size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found, h = curvature_along(trained, v), 1e-4
    shapes = [value.shape[1:] for value in trained.parameters.values()]
    for run in range(2):
        pieces = dict(zip(trained.parameters, v[run].split([shape.numel() for shape in shapes])))
        for i in range(5):

            def at(t, run=run, i=i, pieces=pieces):
                moved = {n: w + t * pieces[n].reshape(w.shape[1:]) for n, w in trained.parameters.items()}
                return float(example(Trained(**{**vars(trained), "parameters": moved}), run, i)[0])

            assert float(found[run, i]) == pytest.approx((at(h) - 2 * at(0.0) + at(-h)) / h**2, rel=1e-4, abs=1e-6)


def test_their_mean_is_the_curvature_of_the_loss(trained):
    size = sum(value[0].numel() for value in trained.parameters.values())
    v = torch.nn.functional.normalize(torch.randn(2, size, dtype=torch.float64), dim=1)
    matvec = hessian_matvec(
        trained.loss_of_parameters, trained.parameters, {}, *trained.data(), shared_data=trained.shared_data
    )
    torch.testing.assert_close(curvature_along(trained, v).mean(1), (v * matvec(v)).sum(1))
