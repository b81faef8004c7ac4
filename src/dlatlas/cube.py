"""The cube: one labelled Zarr store a study, with a status and a digest.

Dimensions are the axes of the sweep, then ``step``, ``trace_step``, ``layer`` and whatever else the variables have.
``xr.open_zarr`` alone opens it.
"""

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import AtlasError, CorruptedError, InputError
from dlatlas.identity import canonical, digest, file_digest
from dlatlas.store import read_json
from dlatlas.study import Variable
from dlatlas.sweep import Sweep

if TYPE_CHECKING:
    import xarray as xr

CHUNK_NUMBERS = 2**18
"""About this many numbers a chunk (2 MiB of float64)."""

ENGINE_VARIABLES = {
    "loss_trace": Variable("training loss before each traced step", "loss", "the engine", {"trace_step": None}),
    "peak": Variable("largest training loss of the run", "loss", "the engine"),
    "peak_step": Variable("step of the largest training loss", "step", "the engine"),
    "diverged_at": Variable("step at which the run diverged, -1 if it did not", "step", "the engine"),
}
"""What every trained run records beside its measures."""


@dataclass(frozen=True)
class Piece:
    """Results of one stack: where its runs lie in the sweep, and its arrays ``(run, ...)``."""

    index: NDArray[np.int64]
    arrays: Mapping[str, NDArray[np.generic]]
    coords: Mapping[str, list[float]]


def assemble(sweep: Sweep, pieces: list[Piece], variables: Mapping[str, Variable]) -> "xr.Dataset":
    """A Dataset with one dimension an axis, NaN and ``status = missing`` where there is no result."""
    import xarray as xr

    dims = list(sweep.dims)
    lengths = dict(zip(dims, sweep.shape))
    extra: dict[str, list[float]] = {}
    for piece in pieces:
        for dim, values in piece.coords.items():
            extra[dim] = sorted({*extra.get(dim, []), *values})
        for name, variable in variables.items():
            for dim, size in zip(variable.dims, piece.arrays[name].shape[1:]):
                if dim in lengths:
                    raise InputError(f"study {sweep.name}: variable {name}: {dim} is also an axis; rename one of them")
                if dim not in piece.coords:
                    given = variable.dims[dim]
                    values = list(range(size)) if given is None else list(given)
                    extra[dim] = values if len(values) > len(extra.get(dim, [])) else extra[dim]
    data: dict[str, Any] = {}
    for name, variable in variables.items():
        shape = tuple(len(extra[dim]) for dim in variable.dims)
        first = pieces[0].arrays[name]
        whole = not np.issubdtype(first.dtype, np.floating)
        values = np.full((sweep.size, *shape), -1 if whole else np.nan, dtype=first.dtype)
        for piece in pieces:
            place: list[Any] = [piece.index]
            array = piece.arrays[name]
            for dim, size in zip(variable.dims, array.shape[1:]):
                held = piece.coords.get(dim, extra[dim][:size])
                place.append(np.searchsorted(extra[dim], held) if dim in piece.coords else np.arange(size))
            values[np.ix_(*place)] = array
        data[name] = (
            [*dims, *variable.dims],
            values.reshape(*sweep.shape, *shape),
            {"units": variable.units, "long_name": variable.long_name, "source": variable.source},
        )
    data["status"] = (dims, _status(sweep, pieces), _status_attributes())
    coords: dict[str, Any] = {}
    known = sweep.study.all_parameters()
    for dim, columns in sweep.dims.items():
        for name, values in columns.items():
            attributes = {"units": "1", "long_name": known[name].meaning, "source": f"params/{sweep.name}.yaml"}
            coords[name] = (dim, np.array(values), attributes)
    for dim, values in extra.items():
        coords[dim] = (dim, np.array(values), {"units": "1", "long_name": dim, "source": "the variable's own"})
    for dim in ("step", "trace_step"):
        if dim in coords:
            coords[dim][2].update(units="step", long_name="update steps done", source="the engine")
    return xr.Dataset(data, coords, _attributes(sweep))


def _status(sweep: Sweep, pieces: list[Piece]) -> NDArray[np.int8]:
    from dlatlas.training.job import MISSING

    status = np.full(sweep.size, MISSING, dtype=np.int8)
    for piece in pieces:
        status[piece.index] = piece.arrays["status"]
    return status.reshape(sweep.shape)


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
        "shards": " ".join(shard.digest for shard in sweep.shards),
        "versions": canonical({name: version(name) for name in ("numpy", "scipy", "torch", "xarray", "zarr")}),
        "licence": "CC-BY-4.0",
    }


