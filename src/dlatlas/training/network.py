"""One network before it is stacked: drawn from its own stream, looked at, and emptied of its numbers."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin

from dlatlas.errors import AtlasError, UntrainableError
from dlatlas.identity import chance


def draw(maker: Callable[..., Any], arguments: Mapping[str, Any], seed: int) -> nn.Module:
    """A network made with all global generators seeded by its run's own stream.

    Args:
        maker: the model.
        arguments: its arguments.
        seed: of the run's init stream, 63 bits.

    Raises:
        UntrainableError: the model refuses its arguments, or what it makes cannot be trained.
    """
    chance.seed(seed)
    try:
        network = maker(**arguments)
    except AtlasError as error:  # of this run's arguments: its neighbours may be well
        raise UntrainableError(str(error), whole=False) from None
    _check(network)
    _make_slices_differentiable(network)
    return network


def _check(network: object) -> None:
    if not isinstance(network, nn.Module):
        raise UntrainableError(f"expected a torch.nn.Module, found {type(network).__name__}")
    for name, module in network.named_modules():
        if isinstance(module, LazyModuleMixin) and module.has_uninitialized_params():
            raise UntrainableError(
                f"{called(name, module)} has no shape before it sees data; "
                f"give it the size of its input ({type(module).cls_to_become.__name__})"
            )
    if not any(parameter.requires_grad for parameter in network.parameters()):
        found = "all parameters have requires_grad=False" if any(True for _ in network.parameters()) else "none"
        raise UntrainableError(f"expected a parameter that can be trained, found {found}", whole=False)


def called(name: str, module: nn.Module) -> str:
    """A part of a network in words, ``layers.1 (Dropout)``."""
    return f"{name} ({type(module).__name__})" if name else type(module).__name__


def same(one: nn.Module, other: nn.Module) -> bool:
    """Whether two networks have bitwise equal parameters and buffers."""
    found, expected = ({**dict(n.named_parameters()), **dict(n.named_buffers())} for n in (one, other))
    return found.keys() == expected.keys() and all(
        value.shape == expected[name].shape and torch.equal(_comparable(value), _comparable(expected[name]))
        for name, value in found.items()
    )


def _comparable(value: Tensor) -> Tensor:
    return value.detach().nan_to_num(nan=torch.pi) if value.is_floating_point() else value.detach()


def as_type(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The network itself, its floating-point numbers in float32 or float64."""
    return network.double() if dtype == torch.float64 else network.float()


def emptied(network: nn.Module) -> nn.Module:
    """The network itself without numbers of its own, for ``torch.func.functional_call``; tied parameters stay tied."""
    known: dict[int, tuple[Tensor, Tensor]] = {}  # the old tensor, lest its number be given again, and the new one

    def hollow(value: Tensor) -> Tensor:
        if id(value) not in known:
            empty = torch.empty_like(value, device="meta")
            is_parameter = isinstance(value, nn.Parameter)
            empty = nn.Parameter(empty, requires_grad=value.requires_grad) if is_parameter else empty
            known[id(value)] = (value, empty)
        return known[id(value)][1]

    for module in network.modules():
        for held in (module._parameters, module._buffers):
            for name, value in held.items():
                held[name] = None if value is None else hollow(value)
    return network


class _Slices(nn.ParameterList):
    """A list whose slices are its tensors. Those of torch's are copies, which take no gradient in a stack."""

    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401
        """The tensor, or the tensors of a slice."""
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        return super().__getitem__(place)


def _make_slices_differentiable(network: nn.Module) -> None:
    for module in network.modules():
        kind = type(module)
        if isinstance(module, nn.ParameterList) and kind.__getitem__ is nn.ParameterList.__getitem__:
            module.__class__ = _Slices if kind is nn.ParameterList else type(kind.__name__, (_Slices, kind), {})
