"""Norms of stacked weights, layer by layer, in float64.

Weights are a list (or a mapping, in order) of tensors ``(run, out, in, ...)``, layers acting as x -> W x. A
convolution's kernel is taken as the matrix ``(out, in * k * k)``; its norm as an operator is in ``conv``. A run whose
weights are not finite gets NaN, and its neighbours do not notice.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dlatlas.errors import InputError

Weights = Sequence[Tensor] | Mapping[str, Tensor]


def as_matrices(weights: Weights) -> list[Tensor]:
    """Every weight as a float64 matrix, ``(run, out, rest)`` each.

    Raises:
        InputError: if there is no weight, or one has fewer than two dimensions beyond ``run`` (a bias).
    """
    named = weights.items() if isinstance(weights, Mapping) else enumerate(weights)
    matrices = []
    for name, weight in named:
        if weight.ndim < 3:
            raise InputError(f"weights: {name}: expected (run, out, in, ...), found {tuple(weight.shape)}")
        matrices.append(weight.double().flatten(2))
    if not matrices:
        raise InputError("weights: found none; a norm by layer needs at least one weight (run, out, in, ...)")
    return matrices


def singular_values(matrices: Tensor) -> Tensor:
    """Singular values ``(..., min(a, b))``, descending, of matrices ``(..., a, b)``; NaN for one that is not finite."""
    finite = matrices.isfinite().all(-1).all(-1)
    values = torch.linalg.svdvals(torch.where(finite[..., None, None], matrices, 0.0))
    return torch.where(finite[..., None], values, torch.nan)


def frobenius_norms(weights: Weights) -> Tensor:
    """The Frobenius norm of every layer, ``(run, layer)``."""
    return torch.stack([torch.linalg.matrix_norm(W) for W in as_matrices(weights)], dim=-1)


def spectral_norms(weights: Weights) -> Tensor:
    """The largest singular value of every layer's matrix, ``(run, layer)``."""
    return torch.stack([singular_values(W)[:, 0] for W in as_matrices(weights)], dim=-1)


def stable_ranks(weights: Weights) -> Tensor:
    """|W|_F^2 / |W|_2^2 of every layer, ``(run, layer)``, between 1 and the rank; NaN for a zero layer."""
    return (frobenius_norms(weights) / spectral_norms(weights)).square()


def two_one_norms(weights: Weights) -> Tensor:
    """|W^T|_{2,1} of every layer, ``(run, layer)``: the sum over units of the 2-norm of a unit's incoming weights.

    The paper defines |A|_{2,1} as the sum of the 2-norms of A's **columns** and bounds layers x -> A x by
    |A^T|_{2,1}; the columns of A^T are the rows of A, so rows are summed here.

    Source: Bartlett, Foster & Telgarsky 2017 (arXiv 1706.08498), equation 1.2 and the notation above it.
    """
    return torch.stack([torch.linalg.vector_norm(W, dim=-1).sum(-1) for W in as_matrices(weights)], dim=-1)


def lipschitz_product(weights: Weights) -> Tensor:
    """The product of the layers' spectral norms, ``(run,)``: a Lipschitz constant for 1-Lipschitz activations."""
    return spectral_norms(weights).prod(-1)


def spectral_complexity(weights: Weights, reference: Weights | None = None) -> Tensor:
    """R_A = (prod_i s_i) (sum_i (|A_i^T - M_i^T|_{2,1} / s_i)^{2/3})^{3/2}, ``(run,)``, 1-Lipschitz activations.

    Computed as (sum_i (b_i prod_{j != i} s_j)^{2/3})^{3/2}, the same without dividing, so a zero layer is allowed.

    Args:
        weights: the layers A_i; s_i are their spectral norms.
        reference: the matrices M_i, e.g. the initial weights; zero when absent.

    Source: Bartlett, Foster & Telgarsky 2017 (arXiv 1706.08498), equation 1.2.
    """
    from_reference = weights if reference is None else _differences(weights, reference)
    s, b = spectral_norms(weights), two_one_norms(from_reference)
    itself = torch.eye(s.shape[-1], dtype=torch.bool, device=s.device)
    others = torch.where(itself, 1.0, s.unsqueeze(-2)).prod(-1)
    return (b * others).pow(2 / 3).sum(-1).pow(1.5)


def distances(weights: Weights, initial: Weights) -> Tensor:
    """|W_l - W_l(0)|_F of every layer, ``(run, layer)``.

    Raises:
        InputError: if the two differ in layers or shapes.
    """
    return frobenius_norms(_differences(weights, initial))


def total_norm(parameters: Weights) -> Tensor:
    """The 2-norm of all parameters as one vector, ``(run,)``; biases and scalars ``(run, ...)`` count too."""
    tensors = parameters.values() if isinstance(parameters, Mapping) else parameters
    flat = torch.cat(
        [tensor.double().flatten(1) if tensor.ndim > 1 else tensor.double()[:, None] for tensor in tensors], 1
    )
    return torch.linalg.vector_norm(flat, dim=-1)


def squared_path_norm(weights: Weights, biases: Sequence[Tensor] | None = None) -> Tensor:
    """The sum over input-output paths of the product of squared weights, ``(run,)``, fully connected layers only.

    Exact, by one pass of ones through the squared weights; with biases, paths that start at a bias are counted too.

    Args:
        weights: ``(run, out, in)`` each, the first layer first.
        biases: ``(run, out)`` for every layer, or None.

    Raises:
        InputError: if a layer is not a matrix or does not fit the one before.

    Source: Neyshabur et al. 2015 (arXiv 1503.00036), p = 2; Jiang et al. 2020 (arXiv 1912.02178), equation 44.
    """
    layers = list(weights.values() if isinstance(weights, Mapping) else weights)
    width = as_matrices(layers)[0].shape[-1]
    for number, W in enumerate(layers):
        if W.ndim != 3 or W.shape[-1] != width:
            raise InputError(f"path norm: layer {number}: expected (run, out, {width}), found {tuple(W.shape)}")
        width = W.shape[1]
    if biases is not None and len(biases) != len(layers):
        raise InputError(f"path norm: expected a bias for each of {len(layers)} layers or none, found {len(biases)}")
    flow = torch.ones_like(layers[0][:, 0].double())
    for number, W in enumerate(layers):
        flow = torch.einsum("roi,ri->ro", W.double().square(), flow)
        if biases is not None:
            flow = flow + biases[number].double().square()
    return flow.sum(-1)


def path_norm(weights: Weights, biases: Sequence[Tensor] | None = None) -> Tensor:
    """The square root of ``squared_path_norm``, ``(run,)``: it scales as the network's output does."""
    return squared_path_norm(weights, biases).sqrt()


def _differences(weights: Weights, initial: Weights) -> list[Tensor]:
    ours, theirs = as_matrices(weights), as_matrices(initial)
    if [W.shape for W in ours] != [W.shape for W in theirs]:
        raise InputError(
            f"reference weights: expected shapes {[tuple(W.shape) for W in ours]}, "
            f"found {[tuple(W.shape) for W in theirs]}"
        )
    return [W - W0 for W, W0 in zip(ours, theirs)]
