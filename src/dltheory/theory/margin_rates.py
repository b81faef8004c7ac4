"""How fast the norm grows and the margin closes in on the largest, under the exponential loss of separable data."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


def margin_rates(cube: "xr.Dataset") -> "xr.Dataset":
    """Along ``step`` = t: ``growth`` ln t of the norm times the largest margin at fixed steps, up to a constant.

    And the orders that bound what is missing of the margin: ``log_rate`` 1/ln t at fixed steps, ``root_rate`` ln t / √t
    at steps divided by the loss and √t. NaN at t = 0, infinite at 1.

    Source: Soudry et al. 2018, theorems 3 and 5; Gunasekar et al. 2018, theorem 5; Nacson et al. 2019, theorem 5.
    """
    import xarray as xr

    t = cube["step"].where(cube["step"] > 0)
    return xr.Dataset({"growth": np.log(t), "log_rate": 1 / np.log(t), "root_rate": np.log(t) / np.sqrt(t)})
