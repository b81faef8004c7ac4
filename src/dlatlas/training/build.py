"""From the hyper-parameters of a stack to its networks, data and scalars."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlatlas.data.dataset import Dataset, Online
from dlatlas.declare import registry
from dlatlas.declare.study import Study
from dlatlas.errors import InputError, UntrainableError
from dlatlas.identity import chance
from dlatlas.identity.streams import stream, torch_seed
from dlatlas.optimizers.rule import Tensors, UpdateRule
from dlatlas.training import network
from dlatlas.training.refusal import of_building
from dlatlas.training.stack import Stack


@dataclass
class Built:
    """A stack ready to be trained: every tensor has a leading run axis.

    Attributes:
        stack: the runs.
        model: one network without weights of its own, for ``torch.func.functional_call``.
        parameters, buffers: name -> ``(run, ...)``.
        frozen: name -> ``(run,)``, true where the parameter stays as it is (``requires_grad_(False)``); only those
            that do so in some run.
        samples: the networks of the first and the last run, for a plain loop beside the stack.
        data: the distinct data sets of the stack, tensors ``(set, n, ...)``, or the source of fresh batches.
        which: ``(run,)`` the data set of each run.
        hyper: every numeric hyper-parameter, ``(run,)``.
        words: the others, shared by the stack.
    """

    stack: Stack
    model: nn.Module
    parameters: Tensors
    buffers: Tensors
    frozen: Tensors
    samples: dict[int, nn.Module]
    x: Tensor | None
    y: Tensor | None
    x_test: Tensor | None
    y_test: Tensor | None
    online: list[Online] | None
    which: Tensor
    hyper: dict[str, Tensor]
    words: dict[str, str]
    loss: Callable[[Tensor, Tensor], Tensor]
    rule: UpdateRule

    @property
    def dtype(self) -> torch.dtype:
        """The precision of weights, loss and update."""
        return precision(self.stack)

    @property
    def trained(self) -> Tensors:
        """The parameters that are trained in some run, ``(run, ...)``."""
        return {n: value for n, value in self.parameters.items() if n not in self.frozen or not self.frozen[n].all()}

    def of_runs(self, name: str) -> Tensor | None:
        """One of x, y, x_test, y_test: ``(n, ...)`` if all runs share one data set, else ``(run, n, ...)``."""
        value = getattr(self, name)
        if value is None:
            return None
        return value[0] if len(value) == 1 else value[self.which]


def build(stack: Stack) -> Built:
    """Networks drawn from each run's init stream, data from its data stream.

    The init stream is named by the model, its arguments and the seed, the data stream by the data set, its arguments
    and the seed: runs that differ in the step size alone start from one point on one data set.

    Raises:
        UntrainableError: the model makes nothing that can be trained, or another network each time.
    """
    dtype = precision(stack)
    with of_building(stack):
        networks, again = _networks(stack)
    parameters = _stacked([dict(each.named_parameters()) for each in networks], dtype)
    buffers = _stacked([dict(each.named_buffers()) for each in networks], dtype)
    frozen = {
        name: torch.tensor([not dict(each.named_parameters())[name].requires_grad for each in networks])
        for name in parameters
        if not all(dict(each.named_parameters())[name].requires_grad for each in networks)
    }
    samples = {len(networks) - 1: networks[-1], 0: again}
    hyper = {
        name: torch.tensor([run[name] for run in stack.runs], dtype=torch.float64).to(dtype)
        for name, value in stack.runs[0].items()
        if not isinstance(value, str)
    }
    words = {name: value for name, value in stack.runs[0].items() if isinstance(value, str)}
    sets, which = _data(stack)
    fresh = [item for item in sets if isinstance(item, Online)]
    finite = [item for item in sets if isinstance(item, Dataset)]
    return Built(
        stack=stack,
        model=network.emptied(network.as_type(networks[0], dtype)),
        parameters=parameters,
        buffers=buffers,
        frozen=frozen,
        samples={row: network.as_type(sample, dtype) for row, sample in sorted(samples.items())},
        x=_joined([item.x for item in finite], dtype),
        y=_joined([item.y for item in finite], dtype),
        x_test=_joined([item.x_test for item in sets], dtype),
        y_test=_joined([item.y_test for item in sets], dtype),
        online=fresh or None,
        which=torch.tensor(which),
        hyper=hyper,
        words=words,
        loss=registry.load(stack.things["loss"]),
        rule=registry.load(stack.things["optimizer"]),
    )


def prepare_stack(stack: Stack, study: Study) -> Built:
    """Builds a stack and applies the study's ``setup``, which may set hyper-parameters run by run."""
    built = build(stack)
    if study.setup is not None:
        before = chance.standing()
        values = study.setup(built)
        if generator := chance.drawn_from(before):
            raise InputError(f"{study.module}: setup draws from {generator}; allowed: built.stack.generator(run)")
        for name, value in values.items():
            if name not in built.hyper:
                raise InputError(f"setup sets {name!r}, which is no numeric hyper-parameter of this study")
            built.hyper[name] = torch.as_tensor(value).to(built.hyper[name])
    return built


def precision(stack: Stack) -> torch.dtype:
    """That of a stack's weights, loss and update."""
    return torch.float64 if stack["precision"] == "float64" else torch.float32


def _networks(stack: Stack) -> tuple[list[nn.Module], nn.Module]:
    """The network of each run, and the first one made again."""
    maker = registry.load(stack.things["model"])
    names = _arguments(maker, stack)

    def drawn(position: int) -> nn.Module:
        seed = torch_seed(stack.key(position, ("model", *names)), "init")
        return network.draw(maker, {name: stack.runs[position][name] for name in names}, seed)

    with chance.set_aside():
        networks, again = [drawn(position) for position in range(len(stack))], drawn(0)
    if not network.same(again, networks[0]):
        raise UntrainableError(
            "made twice from one seed it is two networks: its __init__ uses a generator or counter of its own; "
            "allowed: torch, np.random and random, which are seeded for each run"
        )
    return networks, again


def _arguments(function: Callable[..., Any], stack: Stack) -> list[str]:
    return sorted(set(inspect.signature(function).parameters) & set(stack.runs[0]))


def _stacked(values: list[dict[str, Tensor]], dtype: torch.dtype) -> dict[str, Tensor]:
    return {
        name: torch.stack([value[name].detach() for value in values]).to(
            dtype if values[0][name].is_floating_point() else values[0][name].dtype
        )
        for name in values[0]
    }


def _data(stack: Stack) -> tuple[list[Dataset | Online], list[int]]:
    maker = registry.load(stack.things["data"])
    names = _arguments(maker, stack)
    sets: dict[str, Dataset | Online] = {}
    which = []
    for position, run in enumerate(stack.runs):
        key = stack.key(position, ("data", *names))
        if key not in sets:
            arguments = {name: run[name] for name in names}
            with chance.set_aside():
                chance.seed(torch_seed(key, "data"))
                sets[key] = maker(folder=stack.folder, generator=stream(key, "data"), **arguments)
        which.append(list(sets).index(key))
    return list(sets.values()), which


def _joined(arrays: list[Any], dtype: torch.dtype) -> Tensor | None:
    if not arrays or arrays[0] is None:
        return None
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise InputError(f"one stack has data sets of several shapes {sorted(shapes)}: name the cause in Study.shape")
    tensor = torch.from_numpy(np.stack(arrays))
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
