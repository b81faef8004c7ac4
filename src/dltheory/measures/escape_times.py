"""Times of escape against each other and against the law that they should have; statistics of draws at once."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


def apart(times: "xr.DataArray") -> "xr.DataArray":
    """Largest relative difference of mean times in 20 and 2 dimensions, without those where a run never leaves.

    Args:
        times: ``(draw, setting, ..., seed)`` with the settings ``twenty`` and ``plane``.
    """
    mean = times.mean("seed", skipna=False)
    off = np.abs(mean.sel(setting="twenty", drop=True) / mean.sel(setting="plane", drop=True) - 1)
    return off.max([dim for dim in off.dims if dim != "draw"])


def off_law(left: "xr.DataArray", mean: "xr.DataArray", limit: "xr.DataArray", law: str) -> "xr.DataArray":
    """Largest distance of the distribution function of the time from a law.

    Args:
        left: share that has left, ``(draw, lam, beta, time)``.
        mean: mean time, ``(draw, lam, beta)``.
        limit: the limit's distribution function, ``(draw, lam, beta, time)``.
        law: ``limit``, or that of barriers, exponential with the measured mean.
    """
    expected = limit if law == "limit" else 1 - np.exp(-left["time"] / mean)
    return np.abs(left - expected).max(("lam", "beta", "time"))
