"""Which values of a coordinate a selection means: one rule for what is declared, judged and drawn."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import LISTED, InputError, unknown

CLOSE = 1e-9
"""How far a number may be from the value that it means, as a share of the value and of the distance to the next."""


def selected(values: Sequence[Any] | NDArray[Any], wanted: Any, where: str, name: str) -> NDArray[np.bool_]:  # noqa: ANN401
    """Which values ``(place,)`` of a coordinate are wanted.

    Args:
        values: the coordinate's.
        wanted: one value, a list of values, or a pair (low, high) of which each end may be None.
        where: the place of the selection, for errors.
        name: the coordinate's.

    Raises:
        InputError: one that is not there, with those that are.
    """
    known = np.asarray(values)
    if isinstance(wanted, tuple):
        low, high = wanted
        chosen = np.ones(known.shape, bool)
        if low is not None:
            chosen &= (known >= low) | meant(known, low)
        if high is not None:
            chosen &= (known <= high) | meant(known, high)
        if not chosen.any():
            raise InputError(f"{where}: {name} has no value from {low} to {high}; it has {_listed(known)}")
        return chosen
    chosen = np.zeros(known.shape, bool)
    for value in wanted if isinstance(wanted, list) else [wanted]:
        found = meant(known, value)
        if not found.any():
            if known.dtype.kind in "iuf":
                raise InputError(f'{where}: unknown value of {name} "{value}"; allowed: {_listed(known)}')
            raise unknown(where, f"value of {name}", value, known.tolist())
        chosen |= found
    return chosen


def meant(values: Sequence[Any] | NDArray[Any], wanted: Any) -> NDArray[np.bool_]:  # noqa: ANN401
    """Which of the values ``(place,)`` are the one that is wanted.

    Words and whole numbers are so exactly. A number is up to round-off: 0.3 is 0.30000000000000004, and 0 is the
    5.6e-17 in the middle of an axis; but two values of an axis are never one, however near they are.
    """
    known = np.asarray(values)
    if known.dtype.kind != "f" or not isinstance(wanted, Real) or isinstance(wanted, bool) or not np.isfinite(wanted):
        return np.broadcast_to(known == wanted, known.shape)
    finite = known[np.isfinite(known)]
    if not len(finite):
        return np.zeros(known.shape, bool)
    nearest = finite[np.argmin(np.abs(finite - wanted))]
    step = 8 * np.finfo(known.dtype).eps
    apart = np.abs(finite - nearest)
    next_ = apart[apart > step * abs(nearest)].min(initial=np.inf)
    reach = min(CLOSE * next_, max(CLOSE * abs(nearest), step * np.abs(finite).max()))
    return np.abs(known - wanted) <= max(reach, step * abs(nearest))


def _listed(values: NDArray[Any]) -> str:
    distinct = list(dict.fromkeys(values.tolist()))
    more = f", … ({len(distinct)} in all)" if len(distinct) > LISTED else ""
    return ", ".join(map(str, distinct[:LISTED])) + more
