"""Variables of a cube that a study computes, and quantities that are derived from them run by run."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Variable:
    """A variable of the cube that the study itself computes.

    Attributes:
        long_name: what it is, as an axis label.
        units: a unit, or "1".
        source: paper and equation, or how it is computed.
        dims: its dimensions beyond the axes; name -> coordinate values, or None for 0, 1, 2, ...
        undefined: where a run that neither failed nor diverged has no value, NaN; anywhere else a NaN is an error.
    """

    long_name: str
    units: str = "1"
    source: str = "this study"
    dims: Mapping[str, Any] = field(default_factory=dict)
    undefined: str = ""


ENGINE_VARIABLES = {
    "loss_trace": Variable("training loss before each traced step", "loss", "the engine", {"trace_step": None}),
    "peak": Variable("largest training loss of the run", "loss", "the engine"),
    "peak_step": Variable("step of the largest training loss", "step", "the engine"),
    "diverged_at": Variable("step at which the run diverged, -1 if it did not", "step", "the engine"),
}
"""What every trained run records beside its measures."""


def reserved(kind: str) -> frozenset[str]:
    """Names of the engine in cubes of a kind: no hyper-parameter, variable or zipped dimension has one of them.

    ``draw`` is the dimension of bootstrap draws and shuffles, see `dlatlas.judging.sample`.
    """
    trained = {*ENGINE_VARIABLES, "step", "trace_step", "train_loss"} if kind == "train" else set()
    return frozenset({"status", "draw", *trained})


def variable(text: str, source: str = "this study", undefined: str = "", **dims: Any) -> Variable:  # noqa: ANN401
    """A variable in one line: ``variable("test loss of the kernel method [loss]", "chizat2019", quantile=LEVELS)``.

    Args:
        text: what it is, with its unit in brackets at the end; without one it is a pure number.
        source: paper and equation, or how it is computed.
        undefined: where a run that is ok has no value, if there is such a place.
        dims: its dimensions beyond the axes: their coordinate values, or None for 0, 1, 2, ...
    """
    long_name, units = parted(text)
    return Variable(long_name, units, source, dims, undefined)


@dataclass(frozen=True)
class Derived:
    """A quantity derived from cube and theory run by run: an observable with a label of its own."""

    long_name: str
    units: str
    function: "Callable[[xr.Dataset, xr.Dataset], xr.DataArray]"

    def __call__(self, cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
        """Its values."""
        return self.function(cube, theory)


def derived(text: str, function: "Callable[[xr.Dataset, xr.Dataset], xr.DataArray]") -> Derived:
    """An observable with a label: ``derived("noise over its bound [1]", lambda cube, theory: ...)``.

    It is computed run by run: it may reduce any dimension but ``seed``.
    """
    long_name, units = parted(text)
    return Derived(long_name, units, function)


def parted(text: str) -> tuple[str, str]:
    """``"time [1/h]"`` -> ``("time", "1/h")``; without brackets the unit is "1"."""
    found = re.fullmatch(r"(.*\S)\s*\[([^\[\]]+)\]", text)
    return (found[1], found[2]) if found else (text, "1")
