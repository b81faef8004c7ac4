"""How long a loss takes to come to rest."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlatlas.judging.statistics import fitted_slope

if TYPE_CHECKING:
    import xarray as xr


def relaxation_exponent(
    excess: "xr.DataArray", lead: "xr.DataArray", above: float, below: float
) -> NDArray[np.float64]:
    """Exponent of the relaxation time in the lead, ``(draw,)``.

    The time is the sum of (f_t - f_end) / (f_0 - f_end) over half the run.

    Args:
        excess: the loss above its end, ``(draw, ..., trace_step)``.
        lead: what the time is a power of, ``(draw, ...)``.
        above: leads above this one count,
        below: and below this one.
    """
    half = excess.isel(trace_step=slice(excess.sizes["trace_step"] // 2))
    time = half.sum("trace_step") / half.isel(trace_step=0)
    lead = lead.where((lead > above) & (lead < below))
    return fitted_slope(*(np.log(each).values.reshape(len(each), -1) for each in (lead, time)))
