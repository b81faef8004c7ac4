"""From the results of shards, which stay on disk, to one lazy cube.

Its Dask blocks are the files of the store that `dlatlas.cubes.cube.write_cube` writes; each is filled when it is
computed, from the stacks that it meets, and nothing else is in memory.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from dlatlas.cubes.cube import grid
from dlatlas.declare.sweep import Sweep
from dlatlas.declare.variable import ENGINE_VARIABLES, Variable
from dlatlas.errors import InputError
from dlatlas.identity.content import canonical
from dlatlas.identity.store import StoredArray, open_arrays, read_json, setting_aside

if TYPE_CHECKING:
    import xarray as xr
    from dask.array import Array


@dataclass(frozen=True)
class Piece:
    """Results of one stack.

    Attributes:
        index: where its runs lie in the sweep, ascending.
        arrays: variable -> ``(run, ...)``, in memory or on disk; of runs that all failed, ``status`` alone.
        coords: dimension -> the coordinates of the stack along it, where they are not 0, 1, 2, ...
        trained: parameter -> ``(run,)``, whether it was (see `dlatlas.training.stack`).
    """

    index: NDArray[np.int64]
    arrays: Mapping[str, NDArray[np.generic] | StoredArray]
    coords: Mapping[str, list[float]]
    trained: Mapping[str, NDArray[np.generic] | StoredArray] = field(default_factory=dict)


def assemble(sweep: Sweep, pieces: list[Piece], variables: Mapping[str, Variable]) -> "xr.Dataset":
    """A lazy Dataset with one dimension an axis, NaN and ``status = missing`` where there is no result.

    Its Dask blocks are the files of the store; each is filled when it is computed, from the pieces that it meets.

    Raises:
        InputError: a dimension of a variable that is also an axis.
    """
    import xarray as xr

    from dlatlas.training.job import MISSING

    dims = list(sweep.dims)
    extra = _own_coords(sweep, pieces, variables)
    data: dict[str, Any] = {}
    for name, variable in variables.items():
        attributes = {"units": variable.units, "long_name": variable.long_name, "source": variable.source}
        data[name] = ([*dims, *variable.dims], _lazy(sweep, pieces, name, variable, extra), attributes)
    data["status"] = (dims, _lazy(sweep, pieces, "status", Variable("status"), extra, MISSING), _status_attributes())
    coords: dict[str, Any] = {}
    known = sweep.study.all_parameters()
    for dim, columns in sweep.dims.items():
        for name, values in columns.items():
            attributes = {"units": "1", "long_name": known[name].meaning, "source": f"params of {sweep.name}"}
            coords[name] = (dim, np.array(values), attributes)
    for dim, values in extra.items():
        coords[dim] = (dim, np.array(values), {"units": "1", "long_name": dim, "source": "the variable's own"})
    for dim in ("step", "trace_step"):
        if dim in coords:
            coords[dim][2].update(units="step", long_name="update steps done", source="the engine")
    return xr.Dataset(data, coords, {**_attributes(sweep), **_untrained(pieces)})


def _own_coords(sweep: Sweep, pieces: list[Piece], variables: Mapping[str, Variable]) -> dict[str, list[float]]:
    """The coordinates of the dimensions that are no axes: all that any piece has."""
    extra: dict[str, list[float]] = {}
    for piece in pieces:
        for dim, values in piece.coords.items():
            if values != extra.get(dim):
                extra[dim] = sorted({*extra.get(dim, []), *values})
        for name, variable in variables.items():
            for dim, size in zip(variable.dims, piece.arrays[name].shape[1:] if name in piece.arrays else ()):
                if dim in sweep.dims:
                    raise InputError(f"study {sweep.name}: variable {name}: {dim} is also an axis; rename one of them")
                if dim not in piece.coords and size > len(extra.get(dim, [])):
                    given = variable.dims[dim]
                    extra[dim] = list(range(size)) if given is None else list(given)
    return extra


Place = slice | NDArray[np.int64]
"""Positions along one dimension."""


@dataclass(frozen=True)
class _Part:
    """One variable of one piece, and where its numbers lie: the runs, then each further dimension."""

    index: NDArray[np.int64]
    array: NDArray[np.generic] | StoredArray
    places: tuple[Place, ...]
    status: NDArray[np.generic] | StoredArray


def _lazy(
    sweep: Sweep,
    pieces: list[Piece],
    name: str,
    variable: Variable,
    extra: Mapping[str, list[float]],
    missing: int | None = None,
) -> "Array":
    """One variable over the whole sweep, a block for each file, filled when it is computed."""
    import dask.array as da

    parts = []
    for piece in pieces:
        if name not in piece.arrays:
            continue
        array, places = piece.arrays[name], []
        for dim, size in zip(variable.dims, array.shape[1:]):
            held = piece.coords.get(dim)
            whole = held is None or held == extra[dim]
            places.append(slice(size) if whole else _place(np.searchsorted(extra[dim], held)))
        parts.append(_Part(piece.index, array, tuple(places), piece.arrays["status"]))
    dtype = np.result_type(*{part.array.dtype for part in parts})
    if missing is None:
        missing = np.nan if np.issubdtype(dtype, np.floating) else -1
    shape = (*sweep.shape, *(len(extra[dim]) for dim in variable.dims))
    guarded = None if variable.undefined else partial(_refuse_nan, sweep, name)
    return da.map_blocks(
        partial(_block, parts, sweep.shape, shape[len(sweep.shape) :], np.array(missing, dtype), guarded),
        chunks=da.core.normalize_chunks(grid(shape)[1] or shape, shape),
        dtype=dtype,
        meta=np.empty((0,) * len(shape), dtype),
        name=f"{name}-{uuid4().hex}",  # else Dask hashes all parts for one
    )


def _block(
    parts: list[_Part],
    axes: tuple[int, ...],
    own: tuple[int, ...],
    missing: NDArray[np.generic],
    guarded: Callable[[_Part, NDArray[np.generic], int], None] | None,
    block_info: Mapping[Any, Any],
) -> NDArray[np.generic]:
    """The numbers of one block: a range of runs, or a part of one run that is larger than a file."""
    where = block_info[None]["array-location"]
    runs, rest = where[: len(axes)], where[len(axes) :]
    begin = int(np.ravel_multi_index([start for start, _ in runs], axes)) if axes else 0
    count = prod(stop - start for start, stop in runs)
    values = np.full((count, *own), missing)
    for part in parts:
        low, high = np.searchsorted(part.index, (begin, begin + count))
        if low < high:
            place = (_place(part.index[low:high] - begin), *part.places)
            if sum(not isinstance(positions, slice) for positions in place) > 1:
                place = np.ix_(*(np.arange(n)[positions] for n, positions in zip(values.shape, place)))
            found = part.array[low:high]
            if guarded:
                guarded(part, found, int(low))
            values[place] = found
    values = values[:, *(slice(*bounds) for bounds in rest)]
    return values.reshape([stop - start for start, stop in where])


def _refuse_nan(sweep: Sweep, name: str, part: _Part, values: NDArray[np.generic], low: int) -> None:
    """Raises where a run that is said to be well has a NaN: statistics would leave it out, and nobody would know."""
    from dlatlas.training.job import OK

    if not np.issubdtype(values.dtype, np.floating) or not np.isnan(values.min(initial=np.inf)):  # one quick pass
        return
    lost = np.isnan(values).reshape(len(values), -1).any(axis=1) & (part.status[low : low + len(values)] == OK)
    if lost.any():
        run = int(part.index[low + int(np.argmax(lost))])
        axes = ", ".join(f"{axis} = {values[0]}" for axis, values in sweep.columns(np.array([run])).items())
        raise InputError(
            f"study {sweep.name}: variable {name}: NaN in a run that did not diverge ({axes}); "
            f'mend it, or declare the variable with undefined="where it has no value"'
        )


def _place(positions: NDArray[np.int64]) -> Place:
    """Positions as a slice where they are evenly spaced, which is faster."""
    step = int(positions[1] - positions[0]) if len(positions) > 1 else 1
    even = step > 0 and np.all(np.diff(positions) == step)
    return slice(int(positions[0]), int(positions[-1]) + 1, step) if even else positions


def _status_attributes() -> dict[str, Any]:
    from dlatlas.training.job import STATUS

    return {
        "units": "1",
        "long_name": "outcome of the run",
        "source": "the engine",
        "flag_values": list(range(len(STATUS))),
        "flag_meanings": " ".join(STATUS),
    }


def _attributes(sweep: Sweep) -> dict[str, Any]:
    return {
        "study": sweep.name,
        "kind": sweep.study.kind,
        "scale": sweep.scale,
        "fixed": canonical(sweep.fixed),
        "runs": sweep.size,
        "versions": canonical({name: version(name) for name in ("numpy", "scipy", "torch", "xarray", "zarr")}),
        "licence": "CC-BY-4.0",
    }


def _untrained(pieces: list[Piece]) -> dict[str, str]:
    """The parameters that were not trained, by the reason, and in how many of their runs unless in all."""
    from dlatlas.training.stack import FROZEN, WITHOUT_GRADIENT

    said = {}
    for reason, role in (("frozen", FROZEN), ("without_gradient", WITHOUT_GRADIENT)):
        counted: dict[str, NDArray[np.int64]] = {}
        for piece in pieces:
            for name, roles in piece.trained.items():
                held = np.array([np.count_nonzero(roles[:] == role), np.count_nonzero(roles[:] >= 0)])
                counted[name] = counted.get(name, 0) + held
        parts = [name if n == of else f"{name} ({n} of {of} runs)" for name, (n, of) in counted.items() if n]
        said |= {reason: ", ".join(parts)} if parts else {}
    return said


def gather(sweep: Sweep, results: Path, measured: Mapping[str, Path]) -> tuple[list[Piece], dict[str, Variable]]:
    """The results of all shards of a study, verified and left on disk, and what their variables mean.

    Args:
        sweep: the sweep.
        results: ``results/<study>``.
        measured: shard digest -> manifest of its measures (kind train).

    Raises:
        InputError: a missing or corrupted file, named; a corrupted pair is set aside.
    """
    from dlatlas.training.job import with_late

    with ThreadPoolExecutor() as pool:
        paths = (results / "shards" / f"{shard.digest}.json" for shard in sweep.shards)
        stacks = [stack for stacks in pool.map(_stored_stacks, paths) for stack in stacks]
        paths = (measured[shard.digest] for shard in sweep.shards if measured)
        numbers = [stack for stacks in pool.map(_stored_stacks, paths) for stack in stacks]
    plans = [plan for shard in sweep.shards for plan in shard.stacks]
    if sweep.study.kind != "train":
        return [Piece(plan.index, arrays, {}) for plan, arrays in zip(plans, stacks)], dict(sweep.study.variables)
    pieces, seen = [], {}
    for plan, trained, values in zip(plans, stacks, numbers):
        kept = {name: trained[name] for name in (*ENGINE_VARIABLES, "status") if name in trained}
        roles = {name[8:]: value for name, value in trained.items() if name.startswith("trained/")}
        trained = with_late(trained, sweep.study)
        kept |= {name[6:]: value for name, value in trained.items() if name.startswith("hyper/")}
        steps = tuple(int({**sweep.fixed, **plan.shared}[name]) for name in ("steps", "checkpoints", "trace_every"))
        if steps not in seen:
            seen[steps] = step_coords(*steps)
        pieces.append(Piece(plan.index, {**kept, **values}, seen[steps], roles))
    described = read_json(measured[sweep.shards[0].digest])["variables"]
    return pieces, _train_variables(sweep, pieces, described)


def _stored_stacks(path: Path) -> list[dict[str, StoredArray]]:
    """The arrays of each stack of a finished shard or of its measures, by its manifest."""
    with setting_aside(path, path.with_suffix(".safetensors")):
        manifest = read_json(path)
        opened = open_arrays(path.with_suffix(".safetensors"), manifest["sha256"])
    stacks: list[dict[str, StoredArray]] = [{} for _ in manifest["stacks"]]
    for name, array in opened.items():
        number, _, variable = name.partition("/")
        stacks[int(number)][variable] = array
    return stacks


def step_coords(steps: int, checkpoints: int, trace_every: int) -> dict[str, list[float]]:
    """The coordinates along the two dimensions of time of a trained stack."""
    from dlatlas.training.steps import checkpoint_steps

    return {"step": checkpoint_steps(steps, checkpoints), "trace_step": list(range(0, steps, trace_every))}


def _train_variables(sweep: Sweep, pieces: list[Piece], described: Mapping[str, Any]) -> dict[str, Variable]:
    variables = {**ENGINE_VARIABLES, **{name: Variable(**record) for name, record in described.items()}}
    known = sweep.study.all_parameters()
    swept = {name for columns in sweep.dims.values() for name in columns}
    for name in sorted({name for piece in pieces for name in piece.arrays} & set(known) - swept):
        values = np.concatenate([np.unique(piece.arrays[name][:]) for piece in pieces if name in piece.arrays])
        if len(np.unique(values)) > 1:  # set run by run by the study's setup
            variables[name] = Variable(f"{known[name].meaning}, as set for the run", "1", "the study's setup")
    return variables
