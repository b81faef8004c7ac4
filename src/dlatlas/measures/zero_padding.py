"""Convolutions on n x n images with a border of zeros: the dense matrix, and the norm without it. float64.

No FFT diagonalises these; their norm is at most that of the circular convolution on the padded image.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import vjp
from torch.nn.functional import conv2d

from dlatlas.measures.lanczos import ritz_pairs, start_vectors


def zero_padded_matrix(kernel: Tensor, n: int, stride: int = 1, padding: int | None = None) -> Tensor:
    """The dense matrix of a zero-padded convolution, ``(run, out m^2, in n^2)``, by convolving every basis image.

    Args:
        kernel: ``(run, out, in, k, k)``.
        n: side of the image.
        stride: of ``torch.nn.Conv2d``; the output's side is m = (n + 2 padding - k) // stride + 1.
        padding: zeros on each side; k // 2 (the same size, for odd k and stride 1) when absent.
    """
    size = kernel.shape[2] * n * n
    basis = torch.eye(size, dtype=torch.float64, device=kernel.device).reshape(size, kernel.shape[2], n, n)
    images = torch.vmap(lambda one: conv2d(basis, one, stride=stride, padding=_padding(kernel, padding)))
    return images(kernel.double()).flatten(2).mT


def zero_padded_spectral_norm(
    kernel: Tensor, n: int, *, keys: Sequence[str], steps: int = 60, stride: int = 1, padding: int | None = None
) -> tuple[Tensor, Tensor]:
    """The largest singular value s of a zero-padded convolution, ``(run,)``, by Lanczos on M^T M, and its residual.

    Args:
        kernel: as in ``zero_padded_matrix``, and so are ``n``, ``stride`` and ``padding``.
        n: see there.
        keys: one a run, for its start vector.
        steps: Lanczos steps, one M and one M^T each.
        stride: see there.
        padding: see there.

    Returns:
        s and |M^T u - s v| for unit v and u = M v / s, ``(run,)`` each: within that residual of s lies a singular
        value of M. The estimate is never above the norm, but for round-off.
    """
    kernel = kernel.double()
    run, into = len(kernel), kernel.shape[2]

    def layer(kernel: Tensor, flat: Tensor) -> Tensor:
        image = flat.reshape(1, into, n, n)
        return conv2d(image, kernel, stride=stride, padding=_padding(kernel, padding))

    def gram(kernel: Tensor, flat: Tensor) -> Tensor:
        image, adjoint = vjp(lambda v: layer(kernel, v), flat)
        return adjoint(image)[0]

    matvec = torch.vmap(gram)
    start = start_vectors(keys, into * n * n).to(kernel.device).reshape(run, -1)
    _, vectors = ritz_pairs(lambda v: matvec(kernel, v), start, steps)
    v = vectors[:, 0]
    norm = torch.linalg.vector_norm(torch.vmap(layer)(kernel, v).flatten(1), dim=-1)
    gap = torch.linalg.vector_norm(matvec(kernel, v) - norm.square()[:, None] * v, dim=-1)
    return norm, gap / norm


def _padding(kernel: Tensor, padding: int | None) -> int:
    return kernel.shape[-1] // 2 if padding is None else padding
