"""Correlation of two measurements from moments, each of which is a mean over runs: seeds can then be drawn again."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


def moments(first: "xr.DataArray", second: "xr.DataArray", over: str) -> "xr.DataArray":
    """Means over a dimension of two measurements, of their squares and of their product, along ``moment``."""
    import xarray as xr

    return xr.concat([first, second, first**2, second**2, first * second], "moment").mean(over)


def correlation(moments: "xr.DataArray", together: Sequence[str] = ()) -> "xr.DataArray":
    """Their correlation, averaged over settings.

    Args:
        moments: of each setting, ``(draw, ..., moment)``.
        together: the dimensions along which settings are one population.
    """
    first, second, first_square, second_square, product = moments.mean(together).transpose("moment", ...)
    spread = (first_square - first**2) * (second_square - second**2)
    found = (product - first * second) / np.sqrt(spread)
    return found.mean([dim for dim in found.dims if dim != "draw"])
