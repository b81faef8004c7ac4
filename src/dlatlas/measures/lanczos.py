"""Lanczos for a stack of symmetric matrices, with full reorthogonalisation and honest residuals."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dlatlas.identity.streams import stream

Matvec = Callable[[Tensor], Tensor]

BREAKDOWN = 1e-12  # a new direction this small against the matrix is round-off: the Krylov space is exhausted


class Eigenvalues(NamedTuple):
    """Eigenvalue estimates ``(run, k)``, descending, and the residual |A v - lambda v| of each, ``(run, k)``."""

    values: Tensor
    residuals: Tensor


def start_vectors(keys: Sequence[str], size: int) -> Tensor:
    """One normal start vector a run, ``(run, size)`` float64, from the run's own stream ``measure``."""
    return torch.stack([torch.from_numpy(stream(key, "measure").standard_normal(size)) for key in keys])


def ritz_pairs(matvec: Matvec, start: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Ritz values ``(run, steps)``, descending, and vectors ``(run, steps, size)`` of a stack of symmetric matrices.

    Each new direction is orthogonalised twice against all before it. Where a run's Krylov space is exhausted, it goes
    on from a fixed pseudo-random direction, so a matrix of low rank beside one of full rank is no special case. A run
    with a NaN gives NaN and leaves its neighbours alone.

    Args:
        matvec: ``(run, size) -> (run, size)``, every run by its own matrix.
        start: ``(run, size)`` float64, not zero.
        steps: dimension of the Krylov space; at most ``size`` are taken.

    Source: Golub & Van Loan, Matrix Computations, 4th edition, section 10.3.
    """
    run, size = start.shape
    steps = min(steps, size)
    fresh = torch.from_numpy(stream("lanczos", "restart").standard_normal((steps, size))).to(start)
    basis = start.new_zeros(run, steps, size)
    T = start.new_zeros(run, steps, steps)
    scale = start.new_zeros(run)
    q = start / torch.linalg.vector_norm(start, dim=-1, keepdim=True)
    for step in range(steps):
        basis[:, step] = q
        w = matvec(q)
        T[:, step, step] = (q * w).sum(-1)
        scale = torch.maximum(scale, torch.linalg.vector_norm(w, dim=-1))
        w = _orthogonal(w, basis[:, : step + 1])
        beta = torch.linalg.vector_norm(w, dim=-1)
        if step + 1 < steps:
            exhausted = beta <= BREAKDOWN * scale
            T[:, step, step + 1] = T[:, step + 1, step] = torch.where(exhausted, 0.0, beta)
            w = torch.where(exhausted[:, None], fresh[step], w / beta[:, None])
            w = _orthogonal(w, basis[:, : step + 1])
            q = w / torch.linalg.vector_norm(w, dim=-1, keepdim=True)
    finite = T.isfinite().all(-1).all(-1)
    values, rotation = torch.linalg.eigh(torch.where(finite[:, None, None], T, 0.0))
    values = torch.where(finite[:, None], values, torch.nan)
    return values.flip(-1), rotation.mT.flip(-2) @ basis


def extreme_eigenvalues(matvec: Matvec, start: Tensor, steps: int, top: int = 1, bottom: int = 0) -> Eigenvalues:
    """The ``top`` largest and ``bottom`` smallest eigenvalues in algebraic order (not by magnitude), descending.

    Args:
        matvec: as in ``ritz_pairs``; called once more for each eigenvalue, for its residual.
        start: ``(run, size)`` float64.
        steps: dimension of the Krylov space.
        top: how many from the top, at least one.
        bottom: how many from the bottom.

    Returns:
        Values and residuals, ``(run, top + bottom)`` each, fewer where the matrix is smaller. Within a residual of
        each value lies an eigenvalue; that it is the extreme one is the start vector's doing, almost surely.
    """
    values, vectors = ritz_pairs(matvec, start, steps)
    count = values.shape[-1]
    wanted = [*range(min(top, count)), *range(max(top, count - bottom), count)]
    residuals = [
        torch.linalg.vector_norm(matvec(vectors[:, i]) - values[:, i, None] * vectors[:, i], dim=-1) for i in wanted
    ]
    return Eigenvalues(values[:, wanted], torch.stack(residuals, dim=-1))


def _orthogonal(w: Tensor, basis: Tensor) -> Tensor:
    for _ in range(2):
        w = w - ((basis @ w.unsqueeze(-1)).mT @ basis).squeeze(-2)
    return w
