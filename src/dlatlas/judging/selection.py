"""The part of a cube in which coordinates have given values."""

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import InputError, unknown

if TYPE_CHECKING:
    import xarray as xr

CLOSE = 1e-9
"""Relative distance up to which a number is a coordinate's value, far below any spacing."""


def select(data: "xr.Dataset", where: Mapping[str, Any]) -> "xr.Dataset":
    """The part of a data set in which coordinates have given values.

    Args:
        data: a cube, or a theory on its coordinates.
        where: coordinate -> one value, a list of values, or a pair (low, high) of which each end may be None. Numbers
            are taken as equal within round-off. A dimension of which one place is left over is dropped for a single
            value, and kept for lists and pairs.

    Raises:
        InputError: a coordinate or a value that is not there, with those that are.
    """
    kept: dict[Hashable, NDArray[np.bool_]] = {}
    single = set()
    for name, wanted in where.items():
        if name not in data.coords:
            raise unknown("where", "coordinate", name, [str(key) for key in data.coords])
        coordinate = data.variables[name]
        chosen = _wanted(name, np.atleast_1d(coordinate.values), wanted)
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


def _wanted(name: str, values: NDArray[Any], wanted: Any) -> NDArray[np.bool_]:  # noqa: ANN401
    chosen = np.full(len(values), isinstance(wanted, tuple))
    if isinstance(wanted, tuple):
        low, high = wanted
        if low is not None:
            chosen &= (values >= low) | _equal(values, low)
        if high is not None:
            chosen &= (values <= high) | _equal(values, high)
        if not chosen.any():
            raise InputError(f"where: {name} has no value from {low} to {high}; it has {values.tolist()}")
        return chosen
    for value in wanted if isinstance(wanted, list) else [wanted]:
        found = _equal(values, value)
        if not found.any():
            raise unknown("where", f"value of {name}", value, values.tolist())
        chosen |= found
    return chosen


def _equal(values: NDArray[Any], value: Any) -> NDArray[np.bool_]:  # noqa: ANN401
    if np.issubdtype(values.dtype, np.number) and isinstance(value, int | float) and not isinstance(value, bool):
        return np.isclose(values.astype(float), value, rtol=CLOSE, atol=0.0)
    return values == value


def narrowed(
    cube: "xr.Dataset", theory: "xr.Dataset", where: Mapping[str, Any] | None
) -> "tuple[xr.Dataset, xr.Dataset]":
    """The part of both, the theory's by those of the coordinates that it has."""
    where = where or {}
    known = {name: value for name, value in where.items() if name in theory.coords}
    return select(cube, where), select(theory, known)
