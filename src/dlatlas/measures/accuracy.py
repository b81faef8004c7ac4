"""The share of examples that are classified correctly."""

import torch
from torch import Tensor

from dlatlas.losses.loss import signed


def accuracy(output: Tensor, target: Tensor) -> Tensor:
    """Fraction of examples classified correctly, in [0, 1]; NaN where an output is NaN.

    Args:
        output: logits ``(n, ..., classes)``, or one number an example, ``(n,)`` or ``(n, 1)``.
        target: integer classes or one-hot rows for logits; +-1 for one number. An output of exactly 0 is wrong.
    """
    if output.ndim > 1 and output.shape[-1] > 1:
        truth = target.argmax(-1) if target.shape == output.shape else target
        correct = output.argmax(-1) == truth
    else:
        correct = signed(output, target) > 0
    return torch.where(output.isnan().any(), torch.nan, correct.to(output.dtype).mean())


def classification_error(output: Tensor, target: Tensor) -> Tensor:
    """Fraction of examples classified wrongly: one minus ``accuracy``."""
    return 1 - accuracy(output, target)
