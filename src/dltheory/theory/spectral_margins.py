"""Margins over their scale in the bound of Bartlett, Foster & Telgarsky (2017)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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
