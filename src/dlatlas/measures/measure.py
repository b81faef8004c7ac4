"""What a measure is, and how several are taken at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from dlatlas.declare.registry import INSTRUMENT, load, root
from dlatlas.errors import InputError
from dlatlas.identity import chance
from dlatlas.measures.trained import Trained

At = Literal["checkpoints", "final"]
"""When a measure is taken."""


@dataclass(frozen=True)
class Measure:
    """A variable of the cube: how it is computed from a trained stack, and what its numbers mean.

    A function returns the variable ``(run, *dims)``, or a dict of several variables from one computation (an estimate
    and its error): each is then a measure of its own, under its own name, with the **same** function, which
    ``evaluate`` calls once.

    Attributes:
        function: ``Trained -> Tensor`` or ``Trained -> {name: Tensor}``; pure.
        dims: dimensions beyond ``run``, e.g. ``("layer",)``.
        units: of the numbers; ``"1"`` for none.
        long_name: what an axis label says.
        source: paper and equation.
        at: whether it is taken at every checkpoint or at the last only.
        coords: the coordinate values of a dimension, where they are fixed.
        undefined: where it has no value, see `dlatlas.declare.study.Variable`.
    """

    function: Callable[[Trained], Tensor | dict[str, Tensor]]
    dims: tuple[str, ...]
    units: str
    long_name: str
    source: str
    at: At = "checkpoints"
    coords: Mapping[str, Sequence[float]] = field(default_factory=dict)
    undefined: str = ""

    def __call__(self, trained: Trained) -> Tensor | dict[str, Tensor]:
        """The numbers of a trained stack."""
        return self.function(trained)


def measure(
    long_name: str,
    units: str = "1",
    source: str = "this lab",
    dims: tuple[str, ...] = (),
    at: At = "checkpoints",
    coords: Mapping[str, Sequence[float]] | None = None,
    undefined: str = "",
) -> Callable[[Callable[[Trained], Tensor]], Measure]:
    """Makes a function ``Trained -> (run, *dims)`` a measure that params files may name; see `Measure`."""
    return lambda function: Measure(function, dims, units, long_name, source, at, coords or {}, undefined)


def family(function: Callable[[Trained], dict[str, Tensor]], *members: Mapping[str, Any]) -> tuple[Measure, ...]:
    """Measures that one computation gives, each under the name that the function gives it.

    ``members`` are the arguments of `measure` of each, in the order of the names that they are bound to.
    """
    return tuple(measure(**member)(function) for member in members)


def measures_named(
    names: Iterable[str], packages: Iterable[str] = (INSTRUMENT,), where: str = "measures"
) -> dict[str, Measure]:
    """The measures of those names, in that order.

    Raises:
        InputError: if one does not exist; it says ``where`` it was asked for, and the nearest that does.
    """
    packages = tuple(packages)
    return {name: load(root("measures", name, packages, where)) for name in names}


def evaluate(measures: Mapping[str, Measure], trained: Trained) -> dict[str, Tensor]:
    """The variables named by ``measures``, ``(run, *dims)`` each; a function shared by several is called once.

    Raises:
        InputError: if a function gives no variable of that name, or one whose dimensions are not those declared.
    """
    computed = {}
    for name, measure in measures.items():
        if measure.function not in computed:
            with (
                torch.no_grad(),
                chance.forbidden(f"measure {name}", "a stream of trained.keys"),
            ):
                computed[measure.function] = measure.function(trained)
    variables = {}
    for name, measure in measures.items():
        found = computed[measure.function]
        value = found.get(name) if isinstance(found, dict) else found
        if value is None:
            raise InputError(f"measure {name}: its function gives only {', '.join(found)}")
        if value.ndim != 1 + len(measure.dims) or len(value) != len(trained.keys):
            expected = ", ".join(("run", *measure.dims))
            raise InputError(
                f"measure {name}: expected ({expected}) with {len(trained.keys)} runs, found {tuple(value.shape)}"
            )
        variables[name] = value
    return variables
