"""What the shards of a sweep will cost, before any is computed: seconds, memory, bytes on disk.

A training is weighed by tracing one step of each shape with two and with three runs: its time and its memory are
affine in the number of runs, and counted from the shapes. A solve is tried on the runs of two seeds and of more
(runs of one seed may share their work), cheapest shapes first, for a few seconds; what is too long to try is scaled
by the study's own ``cost``. Shards of the study that are finished here, at any scale, say by what factor this is
wrong, and correct it: each by as much as it took, since one of moments says little of one of minutes.
"""

import math
import signal
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlatlas.declare.params import SCALES
from dlatlas.declare.sweep import Shard, StackPlan, Sweep
from dlatlas.errors import AtlasError, InputError
from dlatlas.identity.content import canonical
from dlatlas.identity.store import read_json
from dlatlas.planning.plan import Plan
from dlatlas.training.stack import Stack, stack_of

TRY = 10.0
"""Seconds of processor time for trying the solves of one sweep."""


Tried = tuple[int, float, float, float]
"""Runs, seconds, bytes of memory and bytes on disk of an attempt."""


@dataclass(frozen=True)
class Affine:
    """``fixed + runs * each``."""

    fixed: float
    each: float

    @classmethod
    def through(cls, few: tuple[int, float], more: tuple[int, float]) -> "Affine":
        """The line through two points (runs, value), neither part of it negative."""
        if few[0] == more[0]:
            return cls(0.0, more[1] / more[0])
        each = max(0.0, (more[1] - few[1]) / (more[0] - few[0]))
        return cls(max(0.0, few[1] - few[0] * each), each)

    def at(self, runs: int) -> float:
        """The value for so many runs."""
        return self.fixed + runs * self.each

    def times(self, factor: float) -> "Affine":
        """All of it so many times."""
        return Affine(self.fixed * factor, self.each * factor)


@dataclass(frozen=True)
class Weight:
    """What a stack of one shape costs: seconds of one core, bytes of memory, bytes on disk."""

    seconds: Affine
    memory: Affine
    stored: Affine


@dataclass(frozen=True)
class Estimate:
    """What a shard costs; ``seconds`` are those of one core or of one GPU."""

    runs: int
    seconds: float
    megabytes: float
    stored_megabytes: float


def estimates(plan: Plan, name: str, gpu: bool = False) -> tuple[dict[str, Estimate], float, int]:
    """The cost of every shard of a study.

    Args:
        plan: at the scale that is asked about; its data must be there.
        name: the study.
        gpu: whether it is computed on GPUs.

    Returns:
        Shard digest -> estimate; the factor by which finished shards have corrected it; how many those were.

    Raises:
        AtlasError: solves that are too long to try.
    """
    sweep, known = plan.sweep(name), {}
    raw = _raw(sweep, plan.settings.data, gpu, known)
    finished, time_taken, log_ratios = 0, TRY, 0.0  # the trial itself is worth as much as shards of TRY seconds
    for other in _scales(plan, name):
        made = {shard.digest: _made(plan.shard_manifest(name, shard.digest), shard, gpu) for shard in other.shards}
        if any(made.values()):
            known_of = raw if other.scale == sweep.scale else _raw(other, plan.settings.data, gpu, known)
            for key, seconds in made.items():
                if seconds:
                    finished, time_taken = finished + 1, time_taken + seconds
                    log_ratios += seconds * math.log(seconds / max(known_of[key].seconds, 1e-3))
    factor = math.exp(log_ratios / time_taken)
    return {key: replace(each, seconds=factor * each.seconds) for key, each in raw.items()}, factor, finished


def _scales(plan: Plan, name: str) -> Iterator[Sweep]:
    for scale in SCALES:
        try:
            yield Plan(replace(plan.settings, scale=scale, studies=(name,))).sweep(name)
        except InputError:  # a params file without that scale
            continue


def _made(path: Path, shard: Shard, gpu: bool) -> float | None:
    """Seconds of a core or GPU that a finished shard took, if all was computed in one go and on such a device."""
    if not path.is_file():
        return None
    manifest = read_json(path)
    on_gpu = manifest["machine"].get("device", "cpu") != "cpu"
    if manifest["computed"] != shard.size or on_gpu != gpu:
        return None
    return manifest["seconds"] if gpu else min(manifest["seconds"], manifest.get("core_seconds", math.inf))


def _raw(sweep: Sweep, data: Path, gpu: bool, known: dict[str, Weight]) -> dict[str, Estimate]:
    """Uncorrected estimates; shapes already weighed are not weighed again."""
    stacks = {_key(sweep, stack): stack for shard in sweep.shards for stack in shard.stacks}
    new = [(_cost(sweep, stack), key, stack) for key, stack in stacks.items() if key not in known]
    new.sort(key=lambda item: item[:2])
    if sweep.study.kind == "train":
        known |= {key: _trained(sweep, stack, data, gpu) for _, key, stack in new}
    else:
        known |= _solved(sweep, new, data)
    found = {}
    for shard in sweep.shards:
        parts = [(known[_key(sweep, stack)], len(stack.index)) for stack in shard.stacks]
        found[shard.digest] = Estimate(
            runs=shard.size,
            seconds=sum(w.seconds.at(runs) for w, runs in parts),
            megabytes=max(w.memory.at(runs) for w, runs in parts) / 1e6,
            stored_megabytes=sum(w.stored.at(runs) for w, runs in parts) / 1e6,
        )
    return found


