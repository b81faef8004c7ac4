"""Axes -> runs -> stacks -> shards.

A run is one point of the product of the axes. Runs of one tensor shape form a stack and are trained together; a
shard is what one job does: one or more stacks, so that a job is worth its start. Which runs share a shard follows
from the params file alone, never from the machine; results are looked up run by run, so a sweep can be cut anew.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.declare import registry
from dlatlas.declare.names import check_names
from dlatlas.declare.parameter import SHAPES, THINGS, Value
from dlatlas.declare.params import Point, read_params
from dlatlas.declare.study import Study
from dlatlas.identity import pointer
from dlatlas.identity.code import code_digest
from dlatlas.identity.content import SCHEMA, canonical, digest

TRAIN_ROOTS = (
    "dlatlas.training.build:build",
    "dlatlas.training.ensemble:StackedEnsemble",
    "dlatlas.training.build:prepare_stack",
    "dlatlas.training.fit:stored",
)
SOLVE_ROOTS = ("dlatlas.training.stack:Stack",)


@dataclass(frozen=True)
class StackPlan:
    """Runs of one shape: the values that they share, and their positions in the sweep.

    Attributes:
        shared: hyper-parameters that all of the stack's runs share.
        index: flat positions in the product of the dimensions, ascending.
    """

    shared: Mapping[str, Value]
    index: NDArray[np.int64]


@dataclass(frozen=True)
class Shard:
    """What one job does."""

    digest: str
    stacks: tuple[StackPlan, ...]

    @property
    def size(self) -> int:
        """How many runs it has."""
        return sum(len(stack.index) for stack in self.stacks)


class Sweep:
    """All runs of one study at one scale."""

    def __init__(self, study: Study, point: Point, scale: str, data: Path) -> None:
        self.name, self.study, self.scale = study.name, study, scale
        self.dims, self.fixed, self.measures = point.dims, point.fixed, tuple(point.measures)
        self.shard_runs = point.shard_runs
        self.late = {name: p.default for name, p in study.all_parameters().items() if p.late}
        self._pointer = data
        self._recipes: dict[str, str] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each dimension has."""
        return tuple(len(next(iter(columns.values()))) for columns in self.dims.values())

    @property
    def size(self) -> int:
        """How many runs there are."""
        return int(np.prod(self.shape, dtype=np.int64))

    def runs(self, index: NDArray[np.int64]) -> list[dict[str, Value]]:
        """The hyper-parameters of the runs at these flat positions, defaults filled in."""
        columns = self.columns(index)
        swept = [dict(zip(columns, values)) for values in zip(*columns.values())] or [{}] * len(index)
        return [{**self.fixed, **values} for values in swept]

    def columns(self, index: NDArray[np.int64]) -> dict[str, list[Value]]:
        """The swept hyper-parameters at these flat positions, one list each."""
        places = np.unravel_index(index, self.shape) if self.dims else ()
        return {
            name: [values[i] for i in place]
            for place, columns in zip(places, self.dims.values())
            for name, values in columns.items()
        }

    def shared(self, plan: StackPlan) -> dict[str, Value]:
        """All that the runs of a stack share because it changes shapes or code paths."""
        words = {name: value for name, value in self.fixed.items() if isinstance(value, str)}
        return {**words, **plan.shared}

    def run_id(self, run: Mapping[str, Value], shared: Mapping[str, Value]) -> str:
        """The name of a run: a digest of its hyper-parameters, its code and its data."""
        return digest({"run": self._naming(run), "recipe": self.recipe(shared)})

    def _naming(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Those hyper-parameters that enter names: not the late ones at their defaults (see ``study.Parameter``)."""
        return {name: value for name, value in values.items() if name not in self.late or value != self.late[name]}

    def recipe(self, shared: Mapping[str, Value]) -> str:
        """Digest of all that makes a run of this stack beside its hyper-parameters: schema, code, data."""
        named = canonical(self.things(shared))
        if named not in self._recipes:
            file = registry.data_file(self.things(shared)["data"]) if self.study.kind == "train" else None
            data = pointer.digest(self._pointer, file) if file else ""
            self._recipes[named] = digest({"schema": SCHEMA, "code": self.code(shared), "data": data})
        return self._recipes[named]

    def things(self, shared: Mapping[str, Value]) -> dict[str, str]:
        """Where the model, data set, loss and update rule of a stack live, as ``module:definition``."""
        if self.study.kind != "train":
            return {}
        return {name: registry.root(room, str(shared[name]), self.study.packages) for name, room in THINGS.items()}

    def code(self, shared: Mapping[str, Value]) -> str:
        """Digest of the code that makes a run of this stack."""
        home = self.study.module
        if self.study.kind != "train":
            return code_digest([*SOLVE_ROOTS, f"{home}:STUDY(solve)"])
        return code_digest([*TRAIN_ROOTS, *self.things(shared).values(), f"{home}:STUDY(setup)"])

    @cached_property
    def shards(self) -> tuple[Shard, ...]:
        """The jobs, balanced by cost; the same for equal params on every machine."""
        pieces = list(self._pieces())
        number = min(len(pieces), max(1, ceil(self.size / self.shard_runs)))
        bins: list[tuple[float, list[StackPlan]]] = [(0.0, []) for _ in range(number)]
        cost = self.study.cost or (lambda shared: 1.0)
        weighed = [(cost({**self.fixed, **piece.shared}) * len(piece.index), piece) for piece in pieces]
        for weight, piece in sorted(weighed, key=lambda item: -item[0]):  # longest first, to the lightest job
            lightest = min(range(number), key=lambda i: bins[i][0])
            bins[lightest] = (bins[lightest][0] + weight, [*bins[lightest][1], piece])
        shards = []
        for _, stacks in bins:
            content = [[self._naming(stack.shared), self._extent(stack), self.recipe(stack.shared)] for stack in stacks]
            shards.append(Shard(digest([self.name, content]), tuple(stacks)))
        return tuple(shards)

    def _extent(self, stack: StackPlan) -> list[Any]:
        """What names the runs of a stack without listing them: the axes that differ in it, and where in their product.

        Places are counted in the product of those axes alone: in that of all, another axis' length would enter.
        """
        differ = [not set(columns) <= set(stack.shared) for columns in self.dims.values()]
        swept = [columns for columns, differs in zip(self.dims.values(), differ) if differs]
        ends = [np.unravel_index(stack.index[at], self.shape) if self.dims else () for at in (0, -1)]
        first, last = ([int(place) for place, differs in zip(end, differ) if differs] for end in ends)
        return [self._naming(self.fixed), swept, first, last, len(stack.index)]

    def _pieces(self) -> Iterator[StackPlan]:
        shapes = (SHAPES if self.study.kind == "train" else frozenset()) | set(self.study.shape)
        split = [any(name in shapes for name in columns) for columns in self.dims.values()]
        positions = np.arange(self.size, dtype=np.int64).reshape(self.shape)
        common = {name: value for name, value in self.fixed.items() if name in shapes}
        for place in product(*(range(n) if cut else [slice(None)] for n, cut in zip(self.shape, split))):
            shared = dict(common)
            for at, columns in zip(place, self.dims.values()):
                if isinstance(at, int):
                    shared |= {name: values[at] for name, values in columns.items()}
            index = positions[place].ravel() if self.dims else positions.ravel()
            for start in range(0, len(index), self.shard_runs):
                yield StackPlan(shared, index[start : start + self.shard_runs])


def load_sweep(study: Study, params: Path, scale: str, data: Path) -> Sweep:
    """The sweep of a study at one scale.

    Args:
        study: the study.
        params: its params file.
        scale: smoke, laptop or cluster.
        data: ``data.dvc``, whose digests name the data.

    Raises:
        InputError: anything wrong in its params file, or a claim or panel that names what the cube will not have.
    """
    point = read_params(params, study, scale)
    check_names(study, point)
    return Sweep(study, point, scale, data)
