"""Many networks as one: a stack trained by ``vmap(grad)`` inside a LightningModule.

The step of one network is an ordinary function of its parameters, data and hyper-parameters; it is mapped over the
runs and traced once into a flat graph of tensor operations, so that a step costs no Python per network.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_map
from torch.utils.data import DataLoader, IterableDataset

from dlatlas.optimizers.rule import State, Tensors
from dlatlas.training.build import Built
from dlatlas.training.captured import Captured
from dlatlas.training.feed import Feed, Given, by_worker
from dlatlas.training.graph import CORE, GPU, fusible, lean, seconds
from dlatlas.training.refusal import of_steps
from dlatlas.training.rehearsal import STEPS, Rehearsal, refuse_other_losses
from dlatlas.training.steps import checkpoint_steps

CHUNK_SECONDS = 0.2
"""About how long one call of ``training_step`` is: Lightning's own overhead is a few tenths of a millisecond a call."""

COMPILE_FROM = 120.0
"""Seconds of a stack's training, estimated from its shapes, from which compiling the step repays the 5 to 25 s that it
takes. The estimate is over all steps, so a resumed stack is computed as it was begun."""


@dataclass
class Progress:
    """Where a stack stands: everything that a resumed job needs."""

    step: int
    parameters: Tensors
    state: State
    trace: Tensor
    peak: Tensor
    peak_step: Tensor
    diverged_at: Tensor


