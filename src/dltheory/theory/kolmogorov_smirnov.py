"""The distance of two samples by their distribution functions."""

import numpy as np
from numpy.typing import ArrayLike


def kolmogorov_smirnov(a: ArrayLike, b: ArrayLike, one_sided: bool = False) -> float:
    """sup_m |F_a(m) - F_b(m)|, or sup_m F_a(m) - F_b(m) if ``one_sided``: how far a lies below b.

    Args:
        a: sample, flattened; NaN are left out.
        b: the other.
        one_sided: 1 if all of a lies below all of b, 0 if a is stochastically larger than b.

    Returns:
        In [0, 1]; NaN if a sample is empty.

    Source: Smirnov 1939; `scipy.stats.ks_2samp` gives the same statistic.
    """
    a, b = (np.sort(value[np.isfinite(value)]) for value in (np.ravel(a), np.ravel(b)))
    if not len(a) or not len(b):
        return float("nan")
    at = np.concatenate([a, b])
    lead = np.searchsorted(a, at, side="right") / len(a) - np.searchsorted(b, at, side="right") / len(b)
    return float(max(lead.max(), 0.0) if one_sided else np.abs(lead).max())
