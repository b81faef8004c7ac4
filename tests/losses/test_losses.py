import math

import pytest
import torch
from torch.func import grad, hessian
from torch.nn import functional

from dlatlas.declare.registry import LOSSES, load
from dlatlas.errors import InputError
from dlatlas.losses import losses

G = torch.Generator().manual_seed(0)
LOGITS = torch.randn(6, 4, generator=G, dtype=torch.float64)
CLASSES = torch.tensor([0, 3, 1, 1, 2, 0])
SIGNS = torch.tensor([1, -1, 1, 1, -1, -1])
SCORES = LOGITS[:, 0]
BINARY = ["logistic", "exponential", "log_exponential", "poly_tail"]


def test_half_mse_is_half_the_mean_over_examples_of_the_sum_over_outputs():
    output, target = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    assert losses.half_mse(output, target) == (5 + 9) / 4
    assert losses.mse(output, target) == (5 + 9) / 2
    assert losses.mse(output, target) == 2 * functional.mse_loss(output, target)


def test_half_mse_takes_classes_as_one_hot_rows():
    hot = functional.one_hot(CLASSES, 4).double()
    assert torch.equal(losses.half_mse(LOGITS, CLASSES), losses.half_mse(LOGITS, hot))


@pytest.mark.parametrize("name", ["half_mse", "mse", *BINARY])
def test_a_column_of_outputs_never_broadcasts_against_a_row_of_targets(name):
    loss = load(LOSSES[name])
    assert torch.equal(loss(SCORES[:, None], SIGNS), loss(SCORES, SIGNS))
    with pytest.raises(InputError, match="differ"):
        loss(LOGITS, SIGNS.double())


def test_cross_entropy_is_torchs_and_takes_soft_labels_and_positions():
    assert torch.allclose(losses.cross_entropy(LOGITS, CLASSES), functional.cross_entropy(LOGITS, CLASSES), rtol=1e-14)
    hot = functional.one_hot(CLASSES, 4).double()
    assert torch.allclose(losses.cross_entropy(LOGITS, hot), functional.cross_entropy(LOGITS, CLASSES), rtol=1e-14)
    by_position = losses.cross_entropy(LOGITS.reshape(2, 3, 4), CLASSES.reshape(2, 3))
    assert torch.allclose(by_position, functional.cross_entropy(LOGITS, CLASSES), rtol=1e-14)
    assert math.isclose(losses.cross_entropy(torch.zeros(1, 10), torch.tensor([3])), math.log(10), rel_tol=1e-6)


def test_binary_losses_by_hand():
    f, y = torch.tensor([0.0, 2.0, -1.0], dtype=torch.float64), torch.tensor([1, -1, -1])  # z = 0, -2, 1
    assert math.isclose(losses.logistic(f, y), sum(math.log1p(math.exp(-z)) for z in (0, -2, 1)) / 3)
    assert math.isclose(losses.exponential(f, y), (1 + math.exp(2) + math.exp(-1)) / 3)
    assert math.isclose(losses.poly_tail(f, y), (1 + 5 + 0.25) / 3)


def test_the_polynomial_tail_and_its_tangent_meet_with_equal_value_and_slope():
    z, one = torch.tensor([-1e-9, 0.0, 1e-9], dtype=torch.float64), torch.ones(1)
    for point in z:
        assert math.isclose(losses.poly_tail(point[None], one), 1, abs_tol=1e-8)
        assert math.isclose(grad(losses.poly_tail)(point[None], one), -2, abs_tol=1e-8)


@pytest.mark.parametrize("name", BINARY)
def test_losses_and_slopes_stay_finite_and_exact_far_out(name):
    loss, one = load(LOSSES[name]), torch.ones(1)
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
    assert torch.allclose(losses.logistic(-far, one), far)


def test_the_pole_of_the_polynomial_tail_is_not_seen_from_the_tangent():
    assert grad(losses.poly_tail)(-torch.ones(1), torch.ones(1)).tolist() == [-2]


@pytest.mark.parametrize("name", LOSSES)
def test_stacked_losses_and_their_first_and_second_slopes_equal_one_by_one(name):
    loss = load(LOSSES[name])
    target = CLASSES if name.startswith("cross_entropy") else SIGNS
    outputs = torch.stack([LOGITS, 2 * LOGITS, -LOGITS])
    outputs = outputs if name.startswith("cross_entropy") else outputs[..., 0]
    for transform in (lambda f: f, grad, hessian):
        stacked = torch.vmap(transform(loss), in_dims=(0, None))(outputs, target)
        single = torch.stack([transform(loss)(output, target) for output in outputs])
        assert torch.allclose(stacked, single, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "log_exponential"])
def test_the_loss_is_the_mean_of_its_example_losses(name):
    output, target = (LOGITS, CLASSES) if name.startswith("cross_entropy") else (SCORES, SIGNS)
    each = losses.example_losses(load(LOSSES[name]), output, target)
    assert each.shape == (6,)
    assert torch.allclose(each.mean(), load(LOSSES[name])(output, target), rtol=1e-13)


def test_a_step_on_the_logarithm_is_a_step_on_the_exponential_loss_divided_by_it():
    f, y = SCORES.clone().requires_grad_(), SIGNS
    (scaled,) = torch.autograd.grad(losses.log_exponential(f, y), f)
    (plain,) = torch.autograd.grad(losses.exponential(f, y), f)
    assert torch.allclose(scaled, plain / losses.exponential(f, y), rtol=1e-12)
    far = losses.log_exponential(2000 * y.double(), y)
    assert far == pytest.approx(-2000.0)  # where the exponential loss is zero


def test_accuracy_by_hand_for_classes_one_hot_rows_and_signs():
    output = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0]])
    assert losses.accuracy(output, torch.tensor([1, 0, 0])) == pytest.approx(2 / 3)
    assert losses.classification_error(output, torch.eye(2)[[1, 0, 0]]) == pytest.approx(1 / 3)
    for scores in (torch.tensor([0.5, -1.0, 0.0, 2.0]), torch.tensor([[0.5], [-1.0], [0.0], [2.0]])):
        assert losses.accuracy(scores, torch.tensor([1, -1, 1, -1])) == 0.5  # an output of 0 is wrong


def test_a_diverged_network_has_no_accuracy():
    outputs = torch.stack([LOGITS, torch.full_like(LOGITS, torch.nan)])
    found = torch.vmap(losses.accuracy, in_dims=(0, None))(outputs, CLASSES)
    assert found[0].isfinite()
    assert found[1].isnan()
