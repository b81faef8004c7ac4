import pytest
import torch
from torch import nn
from torch.func import functional_call, hessian

from dlatlas.losses.cross_entropy import cross_entropy
from dlatlas.losses.squared import half_mse
from dlatlas.measures import curvature

KEYS = ["a", "b", "c"]
D = torch.float64


def chain(p, buffers, x, y):
    return (p["w"].prod() - 1).square() / 2


def test_the_sharpness_of_a_chain_at_a_minimum_is_the_sum_of_inverse_squares():
    w = torch.tensor([[2.0, 0.5, 1.0], [4.0, 0.5, 0.5], [-1.0, -1.0, 1.0]], dtype=D)
    value, residual = curvature.top_hessian_eigenvalue(chain, {"w": w}, {}, w, w, keys=KEYS)
    assert torch.allclose(value, (1 / w**2).sum(-1), rtol=1e-12)
    assert residual.max() < 1e-12


@pytest.mark.parametrize("depth", [1, 2, 5, 20])
def test_the_sharpness_of_a_balanced_chain_is_its_depth(depth):
    w = torch.ones(1, depth)
    value, _ = curvature.top_hessian_eigenvalue(chain, {"w": w}, {}, w, w, keys=["a"])
    assert value.item() == pytest.approx(depth, rel=1e-12)


def test_the_hessian_of_a_softmax_model_is_the_closed_form():
    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(9, 4, generator=g, dtype=D), torch.randint(3, (9,), generator=g)
    W = torch.randn(2, 3, 4, generator=g, dtype=D)
    matvec = curvature.hessian_matvec(lambda p, b, x, y: cross_entropy(x @ p["W"].T, y), {"W": W}, {}, x, y)
    columns = torch.stack([matvec(e.expand(2, 12)) for e in torch.eye(12, dtype=D)], dim=-1)
    for r in range(2):
        P = torch.softmax(x @ W[r].T, dim=-1)
        closed = sum(
            torch.kron(torch.diag(p) - torch.outer(p, p), torch.outer(one, one)) for p, one in zip(P, x)
        ) / len(x)
        assert torch.allclose(columns[r], closed, atol=1e-15)
        found = curvature.hessian_eigenvalues(
            lambda p, b, x, y: cross_entropy(x @ p["W"].T, y), {"W": W}, {}, x, y, keys=KEYS[:2], top=12
        )
        assert torch.allclose(found.values[r], torch.linalg.eigvalsh(closed).flip(-1), atol=1e-14)


def test_the_hessian_of_least_squares_is_the_covariance_whatever_the_weights():
    x = torch.randn(3, 10, 4, generator=torch.Generator().manual_seed(0), dtype=D)
    w = torch.randn(3, 4, dtype=D, generator=torch.Generator().manual_seed(1))
    value, _ = curvature.top_hessian_eigenvalue(
        lambda p, b, x, y: half_mse(x @ p["w"], y), {"w": w}, {}, x, x[..., 0], keys=KEYS, shared_data=False
    )
    assert torch.allclose(value, torch.linalg.matrix_norm(x, 2) ** 2 / 10, rtol=1e-12)


@pytest.mark.parametrize("shared", [True, False])
def test_a_stack_equals_one_by_one_equals_dense_autodiff(trained, shared):
    def smooth():
        return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))

    t = trained(smooth, shared=shared)
    x, y = t.data()
    found = curvature.hessian_eigenvalues(
        t.loss_of_parameters, t.parameters, {}, x, y, keys=t.keys, steps=39, top=2, bottom=1, shared_data=shared
    )
    assert found.residuals.max() < 1e-12
    for r in range(3):
        data = (x, y) if shared else (x[r], y[r])
        one = {k: v[r].double() for k, v in t.parameters.items()}
        names = list(one)
        blocks = hessian(lambda p, data=data: t.loss(functional_call(t.model, p, data[:1]), data[1]))(one)
        rows = [[blocks[a][b].reshape(one[a].numel(), one[b].numel()) for b in names] for a in names]
        dense = torch.linalg.eigvalsh(torch.cat([torch.cat(row, 1) for row in rows]))
        assert torch.allclose(found.values[r], dense[[-1, -2, 0]], rtol=1e-10, atol=1e-14)
        alone = curvature.hessian_eigenvalues(
            t.loss_of_parameters,
            {k: v[r : r + 1] for k, v in t.parameters.items()},
            {},
            x if shared else x[r : r + 1],
            y if shared else y[r : r + 1],
            keys=t.keys[r : r + 1],
            steps=39,
            top=2,
            bottom=1,
            shared_data=shared,
        )
        assert torch.allclose(alone.values[0], found.values[r], rtol=1e-11, atol=1e-14)


