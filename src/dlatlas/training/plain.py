"""One run of a stack in a plain loop, as PyTorch would train it, watched while it does.

A step of a stack is traced once, so that a forward pass which is no function of parameters, buffers and inputs would be
frozen as it was then. Here it is called on a network that is thrown away, and looked at: what it changes, what it draws
from, and whether it repeats itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlatlas.errors import UntrainableError
from dlatlas.identity import chance
from dlatlas.optimizers.rule import State, Tensors
from dlatlas.training.build import Built
from dlatlas.training.network import called

REPEATED = 1e-2
"""How far two losses may differ where sums are of no order, of themselves: on a GPU."""


@dataclass(frozen=True)
class Batch:
    """What one run is given at one step: examples, draws for its rule or None, and the step's number."""

    x: Tensor
    y: Tensor
    draws: Tensor | None
    now: Tensor


@dataclass(frozen=True)
class PlainRun:
    """What a plain loop made of one run.

    Attributes:
        losses: before each step.
        gradients: of the loss at the first step, without decay.
        without: parameters whose gradient was exactly zero at all steps and that the rule then leaves alone.
        copied: which of ``x`` and ``y`` the network or the loss changes in place.
    """

    losses: list[float]
    gradients: Tensors
    without: set[str]
    copied: set[str]


def plain_run(built: Built, row: int, batches: list[Batch], words: Mapping[str, Any]) -> PlainRun:
    """Some steps of one run as a plain loop takes them, after its network has been looked at.

    Args:
        built: the stack.
        row: the run; ``built.samples`` must have its network.
        batches: what its first steps are given.
        words: what the update rule knows beside numbers.

    Raises:
        UntrainableError: the forward pass is no function of parameters, buffers and inputs, or changes them.
    """
    with chance.set_aside(), torch.enable_grad():
        return _Loop(built, row, words).run(batches)


