"""Singular values of two-dimensional multichannel circular convolutions on n x n images, for a stack, in float64.

A kernel is ``(run, out, in, k, k)`` and acts as ``torch.nn.Conv2d`` does (cross-correlation). Images with a border
of zeros are in ``zero_padding``.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from dlatlas.errors import InputError
from dlatlas.measures.norms import singular_values


def circular_singular_values(kernel: Tensor, n: int, stride: int = 1) -> Tensor:
    """All singular values of a circular convolution, descending, by FFT.

    A frequency's block is an ``out x in`` matrix; stride s adds up the s * s frequencies that alias, so the blocks
    become ``out x (in s s)``, over s. A kernel wider than the image is wrapped around it modulo n, not cropped.

    Args:
        kernel: ``(run, out, in, k, k)``.
        n: side of the image.
        stride: s, a divisor of n.

    Returns:
        ``(run, m)``, m = (n/s)^2 min(out, in s^2), all singular values of the ``out (n/s)^2 x in n^2`` matrix.

    Raises:
        InputError: if the stride does not divide n, or the kernel is not of that shape.

    Source: Sedghi, Gupta & Long 2019 (arXiv 1805.10408), theorem 6; the stride by the aliasing of a sampled signal.
    """
    _check(kernel, n, stride)
    run, out, into = kernel.shape[:3]
    m = n // stride
    blocks = torch.fft.fft2(_wrapped(kernel.double(), n))  # (run, out, in, n, n), frequency a * m + b aliases to b
    blocks = blocks.reshape(run, out, into, stride, m, stride, m).permute(0, 4, 6, 1, 2, 3, 5)
    values = singular_values(blocks.reshape(run, m, m, out, into * stride**2) / stride)
    return values.flatten(1).sort(-1, descending=True).values


def circular_spectral_norm(kernel: Tensor, n: int, stride: int = 1) -> Tensor:
    """The largest singular value of a circular convolution, ``(run,)``; arguments as in its singular values."""
    return circular_singular_values(kernel, n, stride)[:, 0]


def reshaped_kernel_norm(kernel: Tensor) -> Tensor:
    """The spectral norm R of the kernel as a matrix ``(out, in k k)``, ``(run,)``.

    On an image at least as large as the kernel, and at any stride s, the layer's norm lies between R (an input that
    lives on one patch) and ceil(k/s) R (a pixel is in at most ceil(k/s)^2 patches).

    Source: Tsuzuku, Sato & Sugiyama 2018 (arXiv 1802.04034) for the upper bound.
    """
    return singular_values(kernel.double().flatten(2))[:, 0]


def circular_matrix(kernel: Tensor, n: int, stride: int = 1) -> Tensor:
    """The dense matrix of a circular convolution, ``(run, out (n/s)^2, in n^2)``, one tap at a time.

    Row (o, p) holds kernel[o, c, u] in column (c, (s p + u) mod n): no FFT is used, so it can witness for it.

    Raises:
        InputError: as in ``circular_singular_values``.
    """
    _check(kernel, n, stride)
    run, out, into, height, width = kernel.shape
    m = n // stride
    matrix = kernel.new_zeros(run, out, m, m, into, n, n, dtype=torch.float64)
    here = torch.arange(m)
    for u in range(height):
        for v in range(width):
            rows, columns = (stride * here + u) % n, (stride * here + v) % n
            index = (here[:, None], here[None, :], rows[:, None], columns[None, :])
            taps = kernel[:, :, :, u, v].double().expand(m, m, run, out, into)
            matrix.permute(2, 3, 5, 6, 0, 1, 4)[index] += taps
    return matrix.reshape(run, out * m * m, into * n * n)


def _wrapped(kernel: Tensor, n: int) -> Tensor:
    height, width = (-(-side // n) * n for side in kernel.shape[-2:])
    padded = pad(kernel, (0, width - kernel.shape[-1], 0, height - kernel.shape[-2]))
    return padded.unflatten(-1, (-1, n)).unflatten(-3, (-1, n)).sum((-4, -2))


def _check(kernel: Tensor, n: int, stride: int) -> None:
    if kernel.ndim != 5:
        raise InputError(f"kernel: expected (run, out, in, k, k), found {tuple(kernel.shape)}")
    if n % stride:
        raise InputError(f"stride: expected a divisor of the image's side {n}, found {stride}")
