"""Margins over their scale in the bound of Bartlett, Foster & Telgarsky (2017), and what grows with it in training."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dlatlas.judging.selection import select
from dltheory.theory.kolmogorov_smirnov import distance as kolmogorov_smirnov

if TYPE_CHECKING:
    import xarray as xr


def scale(cube: "xr.Dataset", complexity: str = "spectral_complexity") -> "xr.DataArray":
    """R_A |X| / n at the end, or another complexity of the network times |X| / n."""
    return (cube[complexity] * cube["data_norm"]).isel(step=-1) / cube.sizes["example"]


def distance(
    cube: "xr.Dataset",
    theory: "xr.Dataset",
    one: Mapping[str, Any],
    other: Mapping[str, Any],
    over: str = "spectral_complexity",
    factor: float = 1.0,
    below: bool = False,
) -> "xr.DataArray":
    """The Kolmogorov-Smirnov distance of the margins of two selections of runs, run by run.

    Args:
        cube: with ``margins`` at the end, ``data_norm`` and what they are divided by.
        theory: not needed.
        one: selects the first.
        other: selects the second.
        over: the complexity in their scale; "" for raw margins.
        factor: multiplies the first.
        below: how far the first lies below the second, not how far they are apart.
    """
    runs = [select(cube, where) for where in (one, other)]
    first, second = (part["margins"] / (scale(part, over) if over else 1) for part in runs)
    return kolmogorov_smirnov(factor * first, second, "example", below)


def tracking(cube: "xr.Dataset", theory: "xr.Dataset", excess: bool) -> "xr.DataArray":
    """Correlation over training of the Lipschitz product with an error, until the run is at rest."""
    import xarray as xr

    error, loss = cube["test_error"] - (cube["train_error"] if excess else 0), cube["train_loss"]
    moving = ~(loss.shift(step=1) <= (1 + 1e-6) * loss.min("step"))  # later checkpoints repeat the network at rest
    return xr.corr(cube["lipschitz_product"].where(moving), error.where(moving), "step")


def growth(cube: "xr.Dataset", theory: "xr.Dataset", margin: bool) -> "xr.DataArray":
    """Growth of ln(median margin), or of ln(Lipschitz product), from 5 % training error on."""
    of = cube["margin_quantiles"].sel(quantile=0.5) if margin else cube["lipschitz_product"]
    ratio = of.isel(step=-1) / of.isel(step=(cube["train_error"] <= 0.05).argmax("step"))
    return np.log(ratio.where(~(ratio < 0), 0.0))  # a margin below zero bounds nothing
