import math

import torch
from torch.nn import functional

from dlatlas.losses.cross_entropy import cross_entropy

G = torch.Generator().manual_seed(0)
LOGITS = torch.randn(6, 4, generator=G, dtype=torch.float64)
CLASSES = torch.tensor([0, 3, 1, 1, 2, 0])


def test_cross_entropy_is_torchs_and_takes_soft_labels_and_positions():
    assert torch.allclose(cross_entropy(LOGITS, CLASSES), functional.cross_entropy(LOGITS, CLASSES), rtol=1e-14)
    hot = functional.one_hot(CLASSES, 4).double()
    assert torch.allclose(cross_entropy(LOGITS, hot), functional.cross_entropy(LOGITS, CLASSES), rtol=1e-14)
    by_position = cross_entropy(LOGITS.reshape(2, 3, 4), CLASSES.reshape(2, 3))
    assert torch.allclose(by_position, functional.cross_entropy(LOGITS, CLASSES), rtol=1e-14)
    assert math.isclose(cross_entropy(torch.zeros(1, 10), torch.tensor([3])), math.log(10), rel_tol=1e-6)
