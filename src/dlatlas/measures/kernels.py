"""The empirical neural tangent kernel of a stack, and how far it has moved."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev

from dlatlas.errors import InputError

JACOBIAN_NUMBERS = 2**25  # numbers of Jacobian held at once (256 MiB in float64): runs beyond go in turns


def empirical_ntk(
    model: nn.Module,
    parameters: Mapping[str, Tensor],
    buffers: Mapping[str, Tensor],
    x: Tensor,
    *,
    shared_data: bool = True,
    full: bool = False,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """The kernel <df_a(x_i)/dw, df_b(x_j)/dw> of every run over all its parameters.

    Args:
        model: the network; each example is passed alone, as a batch of one (so batch normalisation must be in
            evaluation mode). One run's Jacobian, ``n * outputs * p`` numbers, must fit in memory.
        parameters: ``(run, ...)`` each.
        buffers: ``(run, ...)`` each, may be empty.
        x: ``(n, ...)`` if shared, else ``(run, n, ...)``.
        shared_data: whether all runs see the same inputs.
        full: keep the outputs apart instead of summing a = b.
        dtype: of the computation and the result.

    Returns:
        ``(run, n, n)``, the sum (not the mean) over outputs; with ``full``, ``(run, n, n, outputs, outputs)``.

    Source: Jacot, Gabriel & Hongler 2018 (arXiv 1806.07572), definition of the tangent kernel, without 1/width.
    """

    def jacobian(p: dict[str, Tensor], held: dict[str, Tensor], one: Tensor) -> dict[str, Tensor]:
        return jacrev(lambda q: functional_call(model, (q, held), (one.unsqueeze(0),)).reshape(-1))(p)

    def kernel(p: dict[str, Tensor], held: dict[str, Tensor], x: Tensor) -> Tensor:
        rows = torch.vmap(jacobian, in_dims=(None, None, 0))(p, held, x)
        if full:
            return sum(torch.einsum("iap,jbp->ijab", J.flatten(2), J.flatten(2)) for J in _with_axis(rows))
        return sum(J.flatten(1) @ J.flatten(1).T for J in _with_axis(rows))

    x = x.to(dtype) if x.is_floating_point() else x
    p = {name: tensor.to(dtype) for name, tensor in parameters.items()}
    held = {name: t.to(dtype) if t.is_floating_point() else t for name, t in buffers.items()}
    inputs = x if shared_data else x[0]
    first = {name: tensor[0] for name, tensor in (p | held).items()}
    with torch.no_grad():
        outputs = functional_call(model, first, (inputs[:1],))
    one_run = len(inputs) * outputs.numel() * sum(tensor[0].numel() for tensor in p.values())
    stacked = torch.vmap(
        kernel, in_dims=(0, 0, None if shared_data else 0), chunk_size=max(1, JACOBIAN_NUMBERS // one_run)
    )
    return stacked(p, held, x)


def kernel_distance(kernel: Tensor, initial: Tensor) -> Tensor:
    """|K - K_0|_F / |K_0|_F of every run, ``(run,)``: zero for a lazy network.

    Args:
        kernel: ``(run, n, n, ...)``.
        initial: the same shape.

    Raises:
        InputError: if the shapes differ.

    Source: Chizat, Oyallon & Bach 2019 (arXiv 1812.07956) for laziness; the norm of Jacot et al. 2018's experiments.
    """
    if kernel.shape != initial.shape:
        raise InputError(f"kernels: shapes {tuple(kernel.shape)} and {tuple(initial.shape)} differ")
    change = torch.linalg.vector_norm((kernel - initial).flatten(1), dim=-1)
    return change / torch.linalg.vector_norm(initial.flatten(1), dim=-1)


def _with_axis(rows: dict[str, Tensor]) -> list[Tensor]:
    return [J.unsqueeze(-1) if J.ndim == 2 else J for J in rows.values()]
