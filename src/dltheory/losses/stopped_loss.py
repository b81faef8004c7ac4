"""A cross-entropy at which training stops by itself, so that runs end at one training loss."""

from torch import Tensor

from dlatlas.losses.cross_entropy import cross_entropy

STOP = 0.01
"""Nats an example, averaged. A misclassified one costs at least ln 2, so at most 1.4 % of them are."""


def cross_entropy_stopped(output: Tensor, target: Tensor) -> Tensor:
    """``cross_entropy``, but never less than ``STOP``: below it the gradient is zero, so full-batch descent rests.

    The runs of a stack take different numbers of steps to one training loss; with this loss each rests from its first
    step below ``STOP``, and all end within one step of it.

    Args:
        output: logits, ``(n, classes)``.
        target: integer classes ``(n,)``, or floats ``(n, classes)`` that sum to one.
    """
    return cross_entropy(output, target).clamp(min=STOP)
