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
from dlatlas.errors import InputError
from dlatlas.identity.streams import stream, torch_seed
from dlatlas.optimizers.rule import UpdateRule
from dlatlas.training.stack import Stack


@dataclass
class Built:
    """A stack ready to be trained: every tensor has a leading run axis.

    Attributes:
        stack: the runs.
        model: one network without weights of its own, for ``torch.func.functional_call``.
        parameters, buffers: name -> ``(run, ...)``.
        data: the distinct data sets of the stack, tensors ``(set, n, ...)``, or the source of fresh batches.
        which: ``(run,)`` the data set of each run.
        hyper: every numeric hyper-parameter, ``(run,)``.
        words: the others, shared by the stack.
    """

    stack: Stack
    model: nn.Module
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]
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
    """
    dtype = torch.float64 if stack["precision"] == "float64" else torch.float32
    maker = registry.load(stack.things["model"])
    names = _arguments(maker, stack)
    networks = []
    with torch.random.fork_rng(devices=[]):
        for position, run in enumerate(stack.runs):
            torch.manual_seed(torch_seed(stack.key(position, ("model", *names)), "init"))
            networks.append(maker(**{name: run[name] for name in names}))
    parameters = _stacked([dict(network.named_parameters()) for network in networks], dtype)
    buffers = _stacked([dict(network.named_buffers()) for network in networks], dtype)
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
        model=networks[0].to(dtype).to("meta"),
        parameters=parameters,
        buffers=buffers,
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
        for name, value in study.setup(built).items():
            if name not in built.hyper:
                raise InputError(f"setup sets {name!r}, which is no numeric hyper-parameter of this study")
            built.hyper[name] = torch.as_tensor(value).to(built.hyper[name])
    return built


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
