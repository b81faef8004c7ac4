"""Losses of the margin z = y f of two classes, y = +-1."""

import math

import torch
from torch import Tensor

from dlatlas.losses.loss import signed


def logistic(output: Tensor, target: Tensor) -> Tensor:
    """Logistic loss in nats: mean of log(1 + exp(-z)), z = y f, labels y = +-1.

    Args:
        output: ``(n,)`` or ``(n, 1)``.
        target: +-1, as many numbers as ``output``, of any dtype.
    """
    z = signed(output, target)
    return torch.logaddexp(torch.zeros_like(z), -z).mean()


def exponential(output: Tensor, target: Tensor) -> Tensor:
    """Exponential loss: mean of exp(-z), z = y f, labels y = +-1; shapes as in ``logistic``."""
    return torch.exp(-signed(output, target)).mean()


def log_exponential(output: Tensor, target: Tensor) -> Tensor:
    """The logarithm of ``exponential``: its gradient is that of the exponential loss over the loss itself.

    A step of gradient descent on it is a loss-scaled step on the exponential loss, which does not underflow.

    Source: normalised gradient descent of Nacson et al. 2019 (arXiv 1803.01905), equation 8.
    """
    z = signed(output, target).flatten()
    return torch.logsumexp(-z, 0) - math.log(len(z))


def poly_tail(output: Tensor, target: Tensor) -> Tensor:
    """A loss with a polynomial tail: mean of (1+z)^-2 where z = y f >= 0, and of its tangent 1 - 2z below.

    Shapes as in ``logistic``. Value and slope agree at z = 0.

    Source: the tail of Wang et al. 2022 (arXiv 2112.12986) with alpha = 2, beta = 0.
    """
    z = signed(output, target)
    return torch.where(z >= 0, (1 + z.clamp(min=0)) ** -2, 1 - 2 * z).mean()
