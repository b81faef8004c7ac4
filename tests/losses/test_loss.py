"""What holds for every loss of the room."""

import pytest
import torch
from torch.func import grad, hessian

from dlatlas.declare.registry import load, named
from dlatlas.errors import InputError
from dlatlas.losses.loss import example_losses

G = torch.Generator().manual_seed(0)
LOGITS = torch.randn(6, 4, generator=G, dtype=torch.float64)
CLASSES = torch.tensor([0, 3, 1, 1, 2, 0])
SIGNS = torch.tensor([1, -1, 1, 1, -1, -1])
SCORES = LOGITS[:, 0]
LOSSES = {name: load(place) for name, place in named("losses", ("dlatlas",)).items()}
BINARY = ["logistic", "exponential", "log_exponential", "poly_tail"]


@pytest.mark.parametrize("name", ["half_mse", "mse", *BINARY])
def test_a_column_of_outputs_never_broadcasts_against_a_row_of_targets(name):
    loss = LOSSES[name]
    assert torch.equal(loss(SCORES[:, None], SIGNS), loss(SCORES, SIGNS))
    with pytest.raises(InputError, match="differ"):
        loss(LOGITS, SIGNS.double())


@pytest.mark.parametrize("name", LOSSES)
def test_stacked_losses_and_their_first_and_second_slopes_equal_one_by_one(name):
    loss = LOSSES[name]
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
    each = example_losses(LOSSES[name], output, target)
    assert each.shape == (6,)
    assert torch.allclose(each.mean(), LOSSES[name](output, target), rtol=1e-13)
