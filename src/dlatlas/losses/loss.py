"""Losses of one network: ``(output, target) -> scalar``, the mean over examples.

The engine stacks networks by ``vmap(grad(loss))``, so nothing in this room branches on a value, only on shapes and
dtypes, and both branches of every ``where`` have finite slopes. A target of shape ``(n,)`` never broadcasts against an
output of shape ``(n, 1)``: they are the same ``n`` numbers.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from dlatlas.errors import InputError

Loss = Callable[[Tensor, Tensor], Tensor]


def example_losses(loss: Loss, output: Tensor, target: Tensor) -> Tensor:
    """The loss of each example alone, ``(n,)``; its mean is ``loss(output, target)``."""
    return torch.vmap(lambda one, its: loss(one.unsqueeze(0), its.unsqueeze(0)))(output, target)


def like(target: Tensor, output: Tensor) -> Tensor:
    """The target in the shape and type of the output.

    Raises:
        InputError: they differ in size.
    """
    if target.numel() != output.numel():
        raise InputError(
            f"loss: an output of shape {tuple(output.shape)} and a target of shape {tuple(target.shape)} differ "
            "in size; allowed: equal sizes, or integer classes where the loss takes them"
        )
    return target.reshape(output.shape).to(output.dtype)


def signed(output: Tensor, scores: Tensor) -> Tensor:
    """Outputs times labels of +-1."""
    return like(scores, output) * output
