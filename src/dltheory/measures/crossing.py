"""When something first falls below a level."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


def first_below(values: "xr.DataArray", level: float, along: str) -> "xr.DataArray":
    """The coordinate at which values first fall below a level, their logarithm interpolated; NaN if they never do.

    Args:
        values: positive, at least at the level at the start.
        level: positive.
        along: a dimension with a coordinate.
    """
    below = values < level
    after = below.argmax(along)
    found = below.any(along) & (after > 0)
    after = after.where(found, 1)
    later, sooner = (values.isel({along: at}, drop=True) for at in (after, after - 1))
    end, start = (values[along].isel({along: at}).drop_vars(along) for at in (after, after - 1))
    return (start + np.log(sooner / level) / np.log(sooner / later) * (end - start)).where(found)


def half_time(trace: "xr.DataArray") -> "xr.DataArray":
    """Steps until the training loss, traced along ``trace_step``, is halved; NaN if it never is."""
    return first_below(trace / trace.isel(trace_step=0), 0.5, along="trace_step")
