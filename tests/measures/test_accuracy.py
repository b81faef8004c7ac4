import pytest
import torch

from dlatlas.measures.accuracy import accuracy, classification_error

G = torch.Generator().manual_seed(0)
LOGITS = torch.randn(6, 4, generator=G, dtype=torch.float64)
CLASSES = torch.tensor([0, 3, 1, 1, 2, 0])


def test_accuracy_by_hand_for_classes_one_hot_rows_and_signs():
    output = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0]])
    assert accuracy(output, torch.tensor([1, 0, 0])) == pytest.approx(2 / 3)
    assert classification_error(output, torch.eye(2)[[1, 0, 0]]) == pytest.approx(1 / 3)
    for scores in (torch.tensor([0.5, -1.0, 0.0, 2.0]), torch.tensor([[0.5], [-1.0], [0.0], [2.0]])):
        assert accuracy(scores, torch.tensor([1, -1, 1, -1])) == 0.5  # an output of 0 is wrong


def test_a_diverged_network_has_no_accuracy():
    outputs = torch.stack([LOGITS, torch.full_like(LOGITS, torch.nan)])
    found = torch.vmap(accuracy, in_dims=(0, None))(outputs, CLASSES)
    assert found[0].isfinite()
    assert found[1].isnan()