class _Loop:
    def __init__(self, built: Built, row: int, words: Mapping[str, Any]) -> None:
        self.built, self.words = built, words
        self.network = built.samples[row].to(built.which.device)
        self.hyper = {name: value[row] for name, value in built.hyper.items()}
        self.parameters = {name: value for name, value in self.network.named_parameters() if value.requires_grad}
        self.copied: set[str] = set()
        self.called = False

    def run(self, batches: list[Batch]) -> PlainRun:
        """The steps, after two looks at the first."""
        self._refuse_unrepeatable(*self._parts(batches[0])[0])
        state = self.built.rule.init({name: value.detach().clone() for name, value in self.parameters.items()})
        losses: list[float] = []
        first: Tensors = {}
        without = set(self.parameters)
        for batch in batches:
            gradients, loss = self._gradients(batch)
            losses.append(loss)
            first = first or gradients
            without -= {name for name, value in gradients.items() if value.any()}
            with torch.no_grad():
                if without:
                    moved = self._update(gradients, state, batch)[0]
                    without -= {name for name in without if not torch.equal(moved[name], self.parameters[name])}
                decay = self.hyper["weight_decay"]
                total = {n: g + decay * self.parameters[n] if decay else g for n, g in gradients.items()}
                stepped, state = self._update(total, state, batch)
                for name, value in self.parameters.items():
                    value.copy_(stepped[name])
        return PlainRun(losses, first, without, self.copied)

    def _parts(self, batch: Batch) -> list[tuple[Tensor, Tensor]]:
        """The examples of each worker, or all."""
        return list(zip(batch.x, batch.y)) if self.built.rule.per_worker else [(batch.x, batch.y)]

    def _gradients(self, batch: Batch) -> tuple[Tensors, float]:
        """Of the loss: gradients as the rule takes them, and the loss with decay."""
        names, found, losses = list(self.parameters), [], []
        for x, y in self._parts(batch):
            loss = self._loss(x, y)
            values = [None] * len(names)
            if loss.requires_grad:
                values = torch.autograd.grad(loss, list(self.parameters.values()), allow_unused=True)
            values = (torch.zeros_like(p) if v is None else v for p, v in zip(self.parameters.values(), values))
            found.append(dict(zip(names, values)))
            losses.append(float(loss.detach()))
        gradients = {name: torch.stack([each[name] for each in found]) for name in names}
        gradients = gradients if self.built.rule.per_worker else {name: value[0] for name, value in gradients.items()}
        penalty = sum(float(value.detach().square().sum()) for value in self.parameters.values())
        return gradients, sum(losses) / len(losses) + 0.5 * float(self.hyper["weight_decay"]) * penalty

    def _update(self, gradients: Tensors, state: State, batch: Batch) -> tuple[Tensors, State]:
        known: dict[str, Any] = {**self.words, **self.hyper, "step": batch.now}
        if batch.draws is not None:
            known["draws"] = batch.draws
        weights, standing = {name: value.detach() for name, value in self.parameters.items()}, chance.standing()
        updated = self.built.rule.update(gradients, state, weights, known)
        if generator := chance.drawn_from(standing):
            raise UntrainableError(f"its update rule draws from {generator}; allowed: the numbers of UpdateRule.draws")
        return updated

    def _loss(self, x: Tensor, y: Tensor) -> Tensor:
        """The loss of some examples, while all is watched that it must not change."""
        given, held, standing = {"x": x.clone(), "y": y.clone()}, self._numbers(), chance.standing()
        attributes = self._attributes() if self.called else {}  # the first call may note what it is given
        self.called = True
        loss = self.built.loss(self.network(given["x"]).to(self.built.dtype), given["y"])
        if generator := chance.drawn_from(standing):
            part = self._part_that_draws(x)
            raise UntrainableError(
                f"{part} draws from {generator} in forward, which would be one constant for all runs and steps; "
                "allowed: a forward pass without chance"
            )
        for name, value in self._numbers().items():
            if not _equal(value, held[name]):
                where, _, own = name.rpartition(".")
                kind = "parameter" if name in dict(self.network.named_parameters()) else "buffer"
                raise UntrainableError(
                    f"{called(where, self.network.get_submodule(where))} changes its {kind} {own} in forward, which a "
                    "stack does not keep; allowed: a forward pass that changes nothing, such as that of LayerNorm, "
                    "or of BatchNorm with track_running_stats=False"
                )
        self._refuse_changed(attributes)
        self.copied |= {name for name, value in given.items() if not _equal(value, {"x": x, "y": y}[name])}
        return loss

    def _numbers(self) -> Tensors:
        named = {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}
        return {name: value.detach().clone() for name, value in named.items()}

    def _refuse_unrepeatable(self, x: Tensor, y: Tensor) -> None:
        once, twice = self._loss(x, y).detach(), self._loss(x, y).detach()
        share = 0.0 if once.device.type == "cpu" else REPEATED
        if not torch.allclose(once, twice, rtol=share, atol=0.0, equal_nan=True):
            raise UntrainableError(
                f"called twice on the same examples it gives the losses {float(once):.6g} and {float(twice):.6g}: "
                "it reads something that changes from call to call (a counter, a clock, a generator of its own), "
                "which a traced step holds constant"
            )

    def _attributes(self) -> dict[tuple[str, str], str]:
        """The plain values that the network's parts hold, as text."""
        return {
            (name, own): repr(value.tolist() if isinstance(value, np.ndarray) else value)
            for name, module in self.network.named_modules()
            for own, value in vars(module).items()
            if _is_plain(value)
        }

    def _refuse_changed(self, before: Mapping[tuple[str, str], str]) -> None:
        now = self._attributes() if before else {}
        for (name, own), value in before.items():
            if now.get((name, own), value) != value:
                raise UntrainableError(
                    f"{called(name, self.network.get_submodule(name))} changes its attribute {own} in forward, from "
                    f"{value:.40} to {now[name, own]:.40}, which a traced step holds constant"
                )

    def _part_that_draws(self, x: Tensor) -> str:
        """The innermost part of the network in whose forward a global generator moves, in words."""
        entered: dict[str, dict[str, Any]] = {}
        found: list[str] = []

        def leave(name: str, module: nn.Module) -> None:
            if not found and chance.drawn_from(entered[name]):
                found.append(called(name, module))

        hooks = []
        for name, module in self.network.named_modules():
            hooks.append(module.register_forward_pre_hook(lambda *_, n=name: entered.update({n: chance.standing()})))
            hooks.append(module.register_forward_hook(lambda m, *_, n=name: leave(n, m)))
        self.network(x.clone())
        for hook in hooks:
            hook.remove()
        return found[0] if found else "its loss"


def _equal(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one, other) or torch.allclose(one, other, rtol=0.0, atol=0.0, equal_nan=True)


def _is_plain(value: object) -> bool:
    """Whether a value is numbers and words, or a container of them."""
    if isinstance(value, list | tuple | set | frozenset | dict):
        inner = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        return all(map(_is_plain, inner))
    return value is None or isinstance(value, int | float | complex | str | np.ndarray | np.generic)
