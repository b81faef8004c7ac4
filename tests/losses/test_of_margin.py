import math

import pytest
import torch
from torch.func import grad

from dlatlas.losses import of_margin
from dlatlas.losses.of_margin import exponential, log_exponential, logistic, poly_tail

G = torch.Generator().manual_seed(0)
LOGITS = torch.randn(6, 4, generator=G, dtype=torch.float64)
SIGNS = torch.tensor([1, -1, 1, 1, -1, -1])
SCORES = LOGITS[:, 0]
BINARY = ["logistic", "exponential", "log_exponential", "poly_tail"]


def test_binary_losses_by_hand():
    f, y = torch.tensor([0.0, 2.0, -1.0], dtype=torch.float64), torch.tensor([1, -1, -1])  # z = 0, -2, 1
    assert math.isclose(logistic(f, y), sum(math.log1p(math.exp(-z)) for z in (0, -2, 1)) / 3)
    assert math.isclose(exponential(f, y), (1 + math.exp(2) + math.exp(-1)) / 3)
    assert math.isclose(poly_tail(f, y), (1 + 5 + 0.25) / 3)


def test_the_polynomial_tail_and_its_tangent_meet_with_equal_value_and_slope():
    z, one = torch.tensor([-1e-9, 0.0, 1e-9], dtype=torch.float64), torch.ones(1)
    for point in z:
        assert math.isclose(poly_tail(point[None], one), 1, abs_tol=1e-8)
        assert math.isclose(grad(poly_tail)(point[None], one), -2, abs_tol=1e-8)


@pytest.mark.parametrize("name", BINARY)
def test_losses_and_slopes_stay_finite_and_exact_far_out(name):
    loss, one = getattr(of_margin, name), torch.ones(1)
    for z in (-600.0, 600.0):
        f = torch.tensor([z], dtype=torch.float64)
        assert loss(f, one).isfinite()
        assert grad(loss)(f, one).isfinite().all()
    far = torch.tensor([600.0], dtype=torch.float64)
    exact = {
        "logistic": math.exp(-600),
        "exponential": math.exp(-600),
        "log_exponential": -600.0,
        "poly_tail": 601**-2,
    }[name]
    assert math.isclose(loss(far, one), exact, rel_tol=1e-12)
    assert torch.allclose(logistic(-far, one), far)


def test_the_pole_of_the_polynomial_tail_is_not_seen_from_the_tangent():
    assert grad(poly_tail)(-torch.ones(1), torch.ones(1)).tolist() == [-2]


def test_a_step_on_the_logarithm_is_a_step_on_the_exponential_loss_divided_by_it():
    f, y = SCORES.clone().requires_grad_(), SIGNS
    (scaled,) = torch.autograd.grad(log_exponential(f, y), f)
    (plain,) = torch.autograd.grad(exponential(f, y), f)
    assert torch.allclose(scaled, plain / exponential(f, y), rtol=1e-12)
    far = log_exponential(2000 * y.double(), y)
    assert far == pytest.approx(-2000.0)  # where the exponential loss is zero
