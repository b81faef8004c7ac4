"""The top of the Hessian's spectrum, how curvature varies among examples along it, and the gradients' covariance."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

RANKS = (1, 2, 5, 10)
"""Which eigenvalues of the covariance are kept."""
LANCZOS = 16
"""Steps of Lanczos."""


def top_curvature(trained: Any, stack: Any) -> dict[str, NDArray[np.generic]]:  # noqa: ANN401
    """Top eigenvalue of H and how well it is known, spread of curvature along its vector, eigenvalues of K.

    Returns:
        ``sharpness``, ``residual`` |Hv - lambda v| and ``curvature_variance`` v.H_i v over examples i, ``(run,)``;
        ``covariance``, ``(run, rank)``, at `RANKS`.

    Source: Jastrzebski et al. 2020 (arXiv 2002.09572), section 2.
    """
    from dlatlas.measures.curvature import hessian_matvec
    from dlatlas.measures.gradient_noise import curvature_along, gradient_covariance_eigenvalues
    from dlatlas.measures.lanczos import ritz_pairs, start_vectors

    data = trained.data()
    matvec = hessian_matvec(trained.loss_of_parameters, trained.parameters, trained.buffers, *data,
                            shared_data=trained.shared_data)  # fmt: skip
    size = sum(value[0].numel() for value in trained.parameters.values())
    values, vectors = ritz_pairs(matvec, start_vectors(trained.keys, size), LANCZOS)
    top, v = values[:, 0], vectors[:, 0]
    covariance = gradient_covariance_eigenvalues(trained, max(RANKS))
    return {
        "sharpness": top.numpy(),
        "residual": (matvec(v) - top[:, None] * v).norm(dim=1).numpy(),
        "curvature_variance": curvature_along(trained, v).var(1, unbiased=False).numpy(),
        "covariance": covariance[:, [rank - 1 for rank in RANKS]].numpy(),
    }


def conditioning(covariance: "xr.DataArray") -> "xr.DataArray":
    """Tenth over first eigenvalue of K."""
    return covariance.sel(rank=10) / covariance.sel(rank=1)