def gather(sweep: Sweep, results: Path, measured: Mapping[str, Path]) -> tuple[list[Piece], dict[str, Variable]]:
    """The results of all shards of a study, and what their variables mean.

    Args:
        sweep: the sweep.
        results: ``results/<study>``.
        measured: shard digest -> manifest of its measures (kind train).
    """
    from dlatlas.training.job import read_shard, with_late

    pieces, variables = [], dict(sweep.study.variables)
    for shard in sweep.shards:
        stacks = read_shard(results / "shards" / f"{shard.digest}.json")
        if sweep.study.kind != "train":
            pieces += [Piece(plan.index, arrays, {}) for plan, (_, arrays) in zip(shard.stacks, stacks)]
            continue
        numbers = read_shard(measured[shard.digest])
        for plan, (_, trained), (_, values) in zip(shard.stacks, stacks, numbers):
            kept = {name: trained[name] for name in (*ENGINE_VARIABLES, "status")}
            kept |= {
                name[6:]: value for name, value in with_late(trained, sweep.study).items() if name.startswith("hyper/")
            }
            pieces.append(Piece(plan.index, {**kept, **values}, _step_coords(sweep, plan.shared)))
    if sweep.study.kind == "train":
        described = read_json(measured[sweep.shards[0].digest])["variables"]
        variables = _train_variables(sweep, pieces, described)
    return pieces, variables


def _step_coords(sweep: Sweep, shared: Mapping[str, Any]) -> dict[str, list[float]]:
    from dlatlas.training.steps import checkpoint_steps

    values = {**sweep.fixed, **shared}
    return {
        "step": checkpoint_steps(int(values["steps"]), int(values["checkpoints"])),
        "trace_step": list(range(0, int(values["steps"]), int(values["trace_every"]))),
    }


def _train_variables(sweep: Sweep, pieces: list[Piece], described: Mapping[str, Any]) -> dict[str, Variable]:
    variables = {**ENGINE_VARIABLES, **{name: Variable(**record) for name, record in described.items()}}
    known = sweep.study.all_parameters()
    swept = {name for columns in sweep.dims.values() for name in columns}
    for name in sorted({name for piece in pieces for name in piece.arrays} & set(known) - swept):
        values = np.concatenate([piece.arrays[name] for piece in pieces])
        if len(np.unique(values)) > 1:  # set run by run by the study's setup
            variables[name] = Variable(f"{known[name].meaning}, as set for the run", "1", "the study's setup")
    return variables


def write_cube(cube: "xr.Dataset", path: Path) -> str:
    """Writes a cube as Zarr 3, aside and then by a rename, and returns its digest.

    Raises:
        AtlasError: no permission or no space; an older cube is then still there.
    """
    aside = path.with_name(f".{path.name}.new")
    old = path.with_name(f".{path.name}.old")
    encoding = {name: {"chunks": _chunks(array.shape)} for name, array in cube.data_vars.items() if array.ndim}
    try:
        for leftover in (aside, old):
            shutil.rmtree(leftover, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with quiet_zarr():
            cube.to_zarr(aside, mode="w", zarr_format=3, consolidated=True, encoding=encoding)
        if path.exists():
            path.rename(old)
        aside.rename(path)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise AtlasError(f"{path}: cannot be written: {error.strerror or error}") from error
    shutil.rmtree(old, ignore_errors=True)
    return cube_digest(path)


def _chunks(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Whole trailing dimensions first, so that one run's numbers lie together."""
    chunks, room = [], CHUNK_NUMBERS
    for size in reversed(shape):
        chunks.append(max(1, min(size, room)))
        room //= chunks[-1]
    return tuple(reversed(chunks))


@contextmanager
def quiet_zarr() -> Iterator[None]:
    """Zarr 3 warns that consolidated metadata and text arrays are not in its specification; plain readers open both."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Cc]onsolidated metadata.*")
        warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification.*")
        yield


def files_of(path: Path) -> dict[str, str]:
    """SHA-256 of every file of a store, by its name in it."""
    names = sorted(p for p in path.rglob("*") if p.is_file() and p.name != ".snakemake_timestamp")
    return {str(name.relative_to(path)): file_digest(name) for name in names}


def cube_digest(path: Path) -> str:
    """Digest of a store: names and contents of its files, nothing else."""
    return digest(files_of(path))


def open_cube(path: Path, files: Mapping[str, str] | None = None) -> "xr.Dataset":
    """Opens a cube lazily, after comparing its files with ``files`` if given.

    Raises:
        InputError: no such cube, or a file in it that is not its own, by name.
        CorruptedError: a file of it that is missing or corrupted, by name.
    """
    import xarray as xr

    if not (path / "zarr.json").is_file():
        raise InputError(f"{path}: no such cube; `snakemake --cores all` makes it")
    if files is not None:
        found = files_of(path)
        for name in sorted({*files, *found}):
            if name not in found:
                raise CorruptedError(f"{path}/{name}: missing")
            if name not in files:
                raise InputError(f"{path}/{name}: not a file of this cube; delete it")
            if found[name] != files[name]:
                raise CorruptedError(f"{path}/{name}: corrupted")
    try:
        with quiet_zarr():
            return xr.open_zarr(path)
    except (ValueError, KeyError, OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not a readable cube: {error}") from error


def stamp_of(folder: Path, stage: str) -> dict[str, Any]:
    """The newest stamp of a stage of one study, as a record.

    Raises:
        InputError: there is none.
    """
    stamps = sorted(folder.glob(f"stamps/{stage}-*.json"))
    if not stamps:
        raise InputError(f"{folder}: no {stage} yet; `snakemake --cores all` makes it")
    return read_json(stamps[-1])
