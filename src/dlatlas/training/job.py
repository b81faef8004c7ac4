"""One job: the runs of a shard that nobody has computed yet, trained, solved or sampled, and written as a whole.

Results are found run by run: whichever shard a finished run lies in, it is copied, not computed again.
"""

import dataclasses
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.declare.study import Study
from dlatlas.declare.sweep import Shard, StackPlan, Sweep
from dlatlas.errors import AtlasError, CorruptedError, InputError
from dlatlas.identity import chance
from dlatlas.identity.content import digest
from dlatlas.identity.machine import processor
from dlatlas.identity.store import (
    check_digest,
    only_one,
    read_arrays,
    read_json,
    read_sealed,
    setting_aside,
    write_arrays,
    write_json,
    write_sealed,
)
from dlatlas.training.halves import Arrays, Rows, blank, in_halves, joined
from dlatlas.training.stack import Stack, stack_of

OK, DIVERGED, FAILED, MISSING = range(4)
STATUS = ("ok", "diverged", "failed", "missing")
"""Meaning of the numbers in ``status``."""


@dataclass(frozen=True)
class Place:
    """Where a finished run lies: which row of which stack in which file."""

    path: Path
    stack: int
    row: int


def compute_shard(sweep: Sweep, shard: Shard, home: Path, data: Path) -> dict[str, Any]:
    """Computes what is missing of a shard and writes ``<digest>.safetensors`` and its manifest ``<digest>.json``.

    One process at a time; one that comes second, while the job of a killed Snakemake still runs, finds it done.

    Args:
        sweep: the sweep that the shard belongs to.
        shard: what to do.
        home: ``results/<study>/shards``.
        data: the folder of prepared data sets.

    Returns:
        The manifest.

    Raises:
        AtlasError: every run of the shard raised, a single run does not fit into memory, a shard with runs to be reused
            is corrupted, or the result cannot be written.
    """
    path = home / f"{shard.digest}.json"
    with only_one(path):
        return finished(path) or _compute(sweep, shard, path, data)


def finished(path: Path) -> dict[str, Any] | None:
    """The manifest of a whole pair of files in which no run failed; None if there is none.

    Raises:
        InputError: one of the two is corrupted; both are set aside.
    """
    if not path.is_file():
        return None
    with _pair(path):
        manifest = read_json(path)
        check_digest(path.with_suffix(".safetensors"), manifest["sha256"])
    return None if any(stack.get("failed") for stack in manifest["stacks"]) else manifest


def _compute(sweep: Sweep, shard: Shard, path: Path, data: Path) -> dict[str, Any]:
    if sweep.study.kind == "train":
        import_module("dlatlas.training.fit")  # before the clock starts: Lightning's import is not work
    begun, worked = time.monotonic(), time.process_time()
    known = _finished_runs(path.parent)
    opened: dict[Path, Arrays] = {}
    arrays: Arrays = {}
    stacks, trained = [], 0
    for number, plan in enumerate(shard.stacks):
        runs = sweep.runs(plan.index)
        names = [sweep.run_id(run, plan.shared) for run in runs]
        old = [known.get(name) for name in names]
        new = [position for position, place in enumerate(old) if place is None]
        fresh: Arrays = {}
        messages: dict[str, str] = {}
        if new:
            stack = stack_of(sweep, StackPlan(plan.shared, plan.index[new]), data)
            fresh, failed = _results(sweep, stack, [names[position] for position in new], path)
            messages = {names[new[row]]: message for row, message in failed.items()}
            trained += len(new)
        rows = iter(range(len(new)))
        merged = _merge(
            [fresh if place is None else with_late(_stored(place, opened), sweep.study) for place in old],
            [next(rows) if place is None else place.row for place in old],
        )
        arrays |= {f"{number}/{name}": value for name, value in merged.items()}
        stacks.append({"shared": dict(plan.shared), "runs": names, "failed": messages})
    if all(len(stack["failed"]) == len(stack["runs"]) for stack in stacks):
        raise AtlasError(f"study {sweep.name}: {next(iter(stacks[0]['failed'].values()))}")
    sha256 = write_arrays(path.with_suffix(".safetensors"), arrays)
    status = np.concatenate([arrays[f"{number}/status"] for number in range(len(stacks))])
    manifest = {
        "study": sweep.name,
        "digest": shard.digest,
        "sha256": sha256,
        "computed": trained,
        "reused": shard.size - trained,
        "status": {word: int((status == value).sum()) for value, word in enumerate(STATUS[:3])},
        "seconds": round(time.monotonic() - begun, 3),
        "core_seconds": round(time.process_time() - worked, 3),
        "machine": _machine(sweep),
        "versions": {name: version(name) for name in ("numpy", "scipy", "torch", "pytorch-lightning")},
        "stacks": stacks,
    }
    write_json(path, manifest)
    for part in path.parent.glob(f".*{path.stem}.part-*"):
        part.unlink(missing_ok=True)
    return manifest


