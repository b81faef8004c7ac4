"""What is read off the spectra of `dltheory.models.conv_spectra`: differences, gaps and distances from bounds."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


def dense_off(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Largest difference of the dense from the Fourier singular values kept, over the norm."""
    return abs(cube["dense"] - cube["fourier"]).max("quantile") / cube["norm"]


def padded_off(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """The same of the zero-padded layer's."""
    return abs(cube["padded"] - cube["fourier"]).max("quantile") / cube["norm"]


def above(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """ln(|M| / R) with R the bound ``lower``, where the kernel fits into the image."""
    return np.log(cube["norm"] / theory["lower"]).where(cube["n"] >= cube["k"])


def room(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Distance of ln |M| from the nearer of the bounds ``lower`` and ``upper``; negative outside."""
    return np.minimum(above(cube, theory), np.log(theory["upper"] / cube["norm"]))


def norm_gap(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Relative gap of the norm, zero-padded from circular."""
    return (1 - cube["padded_norm"] / cube["norm"]).where(_padded(cube))


def whole_gap(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Mean gap of the sorted spectra."""
    return cube["spectrum_gap"].where(_padded(cube))


def _padded(cube: "xr.Dataset") -> "xr.DataArray":
    """Whether zero padding by k // 2 keeps the image's size, and there is something to pad."""
    return (cube["k"] % 2 == 1) & (cube["k"] > 1)
