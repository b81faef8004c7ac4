"""Steepest and mirror descent against their definitions."""

import pytest
import torch

from dlatlas.optimizers.dual_acceleration import DUAL_ACCELERATION
from dlatlas.optimizers.mirror_descent import MIRROR_DESCENT
from dlatlas.optimizers.orders import ORDERS
from dlatlas.optimizers.sgd import SGD
from dlatlas.optimizers.steepest_descent import STEEPEST_DESCENT, steepest

G = {"a": torch.tensor([[0.3, -2.0]], dtype=torch.float64), "b": torch.tensor([0.5, 0.0, 1.0], dtype=torch.float64)}
W = {"a": torch.tensor([[1.0, -0.5]], dtype=torch.float64), "b": torch.tensor([0.2, 2.0, -1.0], dtype=torch.float64)}


def hyper(norm, decay=0.0, step=1.0):
    return {"lr": torch.tensor(0.1), "norm": norm, "decay": torch.tensor(decay), "step": torch.tensor(step)}


@pytest.mark.parametrize("norm", ORDERS)
def test_no_direction_of_the_same_norm_gains_more(norm):
    torch.manual_seed(0)
    g, p = torch.randn(7, dtype=torch.float64), ORDERS[norm]
    found = steepest(g, p)
    others = torch.randn(20_000, 7, dtype=torch.float64)
    others = others / torch.linalg.vector_norm(others, p, dim=1, keepdim=True) * torch.linalg.vector_norm(found, p)
    assert (others @ g).max() <= found @ g * (1 + 1e-9)
    assert torch.linalg.vector_norm(found, p) ** 2 == pytest.approx(float(found @ g))  # |g|_q on both sides


def test_the_known_cases():
    g = torch.tensor([0.5, -3.0, 1.0])
    assert steepest(g, 1.0).tolist() == [0.0, -3.0, 0.0]
    assert steepest(g, 2.0).tolist() == pytest.approx(g.tolist())
    assert steepest(g, float("inf")).tolist() == [4.5, -4.5, 4.5]


@pytest.mark.parametrize("rule", [STEEPEST_DESCENT, MIRROR_DESCENT])
def test_in_l2_both_are_gradient_descent(rule):
    mine, _ = rule.update(G, {}, W, hyper("l2"))
    plain, _ = SGD.update(G, {}, W, hyper("l2"))
    for name in W:
        assert torch.allclose(mine[name], plain[name], rtol=1e-12)


def test_steps_decay_with_their_number():
    now, _ = STEEPEST_DESCENT.update(G, {}, W, hyper("l2", decay=0.5, step=16.0))
    assert torch.allclose(W["b"] - now["b"], 0.025 * G["b"])


@pytest.mark.parametrize("norm", ["l1.1", "l1.5", "l3", "l4"])
def test_mirror_descent_steps_in_the_gradient_of_its_potential(norm):
    p = ORDERS[norm]
    moved, _ = MIRROR_DESCENT.update(G, {}, W, hyper(norm))
    for name in W:
        w = W[name].clone().requires_grad_()
        (before,) = torch.autograd.grad((w.abs() ** p).sum() / p, w)
        v = moved[name].clone().requires_grad_()
        (after,) = torch.autograd.grad((v.abs() ** p).sum() / p, v)
        assert torch.allclose(after, before - 0.1 * G[name], atol=1e-9)


def test_a_vanishing_gradient_moves_nothing():
    still = {name: torch.zeros_like(value) for name, value in G.items()}
    for norm in ORDERS:
        moved, _ = STEEPEST_DESCENT.update(still, {}, W, hyper(norm))
        assert all(torch.equal(moved[name], W[name]) for name in W)


def test_dual_acceleration_is_the_recursion_of_the_paper_unrolled():
    """g_t = b_t (g_t-1 + grad_t) with b_t = t / (t + 1): the product of b_s to b_t is s / (t + 1)."""
    draws = torch.randn(6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    w = {"w": torch.zeros(3, dtype=torch.float64)}
    state = DUAL_ACCELERATION.init(w)
    for t, g in enumerate(draws):
        w, state = DUAL_ACCELERATION.update({"w": g}, state, w, {"lr": 1.0, "step": torch.tensor(t + 1.0)})
    expected = torch.zeros(3, dtype=torch.float64)
    for t in range(6):
        expected = expected - sum(s / (t + 1) * draws[s] for s in range(t + 1)) - draws[t]
    torch.testing.assert_close(w["w"], expected)