def test_a_run_starts_from_its_own_vector_wherever_it_stands(trained):
    t = trained()

    def few_steps(order):
        parameters = {k: v[order] for k, v in t.parameters.items()}
        keys = [t.keys[i] for i in order]
        return curvature.top_hessian_eigenvalue(t.loss_of_parameters, parameters, {}, *t.data(), keys=keys, steps=2)

    together, alone = few_steps([0, 1, 2]), few_steps([2])
    assert together[1].min() > 1e-3  # not converged: the start vector still shows
    for of_all, of_one in zip(together, alone):
        assert torch.allclose(of_all[2], of_one[0], rtol=1e-10)


def test_runs_taken_in_turns_give_the_same_numbers(trained, monkeypatch):
    t = trained()
    together = curvature.top_hessian_eigenvalue(t.loss_of_parameters, t.parameters, {}, *t.data(), keys=t.keys)
    monkeypatch.setattr(curvature, "KRYLOV_NUMBERS", 1)
    in_turns = curvature.top_hessian_eigenvalue(t.loss_of_parameters, t.parameters, {}, *t.data(), keys=t.keys)
    assert torch.allclose(in_turns[0], together[0], rtol=1e-12)


def test_the_stability_edge_of_gradient_descent_is_bracketed_by_the_sharpness():
    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(0), dtype=D)
    w0 = torch.ones(1, 6, dtype=D)

    def loss(p, b, x, y):
        return half_mse(x @ p["w"], y)

    y = torch.zeros(20, dtype=D)
    sharpness, _ = curvature.top_hessian_eigenvalue(loss, {"w": w0}, {}, x, y, keys=["a"])
    for factor, expected in ((0.99, True), (1.01, False)):
        w, eta = w0[0].clone(), 2 * factor / sharpness.item()
        for _ in range(2000):
            w = w - eta * x.T @ (x @ w) / 20
        assert bool(w.norm() < w0.norm()) == expected


def test_rescaling_relu_layers_moves_the_sharpness(trained):
    t = trained()
    c = torch.tensor(5.0)
    moved = t.parameters | {
        "0.weight": t.parameters["0.weight"] * c,
        "0.bias": t.parameters["0.bias"] * c,
        "2.weight": t.parameters["2.weight"] / c,
    }
    before = curvature.top_hessian_eigenvalue(t.loss_of_parameters, t.parameters, {}, *t.data(), keys=t.keys)[0]
    after = curvature.top_hessian_eigenvalue(t.loss_of_parameters, moved, {}, *t.data(), keys=t.keys)[0]
    assert (after > 1.2 * before).all()


def test_buffers_belong_to_their_run():
    def loss(p, b, x, y):
        return b["scale"] * p["w"].square().sum() / 2

    scale = torch.tensor([1.0, 2.0, 3.0], dtype=D)
    value, _ = curvature.top_hessian_eigenvalue(
        loss, {"w": torch.ones(3, 4)}, {"scale": scale}, scale, scale, keys=KEYS
    )
    assert torch.allclose(value, scale, rtol=1e-14)


@pytest.mark.parametrize("shared", [True, False])
def test_the_gauss_newton_product_is_the_jacobian_twice(shared):
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    generator = torch.Generator().manual_seed(0)
    p = {name: torch.stack([w.detach(), -0.5 * w.detach()]) for name, w in net.named_parameters()}
    x = torch.randn(2, 6, 3, generator=generator, dtype=D)
    y = torch.randn(2, 6, 2, generator=generator, dtype=D)
    x, y = (x[0], y[0]) if shared else (x, y)
    matvec = curvature.gauss_newton_matvec(net, half_mse, p, {}, x, y, shared_data=shared)
    size = sum(w[0].numel() for w in p.values())
    columns = torch.stack([matvec(e.expand(2, size)) for e in torch.eye(size, dtype=D)], dim=-1)
    for run in range(2):
        one = {name: w[run] for name, w in p.items()}
        inputs = x if shared else x[run]
        rows = torch.func.jacrev(lambda q, inputs=inputs: functional_call(net, q, (inputs,)))(one)
        J = torch.cat([rows[name].reshape(12, -1) for name in one], dim=1)
        assert torch.allclose(columns[run], J.T @ J / 6, atol=1e-14)
