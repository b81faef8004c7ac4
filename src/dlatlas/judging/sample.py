"""A cube as a statistic sees it: drawn many times at once.

A draw is a choice of seeds (bootstrap) or a shuffle of measured values (permutations). Both are one more dimension,
``draw``, so that a thousand of them are one array operation. Observables are computed run by run and know nothing of
it: seeds are drawn when they are reduced, and a shuffled variable carries the dimension along. What cannot carry it,
such as a function that indexes bare arrays, is found out by comparison with one draw alone, and computed draw by draw.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.declare.statistic import By
from dlatlas.errors import InputError, unknown

if TYPE_CHECKING:
    import xarray as xr


DRAW = "draw"
NUMBERS = 2**23
"""About this many numbers are held at once (64 MiB); more draws go in turns."""
CLOSE = 1e-9
"""Relative distance up to which a number is a coordinate's value, far below any spacing."""

Observable = Callable[["xr.Dataset", "xr.Dataset"], "xr.DataArray"]


class LeaveOneOut:
    """The draws of the jackknife: every seed is left out once.

    Means over them need no list of who is in; where one is needed it is made.
    """

    def __init__(self, seeds: int) -> None:
        self.seeds = seeds

    def __len__(self) -> int:
        return self.seeds

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.int64]:  # noqa: ANN401
        index = np.arange(self.seeds - 1)[None]
        return index + (index >= np.arange(self.seeds)[:, None])


