"""Margins of networks of which one layer is scaled: a positively homogeneous function changes by that factor."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dlatlas.measures.standard import LEVELS, margin_quantiles, normalised_margin_quantiles
from dlatlas.measures.trained import Trained


def scaled_margins(trained: Trained, weight: str, factor: float, level: float) -> tuple[NDArray[np.float64], ...]:
    """A quantile of the margins, raw and normalised, ``(run,)`` each, after one layer was multiplied by a factor.

    Args:
        trained: a stack.
        weight: the layer, by the name of its parameter.
        factor: by which it is multiplied.
        level: of the quantile, one of ``LEVELS``.
    """
    scaled = replace(trained, parameters=trained.parameters | {weight: factor * trained.parameters[weight]})
    at = LEVELS.index(level)
    return margin_quantiles(scaled).numpy()[:, at], normalised_margin_quantiles(scaled).numpy()[:, at]
