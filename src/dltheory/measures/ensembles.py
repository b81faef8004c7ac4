"""The error of the mean of K predictors that share their data, as far as infinitely many.

Cubes have ``ensemble``, the error of such a mean along ``members`` = K, ``error`` that of one predictor, and by their
own names errors where infinitely many may end: ``kernel`` where they do.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


def averaged(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Errors of the mean of K predictors, the kernel's for infinitely many."""
    members = [*cube["members"].values, np.inf]
    return cube["ensemble"].reindex(members=members).fillna(cube["kernel"])


def share(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """1/K, with 0 for infinitely many."""
    return 1 / averaged(cube, theory)["members"]


def line_to(end: str, cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """E_inf + (E_1 - E_inf) / K with E_inf the variable ``end``.

    An identity if E_inf is right: what independent draws of the predictors add to the error is divided by K.
    """
    return cube[end] + (cube["error"] - cube[end]) * share(cube, theory)