def _machine(sweep: Sweep) -> dict[str, str]:
    machine = {"processor": processor(), "python": platform.python_version()}
    if sweep.study.kind == "train":
        from dlatlas.training.device import device_name

        machine["device"] = device_name()
    return machine


def failures(sweep: Sweep, shard: Shard, manifest: Mapping[str, Any]) -> list[str]:
    """The runs of a shard that failed, a line for each reason: where they lie, how many there are, what was raised."""
    lines = []
    for plan, stack in zip(shard.stacks, manifest["stacks"]):
        reasons: dict[str, list[int]] = {}
        for row, name in enumerate(stack["runs"]):
            if name in stack["failed"]:
                reasons.setdefault(stack["failed"][name], []).append(row)
        for message, rows in reasons.items():
            columns = sweep.columns(plan.index[rows])
            where = ", ".join(f"{axis} = {values[0]}" for axis, values in columns.items() if len(set(values)) == 1)
            lines.append(
                f"{where + ': ' if where else ''}{len(rows):,} of {len(stack['runs']):,} runs failed: {message}"
            )
    return lines


def read_shard(path: Path) -> Iterator[tuple[dict[str, Any], Arrays]]:
    """The stacks of a finished shard: each one's part of the manifest and its arrays ``(run, ...)``.

    Raises:
        InputError: a missing or corrupted file, named; a corrupted pair is set aside.
    """
    with _pair(path):
        manifest = read_json(path)
        arrays = read_arrays(path.with_suffix(".safetensors"), manifest["sha256"])
    for number, stack in enumerate(manifest["stacks"]):
        yield stack, _of_stack(arrays, number)


def with_late(arrays: Mapping[str, Any], study: Study) -> dict[str, Any]:
    """Trained arrays, in memory or on disk, and hyper-parameters that are younger than they, at their defaults."""
    one = next((value for name, value in arrays.items() if name.startswith("hyper/")), None)
    late = {f"hyper/{name}": p.default for name, p in study.all_parameters().items() if p.late and p.kind != "choice"}
    if one is None or not late:
        return arrays
    return {**{name: np.full(one.shape, value, one.dtype) for name, value in late.items()}, **arrays}


def forget_leftovers(folder: Path) -> None:
    """Removes what a job that was killed just after its last write has left beside its finished files."""
    for path in folder.glob("*.json"):
        for left in folder.glob(f".*{path.stem}.*"):
            left.unlink(missing_ok=True)


def _pair(path: Path) -> AbstractContextManager[None]:
    return setting_aside(path, path.with_suffix(".safetensors"))


def _of_stack(arrays: Arrays, number: int) -> Arrays:
    prefix = f"{number}/"
    return {name[len(prefix) :]: value for name, value in arrays.items() if name.startswith(prefix)}


def _finished_runs(home: Path) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for path in sorted(home.glob("*.json")):
        with _pair(path):
            stacks = read_json(path)["stacks"]
        for number, stack in enumerate(stacks):
            for row, name in enumerate(stack["runs"]):
                if name not in stack["failed"]:
                    places[name] = Place(path, number, row)
    return places


def _stored(place: Place, opened: dict[Path, Arrays]) -> Arrays:
    if place.path not in opened:
        with _pair(place.path):
            manifest = read_json(place.path)
            opened[place.path] = read_arrays(place.path.with_suffix(".safetensors"), manifest["sha256"])
    return _of_stack(opened[place.path], place.stack)


