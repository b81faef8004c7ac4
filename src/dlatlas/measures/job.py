"""One job: the measures of a trained shard, at each of its checkpoints."""

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dlatlas.declare.study import Study
from dlatlas.declare.sweep import Shard, Sweep
from dlatlas.declare.variable import Variable
from dlatlas.errors import InputError
from dlatlas.identity.store import only_one, read_json, write_arrays, write_json
from dlatlas.measures.measure import evaluate, measures_named
from dlatlas.measures.trained import Trained
from dlatlas.training.build import prepare_stack
from dlatlas.training.halves import Arrays, Rows, in_halves, joined
from dlatlas.training.job import FAILED, finished, read_shard, with_late
from dlatlas.training.stack import Stack, stack_of
from dlatlas.training.steps import checkpoint_steps


def measure_shard(sweep: Sweep, shard: Shard, trained: Path, path: Path, data: Path) -> None:
    """Writes ``<path>.safetensors`` with every measure of every run of a shard, and its manifest at ``path``.

    Args:
        sweep: the sweep that the shard belongs to.
        shard: the shard.
        trained: its manifest under ``shards/``.
        path: the manifest to write under ``measures/``.
        data: the folder of prepared data sets.

    Raises:
        InputError: a missing or corrupted shard, or a measure that this study's model or data do not have.
        AtlasError: a single run does not fit into memory, or the result cannot be written.
    """
    with only_one(path):
        done = finished(path)
        if done is None or done.get("trained") != read_json(trained)["sha256"]:
            _measure_shard(sweep, shard, trained, path, data)


def _measure_shard(sweep: Sweep, shard: Shard, trained: Path, path: Path, data: Path) -> None:
    begun = time.monotonic()
    arrays: Arrays = {}
    for number, (plan, (_, kept)) in enumerate(zip(shard.stacks, read_shard(trained))):
        measured = _in_parts(sweep, stack_of(sweep, plan, data), with_late(kept, sweep.study))
        arrays |= {f"{number}/{name}": value for name, value in measured.items()}
    digest = write_arrays(path.with_suffix(".safetensors"), arrays)
    manifest = {
        "study": sweep.name,
        "shard": shard.digest,
        "trained": read_json(trained)["sha256"],
        "sha256": digest,
        "seconds": round(time.monotonic() - begun, 3),
        "variables": _variables(sweep),
        "stacks": [{"shared": dict(plan.shared)} for plan in shard.stacks],
    }
    write_json(path, manifest)


def _in_parts(sweep: Sweep, stack: Stack, kept: Arrays) -> Arrays:
    """The measures of the runs that did not fail, of all at once or of as many as memory holds; NaN for the others.

    Nothing where all failed: nobody knows their shapes.
    """

    def measured(rows: Rows) -> Arrays:
        part = replace(stack, runs=[stack.runs[row] for row in rows])
        return measure_stack(part, sweep.study, {name: value[rows] for name, value in kept.items()}, sweep.measures)

    rows = np.flatnonzero(kept["status"] != FAILED)
    if not len(rows):
        return {}
    parts, _ = in_halves(rows, measured, f"study {sweep.name}: measures", isolate=False)
    return joined(parts, len(stack))


def measure_stack(stack: Stack, study: Study, kept: Arrays, names: tuple[str, ...]) -> Arrays:
    """The measures of one stack: ``(run, checkpoint, ...)``, or ``(run, ...)`` for those of the last one only.

    Runs that diverged are NaN from then on; they are measured with their initial parameters, so that no
    decomposition meets a NaN, and blotted out afterwards.
    """
    built = prepare_stack(stack, study)
    chosen = measures_named(names, study.packages)
    diverged_at = kept["diverged_at"]
    steps = checkpoint_steps(int(stack["steps"]), int(stack["checkpoints"]))
    hyper = {name: torch.from_numpy(kept[f"hyper/{name}"]) for name in built.hyper}
    parameters = {name: torch.from_numpy(kept[f"parameters/{name}"]) for name in built.parameters}
    initial = {name: value[:, 0] for name, value in parameters.items()}
    shared = built.online is None and built.x is not None and len(built.x) == 1
    every: dict[str, list[NDArray[np.generic]]] = {}
    final: Arrays = {}
    for place, step in enumerate(steps):
        broken = torch.from_numpy((diverged_at >= 0) & (diverged_at <= step))
        now = {name: _healed(value[:, place], initial[name], broken) for name, value in parameters.items()}
        x, y = built.of_runs("x"), built.of_runs("y")
        trained = Trained(
            model=built.model,
            parameters=now,
            initial=initial,
            buffers=built.buffers,
            x=x,
            y=y,
            x_test=built.of_runs("x_test"),
            y_test=built.of_runs("y_test"),
            loss=built.loss,
            hyper=hyper,
            keys=[stack.key(run) for run in range(len(stack))],
            shared_data=shared,
        )
        last = place == len(steps) - 1
        wanted = {name: measure for name, measure in chosen.items() if last or measure.at == "checkpoints"}
        values: dict[str, Any] = {name: value.numpy() for name, value in evaluate(wanted, trained).items()}
        if study.measure is not None:
            values |= _own(study, trained, stack)
        for name, value in values.items():
            value = np.where(broken.numpy().reshape(-1, *[1] * (value.ndim - 1)), np.nan, value)
            if name in chosen and chosen[name].at == "final":
                final[name] = value
            else:
                every.setdefault(name, []).append(value)
    return {**{name: np.stack(values, axis=1) for name, values in every.items()}, **final}


def _variables(sweep: Sweep) -> dict[str, Any]:
    """What the measured numbers mean, for the cube, which is written without torch."""
    described: dict[str, Any] = {}
    for name, measure in measures_named(sweep.measures, sweep.study.packages).items():
        dims: dict[str, Any] = {"step": None} if measure.at == "checkpoints" else {}
        dims |= {dim: list(measure.coords[dim]) if dim in measure.coords else None for dim in measure.dims}
        described[name] = asdict(Variable(measure.long_name, measure.units, measure.source, dims, measure.undefined))
    for name, variable in sweep.study.variables.items():
        dims = {"step": None, **{dim: None if at is None else list(at) for dim, at in variable.dims.items()}}
        described[name] = asdict(replace(variable, dims=dims))
    return described


def _healed(value: Tensor, initial: Tensor, broken: Tensor) -> Tensor:
    return torch.where(broken.reshape(-1, *[1] * (value.ndim - 1)), initial, value)


def _own(study: Study, trained: Trained, stack: Stack) -> Arrays:
    values = {name: np.asarray(value) for name, value in study.measure(trained, stack).items()}
    if set(values) != set(study.variables):
        raise InputError(
            f"{study.module}: measure returns {sorted(values)}, variables declares {sorted(study.variables)}"
        )
    for name, value in values.items():
        if value.ndim != 1 + len(study.variables[name].dims) or len(value) != len(stack):
            raise InputError(
                f"{study.module}: measure: {name} has shape {value.shape}, "
                f"expected ({len(stack)}, {', '.join(study.variables[name].dims)})"
            )
    return values
