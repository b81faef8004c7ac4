"""Many networks as one: a stack trained by ``vmap(grad)`` inside a LightningModule.

The step of one network is an ordinary function of its parameters, data and hyper-parameters; it is mapped over the
runs and traced once into a flat graph of tensor operations, so that a step costs no Python per network.
"""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_warn
from torch import Tensor
from torch.func import functional_call, grad_and_value, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.data import DataLoader, IterableDataset

from dlatlas.errors import InputError
from dlatlas.optimizers.rule import State, Tensors
from dlatlas.streams import Streams
from dlatlas.training.build import Built
from dlatlas.training.graph import lean, seconds
from dlatlas.training.steps import checkpoint_steps

CHUNK_SECONDS = 0.2
"""About how long one call of ``training_step`` is: Lightning's own overhead is a few tenths of a millisecond a call."""

COMPILE_FROM = 120.0
"""Seconds of a stack's training, estimated from its shapes, from which compiling the step repays the 5 to 25 s that it
takes. The estimate is over all steps, so a resumed stack is computed as it was begun."""

BLOCK = 16
"""Steps whose random draws come from one block of a stream, so that a resumed run finds its place."""


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
    never). Losses are those before the update of their step.
    """

    def __init__(self, built: Built) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.built = built
        self.words: dict[str, Any] = {**built.stack.shared, **built.words}
        self.steps, self.every = int(built.stack["steps"]), int(built.stack["trace_every"])
        self.workers, self.batch = int(built.stack["workers"]), int(built.stack["batch"])
        self.due = checkpoint_steps(self.steps, int(built.stack["checkpoints"]))
        runs = len(built.stack)
        dtype = next(iter(built.parameters.values())).dtype
        self.progress = Progress(
            step=0,
            parameters=dict(built.parameters),
            state={name: dict(value) for name, value in built.rule.init(built.parameters).items()},
            trace=torch.full((len(range(0, self.steps, self.every)), runs), torch.nan, dtype=dtype),
            peak=torch.full((runs,), -torch.inf, dtype=dtype),
            peak_step=torch.zeros(runs, dtype=torch.int64),
            diverged_at=torch.full((runs,), -1, dtype=torch.int64),
        )
        self.kept: dict[int, Tensors] = {0: dict(built.parameters)}
        keys = [built.stack.key(run) for run in range(runs)]
        self._order_streams, self._noise_streams = Streams(keys, "order"), Streams(keys, "noise")
        self._chunk = 10
        self._check_batch()
        self._compiled: Any = None
        self._epoch: tuple[int, Tensor] = (-1, torch.empty(0))
        self._next_epoch: tuple[int, Future[np.ndarray]] | None = None
        self._drawer = ThreadPoolExecutor(1)
        self._first_rows = built.which.numpy()[:, None] * (0 if built.x is None else built.x.shape[1])

    def _check_batch(self) -> None:
        built = self.built
        if built.online is None and built.x is None:
            raise InputError(f"data set {built.stack['data']!r}: it has neither examples nor a source of them")
        needed = self.batch * self.workers
        if built.online is not None and self.batch < 1:
            raise InputError(f"batch: data set {built.stack['data']!r} has no end; expected a positive batch, found 0")
        if built.x is not None and needed > built.x.shape[1]:
            raise InputError(
                f"batch: {self.workers} workers of {self.batch} examples need {needed}, "
                f"found {built.x.shape[1]} training examples"
            )
        if self.workers > 1 and self.batch < 1:
            raise InputError(f"batch: {self.workers} workers need a positive batch, found 0")

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
        self.built.buffers = _moved(self.built.buffers, self.device)
        self.built.hyper = _moved(self.built.hyper, self.device)
        self.built.which = self.built.which.to(self.device)
        for name in ("x", "y"):
            value = getattr(self.built, name)
            setattr(self.built, name, value if value is None else value.to(self.device))

    def on_fit_end(self) -> None:
        """Lets the thread that draws the data's order go."""
        self._drawer.shutdown(wait=False)

    def training_step(self, chunk: tuple[int, int], index: int) -> None:
        """Some update steps of every run."""
        first, last = chunk
        begun = time.monotonic()
        with torch.no_grad():  # the gradients are in the step itself
            self._record(first, torch.stack([self._advance(step) for step in range(first, last)]))
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
        """One update of one network."""

        def objective(weights: Tensors, x: Tensor, y: Tensor) -> Tensor:
            loss = self.built.loss(functional_call(self.built.model, (weights, buffers), (x,)), y)
            if self._decays:
                loss = loss + 0.5 * hyper["weight_decay"] * sum(value.square().sum() for value in weights.values())
            return loss

        gradient = grad_and_value(objective)
        if self.built.rule.per_worker:
            gradients, losses = vmap(gradient, in_dims=(None, 0, 0))(parameters, *batch)
            loss = losses.mean()
        else:
            gradients, loss = gradient(parameters, *batch)
        known: dict[str, Any] = {**self.words, **hyper, "step": step}
        if draws is not None:
            known["draws"] = draws
        stepped, state = self.built.rule.update(gradients, state, parameters, known)
        return stepped, state, loss

    @property
    def _decays(self) -> bool:
        return any(run["weight_decay"] for run in self.built.stack.runs)

    def _advance(self, step: int) -> Tensor:
        """One update step of every run; the losses before it, ``(run,)``."""
        p, built = self.progress, self.built
        batch, shared = self._batch(step)
        draws = self._draws(step)
        now = torch.tensor(step + 1.0, dtype=p.peak.dtype, device=self.device)
        inputs = (p.parameters, built.buffers, p.state, built.hyper, batch, draws, now)
        if self._compiled is None:
            axes = (0, 0, 0, 0, None if shared else 0, None if draws is None else 0, None)
            mapped = vmap(self._one, in_dims=axes)

            def stacked(p: Any, b: Any, s: Any, h: Any, xy: Any, d: Any, t: Any) -> Any:  # noqa: ANN401
                return mapped(p, b, s, h, xy, d, t)

            self._compiled = self._quickened(lean(make_fx(stacked)(*inputs)), inputs)
        p.parameters, p.state, loss = self._compiled(*inputs)
        p.step = step + 1
        if p.step in self.due:
            self.kept[p.step] = dict(p.parameters)
        return loss

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
        if self.steps * seconds(traced) < COMPILE_FROM:
            return traced
        compiled = torch.compile(traced, dynamic=False)
        try:
            compiled(*inputs)
        except Exception as error:
            rank_zero_warn(f"the step could not be compiled and runs slower: {type(error).__name__}")
            return traced
        return compiled

    def _batch(self, step: int) -> tuple[tuple[Tensor, Tensor], bool]:
        """The batch of every run, and whether all runs share it."""
        built = self.built
        if built.online is not None:
            return self._fresh(step), False
        assert built.x is not None  # noqa: S101
        assert built.y is not None  # noqa: S101
        if self.batch == 0:
            if len(built.x) == 1:
                return (built.x[0], built.y[0]), True
            return self._whole(), False
        rows = self._rows(step)
        return (self._by_worker(_taken(built.x, rows)), self._by_worker(_taken(built.y, rows))), False

    def _whole(self) -> tuple[Tensor, Tensor]:
        if not hasattr(self, "_gathered"):
            self._gathered = (self.built.x[self.built.which], self.built.y[self.built.which])
        return self._gathered

    def _by_worker(self, value: Tensor) -> Tensor:
        if not self.built.rule.per_worker:
            return value
        return value.reshape(len(value), self.workers, self.batch, *value.shape[2:])

    def _rows(self, step: int) -> Tensor:
        """``(run, workers * batch)`` examples, counted through all data sets; a new permutation each epoch."""
        per_epoch = self.built.x.shape[1] // (self.batch * self.workers)
        epoch, slot = divmod(step, per_epoch)
        if self._epoch[0] != epoch:
            if self._next_epoch is None or self._next_epoch[0] != epoch:
                order = self._order(epoch)
            else:
                order = self._next_epoch[1].result()
            self._epoch = (epoch, torch.from_numpy(order).to(self.device))
            if (epoch + 1) * per_epoch < self.steps:  # drawn in the background while this epoch is trained
                self._next_epoch = (epoch + 1, self._drawer.submit(self._order, epoch + 1))
        return self._epoch[1][slot]

    def _order(self, epoch: int) -> np.ndarray:
        """``(slot, run, workers * batch)``: each run's examples from its own stream."""
        examples, needed = self.built.x.shape[1], self.batch * self.workers
        per_epoch = examples // needed
        drawn = np.stack([generator.permutation(examples) for generator in self._order_streams.at(epoch)])
        drawn += self._first_rows
        by_slot = drawn[:, : per_epoch * needed].reshape(len(drawn), per_epoch, needed)
        return np.ascontiguousarray(by_slot.swapaxes(0, 1))

    def _fresh(self, step: int) -> tuple[Tensor, Tensor]:
        """Examples drawn anew; a block of steps at a time."""
        block, slot = divmod(step, BLOCK)
        needed = self.batch * self.workers
        if getattr(self, "_block", (None,))[0] != block:
            drawn = [
                self.built.online[int(which)].draw(generator, BLOCK * needed)
                for generator, which in zip(self._order_streams.at(block), self.built.which)
            ]
            dtype = self.progress.peak.dtype
            stacked = []
            for part in zip(*drawn):
                tensor = torch.from_numpy(np.stack(part)).to(self.device)
                stacked.append(tensor.to(dtype) if tensor.is_floating_point() else tensor)
            self._block = (block, stacked)
        x, y = (value[:, slot * needed : (slot + 1) * needed] for value in self._block[1])
        return self._by_worker(x), self._by_worker(y)

    def _draws(self, step: int) -> Tensor | None:
        rule = self.built.rule
        if rule.draws is None:
            return None
        block, slot = divmod(step, BLOCK)
        if getattr(self, "_noise", (None,))[0] != block:
            size = sum(value[0].numel() for value in self.progress.parameters.values())
            shape = (BLOCK, *rule.draws(self.words, size))
            drawn = np.stack([each.random(shape, dtype=np.float32) for each in self._noise_streams.at(block)])
            self._noise = (block, torch.from_numpy(drawn).to(self.device, self.progress.peak.dtype))
        return self._noise[1][:, slot]


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
