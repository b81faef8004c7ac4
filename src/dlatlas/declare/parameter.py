"""Hyper-parameters: what each may be, and those that every trained run has."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dlatlas.declare import registry
from dlatlas.errors import InputError, unknown

Value = bool | int | float | str
LARGEST = sys.float_info.max
EXACT = 2**53
"""Whole numbers below it are told apart as floats, and so in any cube."""


@dataclass(frozen=True)
class Parameter:
    """One hyper-parameter: its default, and what it may be.

    ``late`` marks one that was added after results had been made: at its default it is left out of the names and the
    random streams of runs, so that those results stay. Its default may never change.
    """

    kind: Literal["count", "number", "choice", "flag", "name"]
    default: Value
    meaning: str
    low: float = float("-inf")
    high: float = float("inf")
    choices: tuple[str, ...] = ()
    late: bool = False
    room: str = ""

    def check(self, value: object, where: str, packages: tuple[str, ...] = (registry.INSTRUMENT,)) -> Value:
        """The value in the parameter's own type; ``packages`` are where names are looked up.

        Raises:
            InputError: a wrong type or a value out of range, with what was found and what is allowed.
        """
        if self.kind in ("name", "choice") and not isinstance(value, str):
            raise InputError(f"{where}: expected {self.allowed()}, found {value!r}; a word that looks so is quoted")
        if self.kind == "name":
            registry.root(self.room, str(value), packages, where)
            return str(value)
        if self.kind == "choice":
            if value not in self.choices:
                raise unknown(where, "value", value, self.choices)
            return str(value)
        if self.kind == "flag":
            if not isinstance(value, bool):
                raise InputError(f"{where}: expected true or false, found {value!r}")
            return value
        good = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
        if good and self.kind == "count" and abs(value) >= EXACT:
            raise InputError(f"{where}: expected {self.allowed()}, below 2**53 = {EXACT}, found {value!r}")
        if good and isinstance(value, int) and int(float(value)) != value:
            raise InputError(f"{where}: expected {self.allowed()} that a float can hold, found {value!r}")
        if self.kind == "count":
            good = good and float(value) == int(value)
        if not good or not self.low <= value <= self.high:
            raise InputError(f"{where}: expected {self.allowed()}, found {value!r}")
        return int(value) if self.kind == "count" else float(value)

    def allowed(self) -> str:
        """In words, what is allowed."""
        if self.kind == "choice":
            return " or ".join(self.choices)
        if self.kind == "name":
            return " or ".join(registry.named(self.room, (registry.INSTRUMENT,)))
        if self.kind == "flag":
            return "true or false"
        noun = "an integer" if self.kind == "count" else "a number"
        if self.kind == "count" and self.low == 1 and self.high == float("inf"):
            return "a positive integer"
        if self.low == float("-inf") and self.high == float("inf"):
            return noun
        if self.high == float("inf"):
            return f"{noun} of at least {self.low:g}"
        return f"{noun} from {self.low:g} to {self.high:g}"


def count(default: int, meaning: str, low: int = 1, late: bool = False) -> Parameter:
    """A whole number, positive unless ``low`` says otherwise."""
    return Parameter("count", default, meaning, low=low, late=late)


def number(
    default: float, meaning: str, low: float = float("-inf"), high: float = float("inf"), late: bool = False
) -> Parameter:
    """A real number in ``[low, high]``."""
    return Parameter("number", default, meaning, low, high, late=late)


def choice(default: str, choices: tuple[str, ...] | Mapping[str, str], meaning: str, late: bool = False) -> Parameter:
    """One of a few words."""
    return Parameter("choice", default, meaning, choices=tuple(choices), late=late)


def thing(default: str, room: str, meaning: str) -> Parameter:
    """The name of a model, data set, loss or update rule, see `dlatlas.declare.registry`."""
    return Parameter("name", default, meaning, room=room)


def flag(default: bool, meaning: str, late: bool = False) -> Parameter:
    """True or false."""
    return Parameter("flag", default, meaning, late=late)


SEED = {"seed": count(0, "replicate; with the other parameters it determines every random draw", low=0)}

TRAINING = {
    "model": thing("mlp", "models", "the network"),
    "data": thing("digits", "data", "the data set"),
    "loss": thing("half_mse", "losses", "the training loss"),
    "optimizer": thing("sgd", "optimizers", "the update rule"),
    "lr": number(0.1, "step size", low=0.0),
    "momentum": number(0.9, "momentum of the rules that have it", low=0.0, high=1.0),
    "beta2": number(0.999, "decay of Adam's second moment", low=0.0, high=1.0),
    "eps": number(1e-8, "Adam's guard against division by zero", low=0.0),
    "weight_decay": number(0.0, "coefficient of the squared norm in the loss, lambda/2 |w|^2", low=0.0),
    "batch": count(0, "examples a step; 0 is the full batch", low=0),
    "workers": count(1, "independent gradient estimates a step, for rules that aggregate them; each has its own batch"),
    "steps": count(100, "update steps"),
    "checkpoints": count(8, "log-spaced steps at which the parameters are kept, beside the first", low=1),
    "trace_every": count(1, "the loss is kept every this many steps", low=1),
    "precision": choice(
        "float32",
        ("float32", "float64", "tf32", "bf16"),
        "floating-point type of the training; tf32: float32, matrix products on tensor cores where there are any; "
        "bf16: the network in bfloat16, its weights, loss and update in float32",
    ),
}
"""The hyper-parameters that every study of kind ``train`` has; a study adds its own."""

THINGS = {name: parameter.room for name, parameter in TRAINING.items() if parameter.kind == "name"}
"""Those of them that name a thing, and its room."""

SHAPES = frozenset(
    {"workers", "model", "data", "loss", "optimizer", "batch", "steps", "checkpoints", "trace_every", "precision"}
)
"""Those of them that may not differ inside one stack."""
