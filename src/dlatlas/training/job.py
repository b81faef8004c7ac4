"""One job: the runs of a shard that nobody has computed yet, trained, solved or sampled, and written as a whole.

Results are found run by run: whichever shard a finished run lies in, it is copied, not computed again.
"""

import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import AtlasError, InputError
from dlatlas.store import read_arrays, read_json, write_arrays, write_json
from dlatlas.sweep import Shard, StackPlan, Sweep
from dlatlas.training.stack import Stack

OK, DIVERGED, FAILED, MISSING = range(4)
STATUS = ("ok", "diverged", "failed", "missing")
"""Meaning of the numbers in ``status``."""

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Place:
    """Where a finished run lies: which row of which stack in which file."""

    path: Path
    stack: int
    row: int


def compute_shard(sweep: Sweep, shard: Shard, home: Path, data: Path) -> dict[str, Any]:
    """Computes what is missing of a shard and writes ``<digest>.safetensors`` and its manifest ``<digest>.json``.

    Args:
        sweep: the sweep that the shard belongs to.
        shard: what to do.
        home: ``results/<study>/shards``.
        data: the folder of prepared data sets.

    Returns:
        The manifest.

    Raises:
        AtlasError: every run of a stack raised, or the result cannot be written.
    """
    begun = time.monotonic()
    finished = _finished_runs(home)
    opened: dict[Path, Arrays] = {}
    arrays: Arrays = {}
    stacks, trained = [], 0
    for number, plan in enumerate(shard.stacks):
        runs = sweep.runs(plan.index)
        names = [sweep.run_id(run, plan.shared) for run in runs]
        old = [finished.get(name) for name in names]
        new = [position for position, place in enumerate(old) if place is None]
        fresh: Arrays = {}
        messages: dict[str, str] = {}
        if new:
            part = home / f".{shard.digest}.{number}.{len(new)}.safetensors"
            subset = StackPlan(plan.shared, plan.index[new])
            fresh, messages = _part(part, sweep, subset, data)
            trained += len(new)
        rows = iter(range(len(new)))
        merged = _merge(
            [fresh if place is None else _stored(place, opened) for place in old],
            [next(rows) if place is None else place.row for place in old],
        )
        arrays |= {f"{number}/{name}": value for name, value in merged.items()}
        stacks.append({"shared": dict(plan.shared), "runs": names, "failed": messages})
    digest = write_arrays(home / f"{shard.digest}.safetensors", arrays)
    status = np.concatenate([arrays[f"{number}/status"] for number in range(len(stacks))])
    manifest = {
        "study": sweep.name,
        "digest": shard.digest,
        "sha256": digest,
        "computed": trained,
        "reused": shard.size - trained,
        "status": {word: int((status == value).sum()) for value, word in enumerate(STATUS[:3])},
        "seconds": round(time.monotonic() - begun, 3),
        "machine": {"processor": platform.processor() or platform.machine(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("numpy", "scipy", "torch", "pytorch-lightning")},
        "stacks": stacks,
    }
    write_json(home / f"{shard.digest}.json", manifest)
    for part in home.glob(f".{shard.digest}.*"):
        part.unlink()
    return manifest


def read_shard(path: Path) -> Iterator[tuple[dict[str, Any], Arrays]]:
    """The stacks of a finished shard: each one's part of the manifest and its arrays ``(run, ...)``.

    Raises:
        InputError: a missing or corrupted file, named.
    """
    manifest = read_json(path)
    arrays = read_arrays(path.with_suffix(".safetensors"), manifest["sha256"])
    for number, stack in enumerate(manifest["stacks"]):
        yield stack, _of_stack(arrays, number)


def _of_stack(arrays: Arrays, number: int) -> Arrays:
    prefix = f"{number}/"
    return {name[len(prefix) :]: value for name, value in arrays.items() if name.startswith(prefix)}


def _finished_runs(home: Path) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for path in sorted(home.glob("*.json")):
        for number, stack in enumerate(read_json(path)["stacks"]):
            for row, name in enumerate(stack["runs"]):
                if name not in stack["failed"]:
                    places[name] = Place(path, number, row)
    return places


def _stored(place: Place, opened: dict[Path, Arrays]) -> Arrays:
    if place.path not in opened:
        manifest = read_json(place.path)
        opened[place.path] = read_arrays(place.path.with_suffix(".safetensors"), manifest["sha256"])
    return _of_stack(opened[place.path], place.stack)


def _merge(sources: list[Arrays], rows: list[int]) -> Arrays:
    if all(source is sources[0] for source in sources) and rows == list(range(len(rows))):
        return sources[0]
    return {name: np.stack([source[name][row] for source, row in zip(sources, rows)]) for name in sources[0]}


def _part(path: Path, sweep: Sweep, plan: StackPlan, data: Path) -> tuple[Arrays, dict[str, str]]:
    """The results of one stack, kept aside until the whole shard is written, so that a kill costs one stack."""
    if path.is_file():
        try:
            return read_arrays(path), {}
        except InputError:
            path.unlink()
    stack = Stack(sweep.runs(plan.index), sweep.shared(plan), data)
    if sweep.study.kind == "train":
        from dlatlas.training.fit import fit_stack

        arrays, failed = fit_stack(stack, sweep.study, path.with_suffix(".progress")), {}
    else:
        arrays, failed = _solve(sweep, stack)
    if not failed:
        write_arrays(path, arrays)
    return arrays, {sweep.run_id(stack.runs[row], plan.shared): text for row, text in failed.items()}


def _solve(sweep: Sweep, stack: Stack) -> tuple[Arrays, dict[int, str]]:
    """All runs at once; if that raises, one by one, so that a bad run does not take its neighbours with it."""
    try:
        return _checked(sweep, stack, sweep.study.solve(stack)), {}
    except InputError:
        raise
    except Exception as error:
        if len(stack) == 1:
            raise AtlasError(f"study {sweep.name}: {type(error).__name__}: {error}") from error
        first = error
    results: dict[int, Arrays] = {}
    failed: dict[int, str] = {}
    for row, run in enumerate(stack.runs):
        single = Stack([run], stack.shared, stack.folder)
        try:
            results[row] = _checked(sweep, single, sweep.study.solve(single))
        except Exception as error:
            failed[row] = f"{type(error).__name__}: {error}"
    if not results:
        raise AtlasError(f"study {sweep.name}: {type(first).__name__}: {first}") from first
    model = next(iter(results.values()))
    empty = {name: np.full_like(value, np.nan) for name, value in model.items() if name != "status"}
    empty["status"] = np.array([FAILED], dtype=np.int8)
    rows = [results.get(row, empty) for row in range(len(stack))]
    return {name: np.concatenate([row[name] for row in rows]) for name in model}, failed


def _checked(sweep: Sweep, stack: Stack, results: Mapping[str, Any]) -> Arrays:
    arrays = {name: np.asarray(value) for name, value in results.items()}
    expected = set(sweep.study.variables)
    if set(arrays) != expected:
        raise InputError(
            f"src/dlatlas/studies/{sweep.name}.py: solve returns {sorted(arrays)}, "
            f"variables declares {sorted(expected)}"
        )
    for name, value in arrays.items():
        dims = len(sweep.study.variables[name].dims)
        if value.ndim != 1 + dims or len(value) != len(stack):
            raise InputError(
                f"src/dlatlas/studies/{sweep.name}.py: solve: {name} has shape {value.shape}, "
                f"expected ({len(stack)}, ...) with {dims} more dimensions"
            )
        if value.dtype.kind not in "biuf":
            raise InputError(f"src/dlatlas/studies/{sweep.name}.py: solve: {name} is not an array of numbers")
    # Whole numbers and truth values become floats too: only a float can say that there is no result.
    arrays = {name: value if value.dtype == np.float32 else value.astype(np.float64) for name, value in arrays.items()}
    finite = np.ones(len(stack), dtype=bool)
    for value in arrays.values():
        if value.ndim == 1:
            finite &= ~np.isinf(value)
    arrays["status"] = np.where(finite, OK, DIVERGED).astype(np.int8)
    return arrays