def _merge(sources: list[Arrays], rows: list[int]) -> Arrays:
    if all(source is sources[0] for source in sources) and rows == list(range(len(rows))):
        return sources[0]
    full = next(source for source in sources if len(source) > 1)
    failed = {name: blank(value, 1)[0] for name, value in full.items()}
    return {
        name: np.stack([source[name][row] if name in source else failed[name] for source, row in zip(sources, rows)])
        for name in full
    }


def _results(sweep: Sweep, stack: Stack, names: list[str], path: Path) -> tuple[Arrays, dict[int, str]]:
    """The results of one stack: at once if it can be, else in halves, so that a bad run fails alone.

    Each part is kept aside, under the names of its runs, until the whole shard is written: a kill costs one part. Where
    every run failed there are no arrays but ``status``: nobody knows their shapes.
    """

    def compute(rows: Rows) -> Arrays:
        part = path.with_name(f".{path.stem}.part-{digest([names[row] for row in rows])}")
        try:
            return read_sealed(part)
        except CorruptedError:
            part.unlink(missing_ok=True)
        arrays = _computed(sweep, dataclasses.replace(stack, runs=[stack.runs[row] for row in rows]), part)
        write_sealed(part, arrays)
        return arrays

    parts, failed = in_halves(np.arange(len(stack)), compute, f"study {sweep.name}")
    if not parts:
        return {"status": np.full(len(stack), FAILED, np.int8)}, failed
    arrays = joined(parts, len(stack))
    if failed:
        rows = sorted(failed)
        arrays["status"][rows] = FAILED
        for name, value in arrays.items():
            if name.startswith("hyper/"):
                own = np.array([run[name[6:]] for run in stack.runs]).astype(value.dtype)
                if np.array_equal(np.delete(own, rows), np.delete(value, rows)):  # not set by the study's setup
                    value[rows] = own[rows]
    return arrays, failed


def _computed(sweep: Sweep, stack: Stack, part: Path) -> Arrays:
    if sweep.study.kind != "train":
        with chance.forbidden(f"{sweep.study.module}: solve", "stack.generator(run)"):
            results = sweep.study.solve(stack)
        return _checked(sweep, stack, results)
    from dlatlas.training.device import gpus
    from dlatlas.training.fit import fit_stack
    from dlatlas.training.split import fit_split

    progress = part.with_name(f"{part.name}.progress")
    if len(stack) >= len(gpus()) > 1:
        return fit_split(stack, sweep.study.module, progress, gpus())
    return fit_stack(stack, sweep.study, progress)


def _unmasked(value: Any) -> NDArray[np.generic]:  # noqa: ANN401
    """An array; what is masked in it has no value."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        return value.astype(np.result_type(value.dtype, np.float32)).filled(np.nan)
    return np.asarray(value)


def _checked(sweep: Sweep, stack: Stack, results: Mapping[str, Any]) -> Arrays:
    arrays = {name: _unmasked(value) for name, value in results.items()}
    expected = set(sweep.study.variables)
    if set(arrays) != expected:
        raise InputError(f"{sweep.study.module}: solve returns {sorted(arrays)}, variables declares {sorted(expected)}")
    for name, value in arrays.items():
        dims = len(sweep.study.variables[name].dims)
        if value.ndim != 1 + dims or len(value) != len(stack):
            raise InputError(
                f"{sweep.study.module}: solve: {name} has shape {value.shape}, "
                f"expected ({len(stack)}, ...) with {dims} more dimensions"
            )
        if value.dtype.kind not in "biuf":
            raise InputError(f"{sweep.study.module}: solve: {name} is not an array of numbers")
    # Whole numbers and truth values become floats too: only a float can say that there is no result.
    arrays = {name: value if value.dtype == np.float32 else value.astype(np.float64) for name, value in arrays.items()}
    finite = np.ones(len(stack), dtype=bool)
    for value in arrays.values():
        if value.ndim == 1:
            finite &= ~np.isinf(value)
    arrays["status"] = np.where(finite, OK, DIVERGED).astype(np.int8)
    return arrays
