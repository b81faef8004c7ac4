"""Is a sample exponential, its mean unknown? Lilliefors' test with its own null distribution."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from dlatlas.identity.streams import stream

NULL_DRAWS = 4000


def ks_distance(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kolmogorov-Smirnov distance of samples ``(..., n)`` from the exponential law of the same mean, ``(...)``."""
    n = samples.shape[-1]
    law = -np.expm1(-np.sort(samples, axis=-1) / samples.mean(-1, keepdims=True))
    steps = np.arange(n) / n
    return np.maximum(np.abs(law - steps), np.abs(law - steps - 1 / n)).max(-1)


def lilliefors_p(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """p-values of the test that samples ``(..., n)`` are exponential with unknown mean, ``(...)``; uniform if so.

    The mean is estimated from the sample itself, so the plain Kolmogorov-Smirnov p-value would be too large
    (Lilliefors, J. Am. Stat. Assoc. 64, 1969). The null law does not depend on the mean and is drawn ``NULL_DRAWS``
    times, always the same draws.
    """
    null = _null(samples.shape[-1])
    above = len(null) - np.searchsorted(null, ks_distance(samples), side="left")
    return (1 + above) / (1 + len(null))


@cache
def _null(n: int) -> NDArray[np.float64]:
    draws = stream(f"exponential_law/{n}", "null").standard_exponential((NULL_DRAWS, n))
    return np.sort(ks_distance(draws))
