"""What changes from step to step: examples or which ones, noise, the step's number."""

from collections.abc import Callable
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dlatlas.errors import InputError
from dlatlas.identity import chance
from dlatlas.identity.streams import Streams
from dlatlas.training.build import Built
from dlatlas.training.order import epoch_order, order_keys

BLOCK = 16
"""Steps whose random draws come from one block of a stream, so that a resumed run finds its place."""


class Given(NamedTuple):
    """What some steps are given, every tensor ``(step, ...)``; of one step, without that axis.

    Attributes:
        batch: nothing (all examples), ``(rows,)`` counted through all data sets, or fresh ``(x, y)``, each
            ``(step, run, workers * batch, ...)``.
        draws: uniform numbers ``(step, run, ...)`` for the update rules that need them.
        now: the step's number, 1 at the first.
    """

    batch: tuple[Tensor, ...]
    draws: Tensor | None
    now: Tensor

    def each(self, function: Callable[[Tensor], Tensor]) -> "Given":
        """A function of every tensor."""
        draws = None if self.draws is None else function(self.draws)
        return Given(tuple(map(function, self.batch)), draws, function(self.now))

    def tensors(self) -> list[Tensor]:
        """All of them, in one order."""
        return [*self.batch, *(() if self.draws is None else (self.draws,)), self.now]


def by_worker(built: Built, examples: Tensor) -> Tensor:
    """Examples ``(run, workers * batch, ...)`` as ``(run, workers, batch, ...)`` for rules that want them so."""
    if not built.rule.per_worker:
        return examples
    workers, batch = int(built.stack["workers"]), int(built.stack["batch"])
    return examples.reshape(len(examples), workers, batch, *examples.shape[2:])


class Feed:
    """The feed of a stack.

    Args:
        built: the stack.

    Raises:
        InputError: the batch does not fit the data.
    """

    def __init__(self, built: Built) -> None:
        self.built, self.steps = built, int(built.stack["steps"])
        self.batch, self.workers = int(built.stack["batch"]), int(built.stack["workers"])
        self.needed = self.batch * self.workers
        self._check()
        self.dtype = built.dtype
        self._size = sum(value[0].numel() for value in built.trained.values())
        keys = [built.stack.key(run) for run in range(len(built.stack))]
        self._orders, self._now = order_keys(keys), torch.arange(1, self.steps + 1).to(self.dtype)
        self._first_rows = built.which[:, None] * (0 if built.x is None else built.x.shape[1])
        self._fresh_streams = Streams(keys, "order") if built.online else None
        self._noise_streams = Streams(keys, "noise") if built.rule.draws else None
        self._epoch: tuple[int, Tensor] = (-1, torch.empty(0))
        self._fresh: tuple[int, tuple[Tensor, ...]] = (-1, ())
        self._noise: tuple[int, Tensor] = (-1, torch.empty(0))

    def _check(self) -> None:
        built = self.built
        if built.online is None and built.x is None:
            raise InputError(f"data set {built.stack['data']!r}: it has neither examples nor a source of them")
        if built.online is not None and self.batch < 1:
            raise InputError(f"batch: data set {built.stack['data']!r} has no end; expected a positive batch, found 0")
        if built.x is not None and self.needed > built.x.shape[1]:
            raise InputError(
                f"batch: {self.workers} workers of {self.batch} examples need {self.needed}, "
                f"found {built.x.shape[1]} training examples"
            )
        if self.workers > 1 and self.batch < 1:
            raise InputError(f"batch: {self.workers} workers need a positive batch, found 0")

    def to(self, device: torch.device) -> None:
        """Draws from now on for a device."""
        self._orders, self._now = self._orders.to(device), self._now.to(device)
        self._first_rows = self._first_rows.to(device)

    def at(self, step: int, last: int) -> Given:
        """The steps from ``step`` on, up to ``last`` or as far as is drawn."""
        batch: tuple[Tensor, ...] = ()
        if self.built.online is not None:
            batch = self._examples(step)
        elif self.batch:
            batch = (self._rows(step),)
        known = Given(batch, self._draws(step), self._now[step:last])
        number = min(map(len, known.tensors()))
        return known.each(lambda value: value[:number])

    def beginning(self, number: int) -> list[Given]:
        """The first steps, one by one."""
        given: list[Given] = []
        while len(given) < min(number, self.steps):
            some = self.at(len(given), min(number, self.steps))
            given += [some.each(itemgetter(place)) for place in range(len(some.now))]
        return given

    def _rows(self, step: int) -> Tensor:
        """The rest of the epoch, ``(step, run, workers * batch)``; a new permutation each epoch."""
        per_epoch = self.built.x.shape[1] // self.needed
        epoch, slot = divmod(step, per_epoch)
        if self._epoch[0] != epoch:
            # Not by a thread of its own: its OpenMP workers would spin beside those of the step, which costs a third.
            self._epoch = (epoch, self._order(epoch))
        return self._epoch[1][slot:]

    def _order(self, epoch: int) -> Tensor:
        """An epoch, ``(slot, run, workers * batch)``."""
        examples = self.built.x.shape[1]
        drawn = epoch_order(self._orders, epoch, examples).add_(self._first_rows)
        per_epoch = examples // self.needed
        return drawn[:, : per_epoch * self.needed].unflatten(1, (per_epoch, self.needed)).transpose(0, 1).contiguous()

    def _examples(self, step: int) -> tuple[Tensor, ...]:
        """The rest of a block of fresh examples, ``(step, run, workers * batch, ...)``.

        Raises:
            InputError: they come from a global generator, which is another one at each start.
        """
        block, slot = divmod(step, BLOCK)
        if self._fresh[0] != block:
            standing = chance.standing()
            drawn = [
                self.built.online[int(which)].draw(generator, BLOCK * self.needed)
                for generator, which in zip(self._fresh_streams.at(block), self.built.which.tolist())
            ]
            if generator := chance.drawn_from(standing):
                data = self.built.stack["data"]
                raise InputError(
                    f"data set {data!r}: it draws from {generator}; allowed: the generator that it is given"
                )
            self._fresh = (block, tuple(self._stepped(np.stack(part)) for part in zip(*drawn)))
        return tuple(value[slot:] for value in self._fresh[1])

    def _stepped(self, drawn: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(drawn).to(self._now.device)
        tensor = tensor.to(self.dtype) if tensor.is_floating_point() else tensor
        return tensor.unflatten(1, (BLOCK, self.needed)).transpose(0, 1)

    def _draws(self, step: int) -> Tensor | None:
        """The rest of a block of uniform numbers, ``(step, run, ...)``."""
        rule = self.built.rule
        if rule.draws is None:
            return None
        block, slot = divmod(step, BLOCK)
        if self._noise[0] != block:
            shape = (BLOCK, *rule.draws({**self.built.stack.shared, **self.built.words}, self._size))
            drawn = np.stack([each.random(shape, dtype=np.float32) for each in self._noise_streams.at(block)])
            self._noise = (block, torch.from_numpy(drawn).to(self._now.device, self.dtype).transpose(0, 1))
        return self._noise[1][slot:]