@dataclass(frozen=True)
class Shuffle:
    """Permutations of measured values along a dimension, seed by seed.

    Attributes:
        along: the dimension.
        orders: ``(draw, seed, place)``, or ``(draw, place)`` where all seeds are permuted alike.
        names: the variables that are shuffled; all that have the dimension when empty.
    """

    along: str
    orders: NDArray[np.int64]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """A cube and its theory, and how they are drawn.

    Attributes:
        cube: the measurements, loaded.
        theory: the prediction on the cube's coordinates.
        observables: name -> function of (cube, theory), run by run.
        seeds: ``(draw, seed)``, the positions of the seeds of each draw; None for all of them once.
        shuffle: permutations of the cube, or None.
    """

    cube: "xr.Dataset"
    theory: "xr.Dataset"
    observables: Mapping[str, Observable] = field(default_factory=dict)
    seeds: NDArray[np.int64] | LeaveOneOut | None = None
    shuffle: Shuffle | None = None
    kept: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def draws(self) -> int:
        """How many draws there are."""
        if self.shuffle is not None:
            return len(self.shuffle.orders)
        return 1 if self.seeds is None else len(self.seeds)

    def drawn(self, seeds: NDArray[np.int64] | LeaveOneOut) -> "Sample":
        """The same with these seeds, ``(draw, seed)``; what was observed is kept."""
        return replace(self, seeds=seeds)

    def shuffled(self, shuffle: Shuffle) -> "Sample":
        """The same with measured values shuffled."""
        return replace(self, shuffle=shuffle, kept={})

    def observe(self, of: "str | Observable", where: Mapping[str, Any] | None = None) -> "xr.DataArray":
        """An observable where it is wanted, run by run; with a dimension ``draw`` where values are shuffled.

        Args:
            of: an observable, variable or coordinate by its name, ``theory.<name>`` for a prediction, or a function.
            where: see `select`.

        Raises:
            InputError: no such name.
        """
        key = (of, repr(where))
        if key not in self.kept:
            self.kept[key] = self._observed(of, dict(where or {}))
        return self.kept[key]

    def reduced(self, values: "xr.DataArray", by: By, keep: Sequence[Hashable] | None = None) -> "xr.DataArray":
        """One number for each draw and each setting along the kept dimensions, ``(draw, *keep)``.

        Mean, median or geometric mean is over the drawn seeds and every dimension that is not kept; NaN (diverged
        runs) are left out. The spread is over the seeds, and its mean over what is not kept. With ``runs`` nothing is
        averaged and ``seed``, if there is one, is kept.

        Args:
            values: what `observe` gave.
            by: how.
            keep: which dimensions stay; all but the seeds if None.
        """
        import xarray as xr

        own = [dim for dim in values.dims if dim not in ("seed", DRAW)]
        kept = own if keep is None else [dim for dim in own if dim in keep]
        over = [dim for dim in own if dim not in kept]
        values = values.transpose(*[dim for dim in (DRAW,) if dim in values.dims], *kept, *over, ...)
        array = np.asarray(values.values, dtype=float)
        if DRAW not in values.dims:
            array = array[None]
        if "seed" not in values.dims:
            array = array[..., None]
        sizes = [array.shape[1 + i] for i in range(len(kept))]
        array = array.reshape(len(array), *sizes, -1, array.shape[-1])
        seeds = self.seeds if self.seeds is not None and "seed" in values.dims else None
        coords = {name: coord.variable for name, coord in values.coords.items() if set(coord.dims) <= set(kept)}
        if by == "runs":
            if over:
                raise InputError(f"runs cannot be averaged over {', '.join(map(str, over))}; keep it")
            found = array[..., 0, :] if seeds is None else array[0, ..., 0, :][..., np.asarray(seeds)]
            found = found if seeds is None else np.moveaxis(found, -2, 0)
            dims: tuple[Hashable, ...] = (DRAW, *kept, "seed")
            if "seed" not in values.dims:
                found, dims = found[..., 0], dims[:-1]
        else:
            found, dims = _middle(array, by, seeds), (DRAW, *kept)
        return xr.DataArray(np.broadcast_to(found, (self.draws, *found.shape[1:])), coords, dims)

    def each(self, where: Mapping[str, Any]) -> "Iterator[tuple[xr.Dataset, xr.Dataset]]":
        """Cube and theory of one draw after the other, where they are wanted."""
        if self.shuffle is not None:
            for at in range(self.draws):
                orders = self.shuffle.orders[at : at + 1]
                moved = {
                    str(name): _moved(array, self.shuffle.along, orders).isel({DRAW: 0})
                    for name, array in self.cube.data_vars.items()
                    if self.shuffle.along in array.dims
                    and (name in self.shuffle.names if self.shuffle.names else name != "status")
                }
                yield narrowed(self.cube.assign(moved), self.theory, where)
            return
        cube, theory = narrowed(self.cube, self.theory, where)
        for seeds in [None] if self.seeds is None else np.asarray(self.seeds):
            yield cube if seeds is None else _pick(cube, seeds), theory if seeds is None else _pick(theory, seeds)

    def _observed(self, of: "str | Observable", where: dict[str, Any]) -> "xr.DataArray":
        if self.shuffle is None:
            cube, theory = narrowed(self.cube, self.theory, where)
            return self.look(of, cube, theory)
        # What does not move along the shuffled dimension is selected first, so that little is copied.
        still = {name: value for name, value in where.items() if self.shuffle.along not in _dims(self.cube, name)}
        moving = {name: value for name, value in where.items() if name not in still}
        cube, theory = narrowed(self.cube, self.theory, still)
        if self.shuffle.along not in cube.dims:
            cube, theory, moving = self.cube, self.theory, where
        looked = [name for name in self._used(of, cube, theory, moving) if self.shuffle.along in cube[name].dims]
        names = [name for name in looked if not self.shuffle.names or name in self.shuffle.names]

        if not names:
            return self.look(of, *narrowed(cube, theory, moving))

        def observed(orders: NDArray[np.int64], many: bool) -> "xr.DataArray":
            moved = {name: _moved(cube[name], self.shuffle.along, orders) for name in names}
            if not many:
                moved = {name: array.isel({DRAW: 0}) for name, array in moved.items()}
            return self.look(of, *narrowed(cube.assign(moved), theory, moving))

        return _together(observed, self.shuffle.orders, sum(cube[name].size for name in names))

    def look(self, of: "str | Observable", cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
        """An observable of a cube and a theory as they are."""
        import xarray as xr

        if callable(of):
            found = of(cube, theory)
        elif of in self.observables:
            found = self.observables[of](cube, theory)
        elif of.startswith("theory."):
            name = of.removeprefix("theory.")
            if name not in theory:
                raise unknown("theory", "prediction", name, map(str, theory.data_vars))
            found = theory[name]
        elif of in cube.variables:
            found = cube[of]
        else:
            raise unknown("of", "observable or variable", of, [*self.observables, *map(str, cube.data_vars)])
        if isinstance(found, xr.Variable):
            found = xr.DataArray(found, {dim: cube[dim] for dim in found.dims if dim in cube.coords})
        return found

    def _used(
        self, of: "str | Observable", cube: "xr.Dataset", theory: "xr.Dataset", where: Mapping[str, Any]
    ) -> list[str]:
        """The variables of the cube that an observable looks at: it is given none of them, and then what it asks for.

        One that needs the others for something else, such as their sizes, is given all, and then one less at a time.
        """
        if isinstance(of, str) and of not in self.observables:
            return [of] if of in cube.data_vars else []
        every = [str(name) for name in cube.data_vars if name != "status"]
        used: list[str] = []
        while len(used) < len(every):
            try:
                self.look(of, *narrowed(cube.drop_vars([name for name in every if name not in used]), theory, where))
            except Exception as error:
                asked = _asked(error)
                if asked not in every or asked in used:
                    break
                used.append(str(asked))
            else:
                return used
        used = list(every)
        for name in every:
            less = [other for other in every if other not in used or other == name]
            try:
                self.look(of, *narrowed(cube.drop_vars(less), theory, where))
            except Exception:  # noqa: S112  it is needed
                continue
            used.remove(name)
        return used


def _asked(error: BaseException) -> Hashable:
    """The name that a data set was asked for in vain, if that is what an error says."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error.args[0] if isinstance(error, KeyError) and error.args else None


def _pick(data: "xr.Dataset", seeds: NDArray[np.int64]) -> "xr.Dataset":
    return data.isel(seed=seeds) if "seed" in data.dims else data


def _dims(cube: "xr.Dataset", name: str) -> tuple[Hashable, ...]:
    return cube[name].dims if name in cube.coords else ()


def _moved(array: "xr.DataArray", along: str, orders: NDArray[np.int64]) -> "xr.DataArray":
    """An array in each of the orders along a dimension, ``(draw, ...)``."""
    import xarray as xr

    if orders.ndim == 3 and "seed" in array.dims:
        rest = [dim for dim in array.dims if dim not in ("seed", along)]
        values = array.transpose("seed", along, *rest).values
        found = values[np.arange(len(values))[None, :, None], orders]
        return xr.DataArray(found, array.coords, (DRAW, "seed", along, *rest), attrs=array.attrs)
    rest = [dim for dim in array.dims if dim != along]
    found = array.transpose(along, *rest).values[orders[:, 0] if orders.ndim == 3 else orders]
    return xr.DataArray(found, array.coords, (DRAW, along, *rest), attrs=array.attrs)


def _together(
    observed: Callable[[NDArray[np.int64], bool], "xr.DataArray"], orders: NDArray[np.int64], size: int
) -> "xr.DataArray":
    """All draws at once, as many as memory holds, or one after the other where the function cannot carry them."""
    import xarray as xr

    parts = max(1, min(len(orders), NUMBERS // max(1, size)))
    first, last = (observed(orders[at], False) for at in (np.s_[:1], np.s_[-1:]))
    try:
        many = [observed(orders[at : at + parts], True) for at in range(0, len(orders), parts)]
        if DRAW not in many[0].dims:
            raise ValueError("it mixes the draws")
        if _same(many[0].isel({DRAW: 0}), first) and _same(many[-1].isel({DRAW: -1}), last):
            return many[0] if len(many) == 1 else xr.concat(many, DRAW, coords="minimal", compat="override")
    except Exception:  # noqa: S110  it indexes bare arrays, or mixes the draws
        pass
    return xr.concat([observed(orders[at : at + 1], False) for at in range(len(orders))], DRAW)


def _same(one: "xr.DataArray", other: "xr.DataArray") -> bool:
    if set(one.dims) != set(other.dims):
        return False
    values, others = (each.transpose(*other.dims).values.astype(float) for each in (one, other))
    return np.allclose(values, others, rtol=1e-9, equal_nan=True)


def _middle(array: NDArray[np.float64], by: By, seeds: NDArray[np.int64] | LeaveOneOut | None) -> NDArray[np.float64]:
    """``(draw, *kept, other, seed)`` -> ``(draw, *kept)``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if by == "log mean":
            return np.exp(_middle(np.log(np.where(array > 0, array, np.nan)), "mean", seeds))
        if by == "median":
            return _median(array, seeds)
        if by == "spread":
            return _spread(array, seeds)
        missing = np.isnan(array)
        whole = not missing.any()
        if not whole:
            array = np.where(missing, 0.0, array)
        total = array[..., 0, :] if array.shape[-2] == 1 else array.sum(-2)
        count = (~missing).sum(-2).astype(float) if not whole else np.full((1,) * total.ndim, float(array.shape[-2]))
        if seeds is None:
            return total.sum(-1) / (count.sum(-1) if not whole else count[..., 0] * total.shape[-1])
        if isinstance(seeds, LeaveOneOut):
            left, of = (_left_out(part[0]) for part in (total, np.broadcast_to(count, total.shape)))
            return left / of
        if not np.isfinite(total).all():  # 0 times infinity would be NaN
            total, count = (np.moveaxis(np.broadcast_to(part, total.shape)[0][..., seeds], -2, 0)
                            for part in (total, count))  # fmt: skip
            return total.sum(-1) / count.sum(-1)
        size = array.shape[-1]  # how often each seed is drawn: one product of matrices then does for all draws
        place = (np.arange(len(seeds))[:, None] * size + seeds).ravel()
        weights = np.bincount(place, minlength=len(seeds) * size).reshape(len(seeds), size).astype(float)
        drawn = np.moveaxis(total[0] @ weights.T, -1, 0)
        return drawn / (count[0, ..., 0] * size if whole else np.moveaxis(count[0] @ weights.T, -1, 0))


def _spread(array: NDArray[np.float64], seeds: NDArray[np.int64] | LeaveOneOut | None) -> NDArray[np.float64]:
    """Standard deviation over seeds, with one degree of freedom less, and its mean over the others."""
    off = array - np.nanmean(array, axis=-1, keepdims=True)  # else the two moments would lose digits
    known = np.isfinite(array).astype(float)
    mean, square, share = (_middle(part[..., None, :], "mean", seeds) for part in (off, off**2, known))
    size = array.shape[-1] if seeds is None else np.asarray(seeds).shape[1]
    variance = np.maximum(square - mean**2, 0) * (share * size) / (share * size - 1)
    return np.nanmean(np.sqrt(variance), axis=-1)


def _left_out(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum over all seeds but one, for each of them, ``(seed, ...)``; an infinity is left out with its seed."""

    def others(values: NDArray[Any]) -> NDArray[Any]:
        return values.sum(-1, keepdims=True) - values

    wild = ~np.isfinite(values)
    found = others(np.where(wild, 0.0, values))
    if wild.any():
        above, below, lost = (
            others(kind.astype(int)) > 0 for kind in (values == np.inf, values == -np.inf, np.isnan(values))
        )
        found = np.where(above, np.inf, np.where(below, -np.inf, found))
        found = np.where(lost | above & below, np.nan, found)
    return np.moveaxis(found, -1, 0)


def _median(array: NDArray[np.float64], seeds: NDArray[np.int64] | LeaveOneOut | None) -> NDArray[np.float64]:
    if seeds is None:
        return _sorted_median(array.reshape(*array.shape[:-2], -1))
    seeds = np.asarray(seeds)
    parts = max(1, NUMBERS // max(1, array[0].size))
    found = []
    for at in range(0, len(seeds), parts):
        drawn = np.moveaxis(array[0][..., seeds[at : at + parts]], -2, 0)
        found.append(_sorted_median(drawn.reshape(*drawn.shape[:-2], -1)))
    return np.concatenate(found)


def _sorted_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the last dimension, NaN left out; NumPy's own goes row by row."""
    values = np.sort(values, axis=-1)
    count = (~np.isnan(values)).sum(-1, keepdims=True)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, values.shape[-1] - 1)
    middle = (np.take_along_axis(values, low, -1) + np.take_along_axis(values, high, -1)) / 2
    return np.where(count > 0, middle, np.nan)[..., 0]


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
