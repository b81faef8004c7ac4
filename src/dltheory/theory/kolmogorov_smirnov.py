"""The distance of two samples by their distribution functions."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import xarray as xr


def kolmogorov_smirnov(a: ArrayLike, b: ArrayLike, one_sided: bool = False) -> NDArray[np.float64]:
    """sup_m |F_a(m) - F_b(m)|, or sup_m F_a(m) - F_b(m) if ``one_sided``: how far a lies below b.

    Args:
        a: samples along the last dimension, ``(..., n)``; NaN are left out.
        b: the others, ``(..., m)``.
        one_sided: 1 if all of a lies below all of b, 0 if a is stochastically larger than b.

    Returns:
        ``(...)``, in [0, 1]; NaN where a sample is empty.

    Source: Smirnov 1939; `scipy.stats.ks_2samp` gives the same statistic.
    """
    a, b = (np.asarray(value, dtype=float) for value in (a, b))
    lead = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    both = np.concatenate([np.broadcast_to(value, (*lead, value.shape[-1])) for value in (a, b)], axis=-1)
    order = np.argsort(both, axis=-1)  # NaN last
    both = np.take_along_axis(both, order, -1)
    known, of_a = ~np.isnan(both), order < a.shape[-1]
    passed = [(known & own).cumsum(-1) for own in (of_a, ~of_a)]
    with np.errstate(invalid="ignore"):
        gap = np.subtract(*(count / count[..., -1:] for count in passed))
    last = np.concatenate([both[..., 1:] > both[..., :-1], np.ones((*lead, 1), bool)], axis=-1)  # of equal values
    gap = np.where(last | ~known, gap, 0.0)
    return np.maximum(gap.max(-1), 0.0) if one_sided else np.abs(gap).max(-1)


def distance(a: "xr.DataArray", b: "xr.DataArray", along: str, one_sided: bool = False) -> "xr.DataArray":
    """`kolmogorov_smirnov` of samples along a named dimension."""
    import xarray as xr

    core = [[along], [along], []]
    return xr.apply_ufunc(kolmogorov_smirnov, a, b, one_sided, input_core_dims=core, exclude_dims={along})
