"""Spectra of random convolutional layers in three ways: by Fourier blocks, by dense SVD, and with zero padding."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dltheory.models.conv_kernels import drawn

if TYPE_CHECKING:
    from dlatlas.training.stack import Stack

QUANTILES = np.linspace(0.0, 1.0, 33)
"""Ranks at which sorted spectra are kept, from the largest singular value (0) to the smallest (1)."""


def spectra(stack: "Stack") -> dict[str, NDArray[np.float64]]:
    """Spectra of a stack of layers of m channels and k x k kernels on n x n images; a kernel is the same for all n.

    Args:
        stack: of one n, m, k and ``dense_rows``, with ``kernel`` one of `KERNELS`.

    Returns:
        Singular values at ``QUANTILES`` by Fourier blocks (``fourier``), dense SVD (``dense``) and dense SVD with zero
        padding (``padded``), ``(run, quantile)``. ``norm`` and ``condition`` of the circular layer; ``padded_norm`` of
        the zero-padded one, by Lanczos with ``residual`` where it is large; ``reshaped``, the norm of the kernel as a
        matrix; ``mismatch`` of all dense from all Fourier singular values, and ``spectrum_gap``, mean difference of the
        zero-padded ones from those, over the norm, ``(run,)``. What is dense is NaN beyond n^2 m = ``dense_rows``.

    Source: Sedghi, Gupta & Long 2019, theorem 6; Tsuzuku, Sato & Sugiyama 2018 for the reshaped kernel.
    """
    import torch

    from dlatlas.measures import conv, zero_padding

    n, m, k, runs = stack["n"], stack["m"], stack["k"], len(stack)
    streams = [stack.generator(run, "kernel", names=("m", "k", "kernel")) for run in range(runs)]
    K = torch.from_numpy(np.stack([drawn(kind, m, k, rng) for kind, rng in zip(stack["kernel"], streams)]))
    fourier = conv.circular_singular_values(K, n)
    ranks = np.rint(QUANTILES * (fourier.shape[1] - 1)).astype(int)
    nothing = torch.full((runs,), torch.nan, dtype=torch.float64)
    out = dict.fromkeys(("mismatch", "spectrum_gap", "padded_norm", "residual"), nothing)
    out |= dict.fromkeys(("dense", "padded"), nothing[:, None].expand(-1, len(ranks)))
    out |= {"fourier": fourier[:, ranks], "norm": fourier[:, 0], "condition": fourier[:, 0] / fourier[:, -1]}
    out |= {"reshaped": conv.reshaped_kernel_norm(K)}
    if n * n * m <= stack["dense_rows"]:
        dense = torch.linalg.svdvals(conv.circular_matrix(K, n))
        padded = torch.linalg.svdvals(zero_padding.zero_padded_matrix(K, n))
        out |= {"dense": dense[:, ranks], "mismatch": (dense - fourier).abs().amax(1) / dense[:, 0]}
        out |= {"padded": padded[:, ranks], "spectrum_gap": (padded - fourier).abs().mean(1) / fourier[:, 0]}
        out |= {"padded_norm": padded[:, 0], "residual": torch.zeros(runs)}
    elif k % 2 and k > 1:  # at even k padding changes the image's size; at k = 1 there is nothing to pad
        keys = [stack.key(run) for run in range(runs)]
        out["padded_norm"], out["residual"] = zero_padding.zero_padded_spectral_norm(K, n, keys=keys, steps=120)
    return {name: value.double().numpy() for name, value in out.items()}


def relative_cost(run: "dict[str, float]") -> float:
    """What a run of `spectra` costs: cubic in the rows of the layer's matrix where it is dense, else linear."""
    rows = run["n"] ** 2 * run["m"]
    return 0.02 + (rows / 600) ** (3 if rows <= run["dense_rows"] else 1)
