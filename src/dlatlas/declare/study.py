"""What a study is: parameters, theory, claims with their controls, and a figure, as one record a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from dlatlas.declare import registry
from dlatlas.errors import InputError, unknown

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from dlatlas.judging.verdict import Expectation

Value = bool | int | float | str


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
        good = isinstance(value, int | float) and not isinstance(value, bool)
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


Statistic = Callable[["xr.Dataset", "xr.Dataset"], float]
"""(cube, theory) -> number; both are restricted to the seeds of one bootstrap draw."""


@dataclass(frozen=True)
class Control:
    """A setting in which the theory says that the claim must fail.

    Attributes:
        statement: what is changed, and what is expected then.
        fails: the changed settings of the claim's statistic; or, where it is another one, that statistic.
    """

    statement: str
    fails: Mapping[str, Any] | Statistic


@dataclass(frozen=True)
class Claim:
    """A falsifiable statement about a cube.

    Attributes:
        name: a few words, unique in the study.
        statement: what the theory says, in one sentence.
        source: paper and theorem or equation.
        quantity: what the statistic is, with its unit, e.g. "slope of ln T against beta h [1]".
        statistic: ``(cube, theory, **holds)``: a number computed from the cube and the theory on the cube's
            coordinates; `dlatlas.judging.statistics` has those that many studies need.
        expected: the values of it that support the claim, from the paper, stated before looking.
        control: where the claim must fail.
        permute: the dimension along which the measured values are shuffled for the p-value.
        shuffled: the variables that are shuffled; all that have that dimension when empty.
        holds: the settings of the statistic in which the claim is made. One named ``where`` is applied before seeds are
            drawn, so a statistic that has it may look at nothing else.
    """

    name: str
    statement: str
    source: str
    quantity: str
    statistic: Callable[..., float]
    expected: "Expectation"
    control: Control
    permute: str
    shuffled: tuple[str, ...] = ()
    holds: Mapping[str, Any] = field(default_factory=dict)

    def measured(self) -> Statistic:
        """The statistic where the claim is made."""
        return partial(self.statistic, **self.holds)

    def controlled(self) -> Statistic:
        """The statistic where the claim must fail."""
        fails = self.control.fails
        return fails if callable(fails) else partial(self.statistic, **{**self.holds, **fails})


@dataclass(frozen=True)
class Study:
    """One page of theory that can be refuted.

    Attributes:
        title: the claim as a headline.
        rows: the catalogue's rows that it covers.
        kind: train (gradient descent), solve (closed form, linear algebra) or sample (Monte Carlo).
        statement: what is claimed and by whom, in a paragraph.
        formula: the theory, in LaTeX.
        papers: the keys of the sources in `dlatlas.declare.bibliography`.
        parameters: hyper-parameters beyond those of ``TRAINING``.
        shape: those that change tensor shapes or code paths, so runs that differ in them are not stacked.
        claims: what is tested.
        theory: cube -> Dataset of predictions on the cube's own coordinates.
        figure: (cube, theory, verdict) -> figure.
        caption: what the figure shows, in two sentences.
        solve: for solve and sample, ``Stack -> {variable: (run, ...)}``.
        variables: what ``solve`` or ``measure`` returns.
        setup: for train, ``Built -> {hyper-parameter: (run,)}``, e.g. a step size in units of a measured curvature.
        measure: for train, ``(Trained, Stack) -> {variable: (run, ...)}`` at each checkpoint, for what only this
            study measures; the others are named in its params file.
        cost: relative cost of one run, for balancing shards.
        about: what a theorist should know about the outcome (finite size, corrections to the catalogue).
        module: where it lives; set when it is loaded.
    """

    title: str
    rows: tuple[str, ...]
    kind: Literal["train", "solve", "sample"]
    statement: str
    formula: str
    papers: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    claims: tuple[Claim, ...]
    theory: Callable[["xr.Dataset"], "xr.Dataset"]
    figure: Callable[["xr.Dataset", "xr.Dataset", dict[str, Any]], "Figure"]
    caption: str
    shape: tuple[str, ...] = ()
    solve: Callable[[Any], Mapping[str, Any]] | None = None
    variables: Mapping[str, Variable] = field(default_factory=dict)
    setup: Callable[[Any], Mapping[str, Any]] | None = None
    measure: Callable[[Any, Any], Mapping[str, Any]] | None = None
    cost: Callable[[Mapping[str, Value]], float] | None = None
    about: str = ""
    module: str = ""

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.module.rpartition(".")[2]

    @property
    def chapter(self) -> str:
        """The folder that it lies in, "" for none."""
        return ".".join(self.module.split(".")[1:-1])

    @property
    def packages(self) -> tuple[str, ...]:
        """Where the names in its params file are looked up."""
        own = self.module.partition(".")[0]
        return (registry.INSTRUMENT, own) if own and own != registry.INSTRUMENT else (registry.INSTRUMENT,)

    def checked(self, where: str) -> "Study":
        """The record itself.

        Raises:
            InputError: a variable that is also a hyper-parameter, or claims that share a name.
        """
        clash = set(self.variables) & set(self.all_parameters())
        if clash:
            raise InputError(f"{where}: variables: {min(clash)!r} is also a hyper-parameter")
        names = [claim.name for claim in self.claims]
        if len(set(names)) < len(names) or not names:
            raise InputError(f"{where}: claims: expected at least one, each of its own name")
        return self

    def all_parameters(self) -> dict[str, Parameter]:
        """Every hyper-parameter of a run, the engine's included."""
        engine = TRAINING if self.kind == "train" else {}
        return {**SEED, **engine, **self.parameters}
