"""Losses of one network: ``(output, target) -> scalar``, the mean over examples.

The engine stacks networks by ``vmap(grad(loss))``, so nothing here branches on a value, only on shapes and dtypes,
and both branches of every ``where`` have finite slopes. A target of shape ``(n,)`` never broadcasts against an
output of shape ``(n, 1)``: they are the same ``n`` numbers.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from dlatlas.errors import InputError

Loss = Callable[[Tensor, Tensor], Tensor]


def half_mse(output: Tensor, target: Tensor) -> Tensor:
    """Half the squared error, summed over outputs and averaged over examples: 1/(2n) sum_i |f(x_i) - y_i|^2.

    Args:
        output: ``(n, ...)``.
        target: floats of as many numbers as ``output``, or integer classes ``(n,)``, taken as one-hot rows.

    Returns:
        A scalar, in squared units of the target. Its Hessian for f = X w is X^T X / n.

    Raises:
        InputError: if output and target differ in size.

    Source: the convention of Cohen et al. 2021 (arXiv 2103.00065), where gradient descent is stable below 2/eta.
    """
    return mse(output, target) / 2


def mse(output: Tensor, target: Tensor) -> Tensor:
    """Squared error, summed over outputs and averaged over examples: 1/n sum_i |f(x_i) - y_i|^2.

    With k outputs this is k times ``torch.nn.functional.mse_loss``. Shapes and errors as in ``half_mse``.
    """
    if not target.is_floating_point() and output.shape != target.shape and output.numel() > target.numel():
        target = target.unsqueeze(-1) == torch.arange(output.shape[-1], device=target.device)
    return (output - _like(target, output)).square().sum() / output.shape[0]


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Softmax cross-entropy in nats, averaged over examples (and positions): mean of -log softmax(f)_y.

    Args:
        output: logits, ``(n, ..., classes)``.
        target: integer classes ``(n, ...)``, or floats ``(n, ..., classes)`` that sum to one.
    """
    # Classes first: over a last axis of ten the softmax takes twenty times as long on a CPU.
    log_probability = torch.log_softmax(output.movedim(-1, 0), dim=0)
    if target.is_floating_point():
        return -(_like(target, output).movedim(-1, 0) * log_probability).sum(0).mean()
    return -log_probability.gather(0, target.long().unsqueeze(0)).mean()


def logistic(output: Tensor, target: Tensor) -> Tensor:
    """Logistic loss in nats: mean of log(1 + exp(-z)), z = y f, labels y = +-1.

    Args:
        output: ``(n,)`` or ``(n, 1)``.
        target: +-1, as many numbers as ``output``, of any dtype.
    """
    z = _signed(output, target)
    return torch.logaddexp(torch.zeros_like(z), -z).mean()


def exponential(output: Tensor, target: Tensor) -> Tensor:
    """Exponential loss: mean of exp(-z), z = y f, labels y = +-1; shapes as in ``logistic``."""
    return torch.exp(-_signed(output, target)).mean()


def log_exponential(output: Tensor, target: Tensor) -> Tensor:
    """The logarithm of ``exponential``: its gradient is that of the exponential loss over the loss itself.

    A step of gradient descent on it is a loss-scaled step on the exponential loss, which does not underflow.

    Source: normalised gradient descent of Nacson et al. 2019 (arXiv 1803.01905), equation 8.
    """
    z = _signed(output, target).flatten()
    return torch.logsumexp(-z, 0) - math.log(len(z))


def poly_tail(output: Tensor, target: Tensor) -> Tensor:
    """A loss with a polynomial tail: mean of (1+z)^-2 where z = y f >= 0, and of its tangent 1 - 2z below.

    Shapes as in ``logistic``. Value and slope agree at z = 0.

    Source: the tail of Wang et al. 2022 (arXiv 2112.12986) with alpha = 2, beta = 0.
    """
    z = _signed(output, target)
    return torch.where(z >= 0, (1 + z.clamp(min=0)) ** -2, 1 - 2 * z).mean()


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
        correct = _signed(output, target) > 0
    return torch.where(output.isnan().any(), torch.nan, correct.to(output.dtype).mean())


def classification_error(output: Tensor, target: Tensor) -> Tensor:
    """Fraction of examples classified wrongly: one minus ``accuracy``."""
    return 1 - accuracy(output, target)


def example_losses(loss: Loss, output: Tensor, target: Tensor) -> Tensor:
    """The loss of each example alone, ``(n,)``; its mean is ``loss(output, target)``."""
    return torch.vmap(lambda one, its: loss(one.unsqueeze(0), its.unsqueeze(0)))(output, target)


def _like(target: Tensor, output: Tensor) -> Tensor:
    if target.numel() != output.numel():
        raise InputError(
            f"loss: an output of shape {tuple(output.shape)} and a target of shape {tuple(target.shape)} differ "
            "in size; allowed: equal sizes, or integer classes where the loss takes them"
        )
    return target.reshape(output.shape).to(output.dtype)


def _signed(output: Tensor, target: Tensor) -> Tensor:
    return _like(target, output) * output
