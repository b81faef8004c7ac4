import math

import pytest
import torch
from torch import nn
from torch.func import functional_call, jacrev

from dlatlas.errors import InputError
from dlatlas.measures import kernels

X = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_kernel_of_a_linear_model_is_the_gram_matrix(stack):
    def linear():
        return nn.Linear(5, 1, bias=False)

    K = kernels.empirical_ntk(linear(), *stack(linear), X)
    assert torch.allclose(K, (X @ X.T).expand(3, 6, 6), rtol=1e-13)


def test_summing_over_outputs_multiplies_and_a_bias_adds_one(stack):
    def linear():
        return nn.Linear(5, 3)

    K = kernels.empirical_ntk(linear(), *stack(linear), X)
    assert torch.allclose(K, (3 * (X @ X.T + 1)).expand(3, 6, 6), rtol=1e-13)
    full = kernels.empirical_ntk(linear(), *stack(linear), X, full=True)
    closed = (X @ X.T + 1)[:, :, None, None] * torch.eye(3, dtype=torch.float64)
    assert torch.allclose(full, closed.expand(3, 6, 6, 3, 3), atol=1e-13)


@pytest.mark.parametrize("shared", [True, False])
def test_a_stack_equals_the_jacobian_of_each_network(trained, shared):
    t = trained(n=6, shared=shared)
    full = kernels.empirical_ntk(t.model, t.parameters, {}, t.x, shared_data=shared, full=True)
    traced = kernels.empirical_ntk(t.model, t.parameters, {}, t.x, shared_data=shared)
    for r in range(3):
        x = (t.x if shared else t.x[r]).double()
        one = {k: v[r].double() for k, v in t.parameters.items()}
        jacobian = jacrev(lambda p, x=x: functional_call(t.model, p, (x,)))(one)
        J = torch.cat([J.flatten(2) for J in jacobian.values()], dim=2)
        assert torch.allclose(full[r], torch.einsum("iap,jbp->ijab", J, J), rtol=1e-10, atol=1e-13)
        assert torch.allclose(traced[r], torch.einsum("iap,jap->ij", J, J), rtol=1e-10, atol=1e-13)


def test_runs_taken_in_turns_give_the_same_kernel(trained, monkeypatch):
    t = trained(n=6)
    together = kernels.empirical_ntk(t.model, t.parameters, {}, t.x)
    monkeypatch.setattr(kernels, "JACOBIAN_NUMBERS", 1)
    assert torch.allclose(kernels.empirical_ntk(t.model, t.parameters, {}, t.x), together, rtol=1e-12)


class OneHidden(nn.Module):
    """f(x) = sqrt(2 / m) v . relu(W x), all weights N(0, 1)."""

    def __init__(self, d=3, width=16):
        super().__init__()
        self.W, self.v = nn.Parameter(torch.randn(width, d)), nn.Parameter(torch.randn(width))

    def forward(self, x):
        return torch.relu(x @ self.W.T) @ self.v * math.sqrt(2 / len(self.v))


def test_the_mean_relu_kernel_over_many_nets_is_the_arc_cosine_closed_form(stack):
    angles = torch.tensor([0.0, math.pi / 4, math.pi / 2, 3 * math.pi / 4, math.pi], dtype=torch.float64)
    x = torch.stack([angles.cos(), angles.sin(), 0 * angles], dim=-1)
    K = kernels.empirical_ntk(OneHidden(), *stack(OneHidden, runs=1500), x)[:, 0]
    k0, c = (math.pi - angles) / math.pi, angles.cos()
    closed = angles.sin() / math.pi + k0 * c + c * k0
    table = torch.tensor([2, 1.28574, 0.31831, -0.12847, 0], dtype=torch.float64)  # T1 of anchors/theory.md
    assert torch.allclose(closed, table, atol=1e-5)
    error = K.std(0) / math.sqrt(1500)
    assert ((K.mean(0) - closed).abs() <= 4 * error + 1e-12).all()
    assert (error[:4] < 0.03).all()


def test_the_kernels_spread_falls_as_one_over_the_square_root_of_the_width(stack):
    widths, spread = (8, 32, 128), []
    x = torch.eye(3, dtype=torch.float64)[:2]
    for width in widths:

        def make(width=width):
            return OneHidden(width=width)

        K = kernels.empirical_ntk(make(), *stack(make, runs=400), x)
        spread.append(math.log(float(K[:, 0, 0].std())))
    slope = (spread[-1] - spread[0]) / math.log(widths[-1] / widths[0])
    assert slope == pytest.approx(-0.5, abs=4 * 2**0.5 / math.sqrt(2 * 400) * 1.5 / math.log(16))


def test_the_kernel_of_a_positively_homogeneous_net_obeys_eulers_identity(trained):
    t = trained(lambda: nn.Sequential(nn.Linear(5, 8, bias=False), nn.ReLU(), nn.Linear(8, 1, bias=False)), n=6)
    doubled = {name: 2 * tensor for name, tensor in t.parameters.items()}
    K = kernels.empirical_ntk(t.model, t.parameters, {}, t.x)
    assert torch.allclose(kernels.empirical_ntk(t.model, doubled, {}, t.x), 4 * K, rtol=1e-12)


def test_rotating_the_inputs_and_the_first_layer_changes_no_kernel(trained):
    t = trained(n=6)
    Q = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)).Q
    turned = t.parameters | {"0.weight": t.parameters["0.weight"].double() @ Q}
    K = kernels.empirical_ntk(t.model, t.parameters, {}, t.x)
    assert torch.allclose(kernels.empirical_ntk(t.model, turned, {}, t.x.double() @ Q), K, rtol=1e-10)


def test_kernel_distance_by_hand():
    K0 = torch.eye(2, dtype=torch.float64).expand(3, 2, 2)
    K = torch.stack([K0[0], 3 * K0[0], K0[0] + torch.tensor([[0.0, 1], [0, 0]])])
    assert kernels.kernel_distance(K, K0).tolist() == pytest.approx([0, 2, 1 / math.sqrt(2)])
    with pytest.raises(InputError, match="differ"):
        kernels.kernel_distance(K, K0[:, :1])
