"""The cube: one labelled Zarr store a study, with a status and a digest.

Dimensions are the axes of the sweep, then ``step``, ``trace_step``, ``layer`` and whatever else the variables have.
``xr.open_zarr`` alone opens it.

The size of a sweep does not matter: chunks are cut so that each file of the store is one range of runs, which is also
one range of rows in every stack. So a file is filled from the results on disk and written once, whole, and nothing
else is in memory.
"""

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import ceil, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlatlas.errors import AtlasError, CorruptedError, InputError
from dlatlas.identity.content import digest, file_digest
from dlatlas.identity.imported import check
from dlatlas.identity.store import read_json

if TYPE_CHECKING:
    import xarray as xr

CHUNK_NUMBERS = 2**18
"""About this many numbers a chunk, the least that is read (2 MiB of float64)."""
FILE_CHUNKS = 8
"""So many chunks a file, a Zarr shard, at most (16 MiB of float64)."""
WRITERS = 2
"""Files written at a time: one is filled while the other is compressed, by as many threads as there are cores."""


def write_cube(cube: "xr.Dataset", path: Path) -> dict[str, str]:
    """Writes a cube as Zarr 3, file by file, aside and then by a rename, and returns its files' digests.

    Raises:
        AtlasError: no permission or no space, or other code than names say; an older cube is then still there.
    """
    import dask

    aside = path.with_name(f".{path.name}.new")
    old = path.with_name(f".{path.name}.old")
    encoding = {}
    for name, array in cube.data_vars.items():
        if array.ndim:
            chunks, shards = grid(array.shape)
            encoding[name] = {"chunks": chunks} | ({"shards": shards} if shards else {})
    try:
        for leftover in (aside, old):
            shutil.rmtree(leftover, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A pool of our own: when one writer fails, the other is waited for, and writes into no folder that is removed.
        with quiet_zarr(), ThreadPoolExecutor(WRITERS) as pool, dask.config.set(scheduler="threads", pool=pool):
            text = _with_text(cube, "U", np.dtypes.StringDType())
            text.to_zarr(aside, mode="w", zarr_format=3, consolidated=True, encoding=encoding)
        files = files_of(aside)
        check()
        if path.exists():
            path.rename(old)
        aside.rename(path)
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        if isinstance(error, OSError):
            raise AtlasError(f"{path}: cannot be written: {error.strerror or error}") from error
        raise
    shutil.rmtree(old, ignore_errors=True)
    return files


def _with_text(cube: "xr.Dataset", kinds: str, dtype: Any) -> "xr.Dataset":  # noqa: ANN401
    """A cube with its text of some kinds of NumPy's as another.

    A store has text of any length, ``string`` with ``vlen-utf8``, which readers in other languages know; fixed lengths
    of UTF-32 are NumPy's own. In memory text is fixed, as studies and statistics compare it.
    """
    for name, held in cube.variables.items():
        if held.dtype.kind in kinds:
            values = held.copy(data=np.array(held.values.tolist(), dtype).reshape(held.shape))
            cube = cube.assign_coords({name: values}) if name in cube.coords else cube.assign({name: values})
    return cube


def grid(shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Shapes of a chunk and of a file of several chunks; the latter is None where one chunk is all.

    Whole trailing dimensions first, then a part of one, so that both are ranges in C order: one run's numbers lie
    together, and a file is a range of runs.
    """
    chunks: list[int] = []
    files: list[int] = []
    numbers, room = CHUNK_NUMBERS, FILE_CHUNKS
    for size in (max(1, size) for size in reversed(shape)):
        chunk = ceil(size / ceil(size / numbers))
        count = min(ceil(size / chunk), room)
        numbers, room = numbers // chunk, room // count
        chunks.append(chunk)
        files.append(chunk * count)
    return tuple(reversed(chunks)), None if prod(chunks) >= prod(shape) else tuple(reversed(files))


@contextmanager
def quiet_zarr() -> Iterator[None]:
    """Zarr 3 warns of what its specification lacks: consolidated metadata, and the text of older cubes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Cc]onsolidated metadata.*")
        warnings.filterwarnings("ignore", message=".*does not have a Zarr V3 specification.*")
        yield


def files_of(path: Path) -> dict[str, str]:
    """SHA-256 of every file of a store, by its name in it."""
    names = sorted(p for p in path.rglob("*") if p.is_file() and p.name != ".snakemake_timestamp")
    with ThreadPoolExecutor() as pool:
        return {str(name.relative_to(path)): found for name, found in zip(names, pool.map(file_digest, names))}


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
            return _with_text(xr.open_zarr(path), "TO", str)
    except (ValueError, KeyError, OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not a readable cube: {error}") from error


def with_fixed(cube: "xr.Dataset") -> "xr.Dataset":
    """A cube with its fixed hyper-parameters as coordinates of no dimension, beside those that were swept.

    So a theory takes ``cube["n"]`` whether ``n`` is an axis or not.
    """
    fixed = json.loads(cube.attrs.get("fixed", "{}"))
    return cube.assign_coords({name: value for name, value in fixed.items() if name not in cube.variables})


def stamp_of(folder: Path, stage: str) -> dict[str, Any]:
    """The newest stamp of a stage of one study, as a record.

    Raises:
        InputError: there is none.
    """
    stamps = sorted(folder.glob(f"stamps/{stage}-*.json"))
    if not stamps:
        raise InputError(f"{folder}: no {stage} yet; `snakemake --cores all` makes it")
    return read_json(stamps[-1])
