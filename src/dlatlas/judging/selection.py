"""The part of a cube in which coordinates have given values."""

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.declare.nearest import selected
from dlatlas.errors import unknown

if TYPE_CHECKING:
    import xarray as xr


def select(data: "xr.Dataset", where: Mapping[str, Any]) -> "xr.Dataset":
    """The part of a data set in which coordinates have given values.

    Args:
        data: a cube, or a theory on its coordinates.
        where: coordinate -> one value, a list of values, or a pair (low, high) of which each end may be None. Numbers
            are taken as equal within round-off, see `dlatlas.declare.nearest`. A dimension of which one place is left
            over is dropped for a single value, and kept for lists and pairs.

    Raises:
        InputError: a coordinate or a value that is not there, with those that are.
    """
    kept: dict[Hashable, NDArray[np.bool_]] = {}
    single = set()
    for name, wanted in where.items():
        if name not in data.coords:
            raise unknown("where", "coordinate", name, [str(key) for key in data.coords])
        coordinate = data.variables[name]
        chosen = selected(np.atleast_1d(coordinate.values), wanted, "where", name)
        if coordinate.ndim:
            (dim,) = coordinate.dims
            kept[dim] = kept[dim] & chosen if dim in kept else chosen
            if not isinstance(wanted, tuple | list):
                single.add(dim)
    places: dict[Hashable, Any] = {}
    for dim, chosen in kept.items():
        found = np.flatnonzero(chosen)
        if dim in single and len(found) == 1:
            places[dim] = int(found[0])
        elif len(found) < len(chosen):
            places[dim] = found
    return data.isel(places) if places else data


def narrowed(
    cube: "xr.Dataset", theory: "xr.Dataset", where: Mapping[str, Any] | None
) -> "tuple[xr.Dataset, xr.Dataset]":
    """The part of both, the theory's by those of the coordinates that it has."""
    where = where or {}
    known = {name: value for name, value in where.items() if name in theory.coords}
    return select(cube, where), select(theory, known)
