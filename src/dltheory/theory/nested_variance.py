"""The law of total variance of a network's outputs over training sets and initialisations, estimated without bias."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def nested_variance(errors: Floats) -> tuple[Floats, Floats, Floats]:
    """Squared bias, variance over training sets and variance over starts of outputs less their targets.

    E |e|^2 = |E e|^2 + Var E[e | set] + E Var[e | set]. The spread within a set gives the last; that of the sets' means
    holds a part 1 / starts of it besides; the squared grand mean holds that spread / sets. The three sum to the mean of
    |e|^2 exactly, and each may come out negative.

    Args:
        errors: ``(..., set, start, output)``, starts nested in sets: those of each set drawn on their own; at least two
            sets of two starts.

    Returns:
        Three arrays ``(...)``, summed over outputs.

    Source: Neal et al. 2018 (arXiv 1810.08591), section 4, law of total variance; moments of the nested random-effects
    model, Searle, Casella & McCulloch 1992, section 3.6.
    """
    sets, starts = errors.shape[-3:-1]
    means = errors.mean(-2)
    grand = means.mean(-2)
    within = ((errors - means[..., None, :]) ** 2).sum((-3, -2, -1)) / (sets * (starts - 1))
    between = ((means - grand[..., None, :]) ** 2).sum((-2, -1)) / (sets - 1)
    return (grand**2).sum(-1) - between / sets, between - within / starts, within


def threshold_width(n: int, inputs: int, outputs: int) -> float:
    """Units h of one hidden layer whose parameters, (inputs + 1) h + (h + 1) outputs, are n outputs.

    Source: Belkin, Hsu, Ma & Mandal 2019 (arXiv 1812.11118): with k outputs interpolation sets in at n k parameters.
    """
    return (n - 1) * outputs / (inputs + 1 + outputs)
