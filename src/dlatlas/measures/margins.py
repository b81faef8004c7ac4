"""Margins: how far each example is on the right side. A wrong example has a negative margin, and keeps it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dlatlas.errors import InputError


def margins(outputs: Tensor, y: Tensor) -> Tensor:
    """The margin of every example, ``(run, n)``: f_y - max_{j != y} f_j, or y f for one output.

    Args:
        outputs: logits ``(run, n, classes)``, or one number an example, ``(run, n)`` or ``(run, n, 1)``.
        y: classes or one-hot rows for logits, +-1 for one number; with a leading run axis or shared without it.

    Returns:
        Signed margins in units of the output: negative means misclassified.

    Raises:
        InputError: if a single output meets labels other than +-1, or a class does not exist.

    Source: Bartlett, Foster & Telgarsky 2017 (arXiv 1706.08498), section 1.
    """
    if outputs.ndim == 2 or outputs.shape[-1] == 1:
        return binary_margins(outputs.flatten(1), y)
    if y.is_floating_point() and y.shape[-2:] == outputs.shape[-2:]:
        y = y.argmax(-1)
    if bool((y < 0).any() | (y >= outputs.shape[-1]).any()):
        raise InputError(
            f"margins: found classes from {int(y.min())} to {int(y.max())}; allowed: 0 to {outputs.shape[-1] - 1}"
        )
    index = y.long().expand(outputs.shape[:-1]).unsqueeze(-1)
    others = outputs.scatter(-1, index, -torch.inf)
    return outputs.gather(-1, index).squeeze(-1) - others.amax(-1)


def binary_margins(outputs: Tensor, y: Tensor) -> Tensor:
    """The margins y f of labels y = +-1, ``(run, n)``.

    Args:
        outputs: ``(run, n)``.
        y: +-1, ``(run, n)`` or ``(n,)``; a trailing axis of one is dropped.

    Raises:
        InputError: if a label is not +-1.
    """
    if bool((y.abs() != 1).any()):
        raise InputError("margins: found labels other than -1 and 1; allowed for one output: -1 and 1")
    if y.ndim > 1 and y.shape[-1] == 1 and outputs.shape[-1] != 1:
        y = y.squeeze(-1)
    return y.to(outputs.dtype) * outputs


def margin_quantiles(margin: Tensor, levels: Sequence[float]) -> Tensor:
    """Quantiles of the margins over examples, ``(run, quantile)``, interpolated linearly between order statistics.

    Args:
        margin: ``(run, n)``.
        levels: in [0, 1]; level 0 is the smallest margin.
    """
    at = torch.tensor(levels, dtype=margin.dtype, device=margin.device)
    return torch.quantile(margin, at, dim=-1).T


def linear_margin(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The normalised margin of linear classifiers, ``(run,)``: min_n y_n x_n.w / |w|; negative if one is wrong.

    Args:
        w: ``(run, d)``.
        x: ``(n, d)`` or ``(run, n, d)``.
        y: +-1, ``(n,)`` or ``(run, n)``.

    Raises:
        InputError: if a label is not +-1.

    Source: Soudry et al. 2018 (arXiv 1710.10345), where it rises to that of the max-margin separator.
    """
    w = w.double()
    scores = (x.double() @ w.unsqueeze(-1)).squeeze(-1)
    return binary_margins(scores, y).amin(-1) / torch.linalg.vector_norm(w, dim=-1)


def normalised_margins(margin: Tensor, complexity: Tensor, data_norm: Tensor) -> Tensor:
    """Margins over R_A |X| / n, ``(run, n)``, unchanged when all weights of a bias-free ReLU net are scaled.

    Args:
        margin: ``(run, n)``.
        complexity: the spectral complexity R_A, ``(run,)``.
        data_norm: |X|, the Frobenius norm of the ``n`` inputs, ``(run,)`` or a scalar.

    Source: Bartlett, Foster & Telgarsky 2017 (arXiv 1706.08498), Figure 2.
    """
    return margin * margin.shape[-1] / (complexity * data_norm).unsqueeze(-1)
