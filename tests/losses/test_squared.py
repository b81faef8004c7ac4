import torch
from torch.nn import functional

from dlatlas.losses.squared import half_mse, mse

G = torch.Generator().manual_seed(0)
LOGITS = torch.randn(6, 4, generator=G, dtype=torch.float64)
CLASSES = torch.tensor([0, 3, 1, 1, 2, 0])


def test_half_mse_is_half_the_mean_over_examples_of_the_sum_over_outputs():
    output, target = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    assert half_mse(output, target) == (5 + 9) / 4
    assert mse(output, target) == (5 + 9) / 2
    assert mse(output, target) == 2 * functional.mse_loss(output, target)


def test_half_mse_takes_classes_as_one_hot_rows():
    hot = functional.one_hot(CLASSES, 4).double()
    assert torch.equal(half_mse(LOGITS, CLASSES), half_mse(LOGITS, hot))