class StackedEnsemble(pl.LightningModule):
    """Trains all runs of a stack at once; Lightning chooses the device and drives the loop.

    After ``fit``, ``kept`` maps each checkpoint step to the parameters ``(run, ...)`` and ``progress`` holds the loss
    trace ``(traced step, run)``, the largest loss of each run and its step, and the step at which a run diverged (-1:
    never). Losses are those before the update of their step. ``without_gradient`` names the parameters that get none in
    any run.
    """

    def __init__(self, built: Built) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.built = built
        self.words: dict[str, Any] = {**built.stack.shared, **built.words}
        self.steps, self.every = int(built.stack["steps"]), int(built.stack["trace_every"])
        self.due = checkpoint_steps(self.steps, int(built.stack["checkpoints"]))
        runs = len(built.stack)
        dtype = built.dtype
        self.progress = Progress(
            step=0,
            parameters=dict(built.parameters),
            state={name: dict(value) for name, value in built.rule.init(built.trained).items()},
            trace=torch.full((len(range(0, self.steps, self.every)), runs), torch.nan, dtype=dtype),
            peak=torch.full((runs,), -torch.inf, dtype=dtype),
            peak_step=torch.zeros(runs, dtype=torch.int64),
            diverged_at=torch.full((runs,), -1, dtype=torch.int64),
        )
        self.kept: dict[int, Tensors] = {0: dict(built.parameters)}
        self.without_gradient: set[str] = set()
        self._trained = list(built.trained)
        self._masks = {name: ~built.frozen[name] for name in self._trained if name in built.frozen}
        self._decays = bool(built.hyper["weight_decay"].any())
        self._copied: set[str] = set()
        self._rehearsed: dict[int, list[float]] = {}
        self._chunk = 10
        self._feed = Feed(built)
        self._compiled: Any = None
        self._captured: Captured | None = None

    # What Lightning asks for.

    def train_dataloader(self) -> DataLoader:
        """The work as pairs (first step, last step + 1), cut at checkpoints."""
        return DataLoader(_Chunks(self), batch_size=None)

    def configure_optimizers(self) -> None:
        """None: the update rules are pure functions of ours."""

    def on_fit_start(self) -> None:
        """Moves the stack to the device that Lightning chose."""
        p = self.progress
        p.parameters = _moved(p.parameters, self.device)
        p.state = {name: _moved(value, self.device) for name, value in p.state.items()}
        p.trace, p.peak = p.trace.to(self.device), p.peak.to(self.device)
        p.peak_step, p.diverged_at = p.peak_step.to(self.device), p.diverged_at.to(self.device)
        self._feed.to(self.device)
        self.built.buffers = _moved(self.built.buffers, self.device)
        self.built.hyper = _moved(self.built.hyper, self.device)
        self._masks = _moved(self._masks, self.device)
        self.built.which = self.built.which.to(self.device)
        for name in ("x", "y"):
            value = getattr(self.built, name)
            setattr(self.built, name, value if value is None else value.to(self.device))

    def training_step(self, chunk: tuple[int, int], index: int) -> None:
        """Some update steps of every run."""
        first, last = chunk
        begun = time.monotonic()
        with torch.no_grad():  # the gradients are in the step itself
            self._record(first, self._losses(first, last))
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        if index == 0 and self.without_gradient:
            rank_zero_warn(
                f"model {self.built.stack['model']}: {', '.join(sorted(self.without_gradient))}: no gradient in any of "
                f"{len(self.built.stack)} runs, stays as it is; forward does not use it, or cuts its gradient off"
            )
        pace = (time.monotonic() - begun) / (last - first)
        self._chunk = int(min(max(CHUNK_SECONDS / pace, 1), 10 * self._chunk))

    # The numerics.

    def _one(
        self,
        parameters: Tensors,
        buffers: Tensors,
        state: State,
        hyper: Mapping[str, Tensor],
        batch: tuple[Tensor, Tensor],
        draws: Tensor | None,
        step: Tensor,
    ) -> tuple[Tensors, State, Tensor]:
        """One update of one network; ``hyper`` says ``trained/<name>`` of what only some runs train."""
        gradients, loss = self._gradient(parameters, buffers, hyper, batch)
        known: dict[str, Any] = {**self.words, **hyper, "step": step}
        if draws is not None:
            known["draws"] = draws
        stepped, state = self.built.rule.update(gradients, state, {n: parameters[n] for n in gradients}, known)
        for name in self._masks:
            stepped[name] = torch.where(hyper[f"trained/{name}"], stepped[name], parameters[name])
        if len(stepped) < len(parameters):  # the frozen ones
            stepped = {**parameters, **stepped}
        return stepped, state, loss

    def _gradient(
        self,
        parameters: Tensors,
        buffers: Tensors,
        hyper: Mapping[str, Tensor],
        batch: tuple[Tensor, Tensor],
    ) -> tuple[Tensors, Tensor]:
        """The gradients of one network as its rule takes them, and its loss."""
        masks = {name: hyper[f"trained/{name}"] for name in self._masks}
        trained = {name: parameters[name] for name in self._trained}
        frozen = {name: value for name, value in parameters.items() if name not in trained}

        def objective(weights: Tensors, x: Tensor, y: Tensor) -> Tensor:
            x, y = x.clone() if "x" in self._copied else x, y.clone() if "y" in self._copied else y
            inputs = self._lowered(({**weights, **frozen}, buffers, x))
            outputs = functional_call(self.built.model, inputs[:2], inputs[2:])
            loss = self.built.loss(outputs.to(self.progress.peak.dtype), y)
            if self._decays:
                weights = {n: torch.where(masks[n], w, 0) if n in masks else w for n, w in weights.items()}
                loss = loss + 0.5 * hyper["weight_decay"] * sum(value.square().sum() for value in weights.values())
            return loss

        gradient = grad_and_value(objective)
        if self.built.rule.per_worker:
            gradients, losses = vmap(gradient, in_dims=(None, 0, 0))(trained, *batch)
            loss = losses.mean()
        else:
            gradients, loss = gradient(trained, *batch)
        for name, mask in masks.items():
            gradients[name] = torch.where(mask, gradients[name], 0)
        return gradients, loss

    def _lowered(self, tensors: Any) -> Any:  # noqa: ANN401
        """In the precision that the network computes in; weights, loss and update keep theirs."""
        if self.built.stack["precision"] != "bf16":
            return tensors
        return tree_map(lambda value: value.bfloat16() if value.is_floating_point() else value, tensors)

    def _losses(self, first: int, last: int) -> Tensor:
        """Steps ``first`` to ``last`` - 1 of every run; the losses before each, ``(step, run)``."""
        losses, step = [], first
        while step < last:
            losses.append(self._advance(self._feed.at(step, last)))
            step += len(losses[-1])
        if self._rehearsed and first < STEPS:
            with of_steps(self.built.stack):
                refuse_other_losses(self.built, self._rehearsed, first, torch.cat(losses))
        self.progress.step = last
        if last in self.due:  # on the processor, where there is more memory
            self.kept[last] = _moved(self.progress.parameters, torch.device("cpu"))
        return torch.cat(losses)

    def _advance(self, given: Given) -> Tensor:
        """As many steps of every run as are given; the losses before each, ``(step, run)``."""
        p = self.progress
        if self._compiled is None:
            self._prepare(given)
        if self._captured is not None:
            return self._captured.advance(given)
        losses = []
        for number in range(len(given.now)):
            (p.parameters, p.state), loss = self._step((p.parameters, p.state), given.each(itemgetter(number)))
            losses.append(loss)
        return torch.stack(losses)

    def _step(self, carried: tuple[Tensors, State], given: Given) -> tuple[tuple[Tensors, State], Tensor]:
        return self._compiled(*carried, self.built.buffers, self._hyper, self._data, *given)

    def _prepare(self, given: Given) -> None:
        """Traces the step, makes it quick, and records it where it runs on a GPU.

        Raises:
            UntrainableError: the step cannot be taken of a stack, or it would be another one than that of a plain loop.
        """
        p, built = self.progress, self.built
        self._hyper = {**built.hyper, **{f"trained/{name}": mask for name, mask in self._masks.items()}}
        beginning = self._feed.beginning(STEPS)  # also where the training has gone on from there
        with of_steps(built.stack):
            self._rehearse(beginning)
        self._data, shared = self._examples()
        per_run = (0, 0, 0, 0, None if shared else 0, None if given.draws is None else 0, None)
        mapped = vmap(self._one, in_dims=per_run)

        def stacked(p: Any, s: Any, b: Any, h: Any, data: Any, rows: Any, draws: Any, now: Any) -> Any:  # noqa: ANN401
            batch = tuple(_taken(value, rows[0]) for value in data) if len(rows) == 1 else rows or data
            stepped, state, loss = mapped(p, b, s, h, tuple(by_worker(built, value) for value in batch), draws, now)
            return (stepped, state), loss

        inputs = (p.parameters, p.state, built.buffers, self._hyper, self._data, *given.each(itemgetter(0)))
        with of_steps(built.stack):
            traced = lean(make_fx(stacked)(*inputs))
        self._compiled = self._quickened(traced, inputs)
        if self.device.type == "cuda":
            self._captured = self._recorded(given)

    def _rehearse(self, beginning: list[Given]) -> None:
        """The first steps of two runs in a plain loop."""
        rehearsal = Rehearsal(self.built, beginning, self.words)
        self._copied = rehearsal.copied
        self.without_gradient = rehearsal.compare(self._first_gradients)
        self._rehearsed = rehearsal.losses

    def _first_gradients(self, rows: list[int], batch: tuple[Tensor, Tensor]) -> Tensors:
        """The gradients of some runs at the start, ``(row, ...)``, without decay."""
        start = _moved(self.kept[0], self.progress.peak.device)
        parameters, buffers, hyper = (
            {name: value[rows] for name, value in group.items()} for group in (start, self.built.buffers, self._hyper)
        )
        hyper["weight_decay"] = torch.zeros_like(hyper["weight_decay"])
        return vmap(self._gradient)(parameters, buffers, hyper, batch)[0]

    def _recorded(self, given: Given) -> Captured | None:
        """The step as CUDA graphs, which from now on write into the stack's own tensors; None if that is impossible."""
        p = self.progress
        try:
            return Captured(self._step, (p.parameters, p.state), given)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            rank_zero_warn(f"the step could not be recorded and runs slower: {' '.join(str(error).split())}")
            return None

    def _examples(self) -> tuple[tuple[Tensor, ...], bool]:
        """The data that the steps choose from, or all use, and whether all runs share it as one batch."""
        built = self.built
        if built.online is not None:
            return (), False
        if int(built.stack["batch"]) > 0:
            return (built.x, built.y), False
        if len(built.x) == 1 and not self._copied:
            return (built.x[0], built.y[0]), True
        return (built.x[built.which], built.y[built.which]), False

    def _record(self, first: int, losses: Tensor) -> None:
        """Keeps what is kept of the losses ``(step, run)`` of a chunk that begins at step ``first``."""
        p, skipped = self.progress, -first % self.every
        traced = losses[skipped :: self.every]
        begin = (first + skipped) // self.every
        p.trace[begin : begin + len(traced)] = traced
        top, place = torch.where(losses.isnan(), -torch.inf, losses).max(0)
        higher = top > p.peak
        p.peak = torch.where(higher, top, p.peak)
        p.peak_step = torch.where(higher, first + place, p.peak_step)
        broken = ~losses.isfinite()
        now = (p.diverged_at < 0) & broken.any(0)
        p.diverged_at = torch.where(now, first + broken.int().argmax(0), p.diverged_at)

    def _quickened(self, traced: Any, inputs: tuple[Any, ...]) -> Any:  # noqa: ANN401
        """The traced step, compiled where that is worth it and the machine has a compiler."""
        if self.steps * seconds(traced, GPU if self.device.type == "cuda" else CORE) < COMPILE_FROM:
            return traced
        compiled = torch.compile(fusible(traced), dynamic=False)
        try:
            compiled(*inputs)
        except Exception as error:
            rank_zero_warn(f"the step could not be compiled and runs slower: {type(error).__name__}")
            return traced
        return compiled


class _Chunks(IterableDataset):
    """Steps from where the training stands to its end, in chunks of as many as take ``CHUNK_SECONDS``."""

    def __init__(self, module: StackedEnsemble) -> None:
        self.module = module

    def __iter__(self) -> Iterator[tuple[int, int]]:
        step = self.module.progress.step
        while step < self.module.steps:
            checkpoint = next(due for due in self.module.due if due > step)
            last = min(step + self.module._chunk, checkpoint)
            yield step, last
            step = last


def _taken(data: Tensor, rows: Tensor) -> Tensor:
    """``(run, batch, ...)`` rows of data ``(set, n, ...)`` counted through all sets: four times as fast as indexing."""
    return data.flatten(0, 1).index_select(0, rows.flatten()).unflatten(0, rows.shape)


def _moved(tensors: Mapping[str, Tensor], device: torch.device) -> Tensors:
    return {name: value.to(device) for name, value in tensors.items()}
