"""Squared errors."""

import torch
from torch import Tensor

from dlatlas.losses.loss import like


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
    return (output - like(target, output)).square().sum() / output.shape[0]
