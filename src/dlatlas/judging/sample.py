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
from dlatlas.judging import reduction
from dlatlas.judging.reduction import LeaveOneOut, middle
from dlatlas.judging.selection import narrowed

if TYPE_CHECKING:
    import xarray as xr


DRAW = "draw"

Observable = Callable[["xr.Dataset", "xr.Dataset"], "xr.DataArray"]


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
            found, dims = middle(array, by, seeds), (DRAW, *kept)
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
            found = self.look(of, cube, theory)
            if callable(of) or of in self.observables:
                self._run_by_run(of, cube, theory, found)
            return found
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

    def _run_by_run(
        self, of: "str | Observable", cube: "xr.Dataset", theory: "xr.Dataset", found: "xr.DataArray"
    ) -> None:
        """Compares with the observable of the last seed alone.

        Raises:
            InputError: it mixes the seeds: seeds drawn afterwards would give too narrow an interval, if any.
        """
        if cube.sizes.get("seed", 1) < 2:
            return
        last = {"seed": slice(-1, None)}
        alone = self.look(of, *(data.isel(last) if "seed" in data.dims else data for data in (cube, theory)))
        if not _same(found.isel(last) if "seed" in found.dims else found, alone):
            name = of if isinstance(of, str) else getattr(of, "__name__", repr(of))
            raise InputError(
                f"observable {name}: of one seed alone it is another; leave the mean over seeds to the statistic"
            )

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

    def measured(self, of: "str | Observable", where: Mapping[str, Any] | None = None) -> list[str]:
        """The variables of the cube that an observable looks at."""
        return self._used(of, *narrowed(self.cube, self.theory, {}), dict(where or {}))

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

    parts = max(1, min(len(orders), reduction.NUMBERS // max(1, size)))
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