def _key(sweep: Sweep, stack: StackPlan) -> str:
    return canonical([sweep.fixed, stack.shared])


def _cost(sweep: Sweep, stack: StackPlan) -> float:
    return sweep.study.cost({**sweep.fixed, **stack.shared}) if sweep.study.cost else 1.0


# Trainings.


def _trained(sweep: Sweep, plan: StackPlan, data: Path, gpu: bool) -> Weight:
    stacks = (stack_of(sweep, replace(plan, index=plan.index[:runs]), data) for runs in (2, 3))
    few, more = (_traced(sweep, stack, gpu) for stack in stacks)
    seconds, memory, stored = (Affine.through((few[0], a), (more[0], b)) for a, b in zip(few[2:], more[2:]))
    # Preparing is measured, so it is not drawn out to more runs: a thousand of them would multiply its noise.
    return Weight(replace(seconds, fixed=seconds.fixed + min(few[1], more[1])), memory, stored)


def _traced(sweep: Sweep, stack: Stack, gpu: bool) -> tuple[int, float, float, float, float]:
    """A whole training of a few runs, from one step of it.

    Returns:
        Runs; seconds of preparing, measured; seconds of training, bytes of memory and bytes on disk, counted.
    """
    from dlatlas.training.build import prepare_stack
    from dlatlas.training.ensemble import StackedEnsemble
    from dlatlas.training.graph import CORE, GPU, peak, seconds

    class OneStep(StackedEnsemble):
        """Keeps the traced step, and leaves it as it is."""

        def _quickened(self, traced: Any, inputs: tuple[Any, ...]) -> Any:  # noqa: ANN401
            self.traced = traced
            return traced

    begun = time.process_time()
    module = OneStep(prepare_stack(stack, sweep.study))
    module._losses(0, 1)
    prepared = time.process_time() - begun
    parameters = sum(value.nbytes for value in module.progress.parameters.values())
    stored = parameters * len(module.due) + module.progress.trace.nbytes
    memory = 2 * stored + 2 * parameters + peak(module.traced)
    return len(stack), prepared, module.steps * seconds(module.traced, GPU if gpu else CORE), memory, stored


# Solves.


def _solved(sweep: Sweep, stacks: list[tuple[float, str, StackPlan]], data: Path) -> dict[str, Weight]:
    begun, found = time.process_time(), {}
    last: tuple[float, Weight] | None = None
    for cost, key, plan in stacks:
        tried = None
        if last is None:
            _tried(sweep, replace(plan, index=plan.index[:1]), 1, data)  # imports
        if last is None or time.process_time() - begun < TRY:
            few = _tried(sweep, plan, 2, data)
            tried = few and (few, _grown(sweep, plan, few, data))
        if tried:
            few, more = tried
            found[key] = Weight(*(Affine.through((few[0], a), (more[0], b)) for a, b in zip(few[1:], more[1:])))
            last = (cost, found[key])
        elif last is None:
            raise AtlasError(f"study {sweep.name}: a few runs of its cheapest shape take more than {TRY:g} s to try")
        else:  # matrices: n^2 numbers, n^3 operations
            ratio = cost / last[0]
            found[key] = Weight(last[1].seconds.times(ratio), last[1].memory.times(ratio ** (2 / 3)), last[1].stored)
    return found


def _grown(sweep: Sweep, plan: StackPlan, few: Tried, data: Path) -> Tried:
    """More runs than ``few``, which are those of two seeds: enough to take twice as long, lest noise be drawn out."""
    seeds, more = 2, few
    while more[0] < len(plan.index) and more[1] < 2 * few[1]:
        seeds = seeds + 1 if more[1] > 1 else 2 * seeds
        found = _tried(sweep, plan, seeds, data)
        if not found:
            break
        more = found
    return more


def _of_seeds(sweep: Sweep, plan: StackPlan, number: int, data: Path) -> Stack:
    """All runs of the stack's first seeds."""
    seeds = np.array(sweep.columns(plan.index).get("seed", np.zeros(len(plan.index))))
    return stack_of(sweep, replace(plan, index=plan.index[np.isin(seeds, np.unique(seeds)[:number])]), data)


def _tried(sweep: Sweep, plan: StackPlan, seeds: int, data: Path) -> Tried | None:
    """Runs, seconds, bytes of memory and bytes on disk of solving a few seeds; None if that takes too long."""
    stack = _of_seeds(sweep, plan, seeds, data)
    begun = time.process_time()
    tracemalloc.start()
    try:
        with _no_longer_than(TRY):
            stored = sum(np.asarray(value).nbytes for value in sweep.study.solve(stack).values())
        _, memory = tracemalloc.get_traced_memory()
    except TimeoutError:
        return None
    finally:
        tracemalloc.stop()
    return len(stack), time.process_time() - begun, float(memory), float(stored)


@contextmanager
def _no_longer_than(seconds: float) -> Iterator[None]:
    """Raises TimeoutError in what it encloses after so much processor time."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
