"""Curvature of a stack's loss: Hessian-vector products by forward over reverse, eigenvalues by Lanczos, float64."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vjp

from dlatlas.losses.loss import Loss
from dlatlas.measures.lanczos import Eigenvalues, Matvec, extreme_eigenvalues, start_vectors

Parameters = Mapping[str, Tensor]
LossOfParameters = Callable[[dict[str, Tensor], dict[str, Tensor], Tensor, Tensor], Tensor]

KRYLOV_NUMBERS = 2**26  # float64 numbers of Krylov basis held at once (512 MiB): runs beyond go in turns


def hessian_matvec(
    loss: LossOfParameters,
    parameters: Parameters,
    buffers: Parameters,
    x: Tensor,
    y: Tensor,
    *,
    shared_data: bool = True,
) -> Matvec:
    """The map v -> H v of every run, on flat vectors ``(run, p)``, parameters in the order of their dict.

    Args:
        loss: one run's ``(parameters, buffers, x, y) -> scalar``, twice differentiable by ``torch.func``.
        parameters: ``(run, ...)`` each; taken in float64.
        buffers: ``(run, ...)`` each, may be empty.
        x: inputs, ``(n, ...)`` if shared, else ``(run, n, ...)``.
        y: targets, likewise.
        shared_data: whether all runs see the same data.

    Source: Pearlmutter 1994, Fast exact multiplication by the Hessian, equation 10.
    """
    shapes = {name: tensor.shape[1:] for name, tensor in parameters.items()}
    flat = torch.cat([tensor.double().reshape(len(tensor), -1) for tensor in parameters.values()], dim=1)
    held = {name: _double(tensor) for name, tensor in buffers.items()}
    x, y = _double(x), _double(y)

    def product(point: Tensor, v: Tensor, held: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        slope = grad(lambda vector: loss(_unflatten(vector, shapes), held, x, y))
        return jvp(slope, (point,), (v,))[1]

    axis = None if shared_data else 0
    stacked = torch.vmap(product, in_dims=(0, 0, 0, axis, axis))
    return lambda v: stacked(flat, v, held, x, y)


def gauss_newton_matvec(
    model: nn.Module,
    loss: Loss,
    parameters: Parameters,
    buffers: Parameters,
    x: Tensor,
    y: Tensor,
    *,
    shared_data: bool = True,
) -> Matvec:
    """The map v -> J^T L J v of every run, J the Jacobian of the outputs and L the loss's Hessian in the outputs.

    For ``half_mse`` its non-zero eigenvalues are those of the tangent kernel J J^T over n: it is the Hessian of the
    network linearised where it is. Arguments as in ``hessian_matvec``, with one network and the loss of its outputs.

    Source: Schraudolph 2002, Fast curvature matrix-vector products, equation 10.
    """
    shapes = {name: tensor.shape[1:] for name, tensor in parameters.items()}
    flat = torch.cat([tensor.double().reshape(len(tensor), -1) for tensor in parameters.values()], dim=1)
    held = {name: _double(tensor) for name, tensor in buffers.items()}
    x, y = _double(x), _double(y)

    def product(point: Tensor, v: Tensor, held: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        def outputs(vector: Tensor) -> Tensor:
            return functional_call(model, (_unflatten(vector, shapes), held), (x,))

        output, moved = jvp(outputs, (point,), (v,))
        pulled = jvp(grad(lambda values: loss(values, y)), (output,), (moved,))[1]
        return vjp(outputs, point)[1](pulled)[0]

    axis = None if shared_data else 0
    stacked = torch.vmap(product, in_dims=(0, 0, 0, axis, axis))
    return lambda v: stacked(flat, v, held, x, y)


def hessian_eigenvalues(
    loss: LossOfParameters,
    parameters: Parameters,
    buffers: Parameters,
    x: Tensor,
    y: Tensor,
    *,
    keys: Sequence[str],
    steps: int = 40,
    top: int = 1,
    bottom: int = 0,
    shared_data: bool = True,
) -> Eigenvalues:
    """The ``top`` largest and ``bottom`` smallest Hessian eigenvalues of every run, with residuals, float64.

    Args:
        loss: as in ``hessian_matvec``, and so are ``parameters``, ``buffers``, ``x``, ``y`` and ``shared_data``.
        parameters: see there.
        buffers: see there.
        x: see there.
        y: see there.
        keys: one a run; each run's start vector comes from its key alone.
        steps: Lanczos steps, one Hessian-vector product each.
        top: how many from the top of the algebraic order.
        bottom: how many from the bottom.
        shared_data: see there.

    Returns:
        Values ``(run, top + bottom)``, descending, in units of loss over squared parameter, and their residuals.
    """
    size = sum(tensor[0].numel() for tensor in parameters.values())
    at_once = max(1, KRYLOV_NUMBERS // (size * min(steps, size)))
    parts = []
    for first in range(0, len(keys), at_once):
        some = slice(first, first + at_once)
        matvec = hessian_matvec(
            loss,
            {name: tensor[some] for name, tensor in parameters.items()},
            {name: tensor[some] for name, tensor in buffers.items()},
            x if shared_data else x[some],
            y if shared_data else y[some],
            shared_data=shared_data,
        )
        start = start_vectors(keys[some], size).to(x.device)
        parts.append(extreme_eigenvalues(matvec, start, steps, top, bottom))
    return Eigenvalues(*(torch.cat(column) for column in zip(*parts)))


def top_hessian_eigenvalue(
    loss: LossOfParameters,
    parameters: Parameters,
    buffers: Parameters,
    x: Tensor,
    y: Tensor,
    *,
    keys: Sequence[str],
    steps: int = 40,
    shared_data: bool = True,
) -> tuple[Tensor, Tensor]:
    """The sharpness: the largest Hessian eigenvalue of every run, ``(run,)``, and its residual, ``(run,)``.

    Arguments as in ``hessian_eigenvalues``.

    Source: Cohen et al. 2021 (arXiv 2103.00065); theirs is by largest magnitude (SciPy's ``LM``), ours algebraic.
    """
    found = hessian_eigenvalues(loss, parameters, buffers, x, y, keys=keys, steps=steps, shared_data=shared_data)
    return found.values[:, 0], found.residuals[:, 0]


def _unflatten(vector: Tensor, shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    pieces = vector.split([shape.numel() for shape in shapes.values()])
    return {name: piece.reshape(shape) for piece, (name, shape) in zip(pieces, shapes.items())}


def _double(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor
