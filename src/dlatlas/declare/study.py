"""What a study is: parameters, theory, claims with their controls, and a picture, as one record a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from dlatlas.declare import registry
from dlatlas.declare.parameter import SEED, TRAINING, Parameter, Value
from dlatlas.declare.variable import reserved
from dlatlas.errors import InputError

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from dlatlas.declare.claim import Claim, Identity
    from dlatlas.declare.panel import Panel
    from dlatlas.declare.variable import Variable


@dataclass(frozen=True)
class Study:
    """One page of theory that can be refuted.

    Attributes:
        title: the claim as a headline.
        rows: the catalogue's rows that it covers.
        kind: train (gradient descent), solve (closed form, linear algebra) or sample (Monte Carlo).
        papers: the keys of the sources in ``references.bib``; the first is the one whose claims are tested.
        says: what is claimed and by whom, in a paragraph.
        formula: the theory, in LaTeX.
        parameters: hyper-parameters beyond those of every trained run.
        variables: what ``solve`` or ``measure`` returns.
        theory: cube -> Dataset of predictions on the cube's own coordinates.
        claims: what is tested; the first is the principal one, that of the title.
        identities: what holds by construction and is verified to round-off.
        few_seeds: why fewer than `dlatlas.judging.verdict.SEEDS` seeds are enough for a verdict here, "" where not.
        caption: what the figure shows, in two sentences.
        picture: the panels of its figure.
        figure: (cube, theory, verdict) -> figure, where panels will not do.
        shape: parameters that change tensor shapes or code paths, so runs that differ in them are not stacked.
        solve: for solve and sample, ``Stack -> {variable: (run, ...)}``.
        observables: name -> (cube, theory) -> DataArray, run by run: quantities derived from variables and theory.
        setup: for train, ``Built -> {hyper-parameter: (run,)}``, e.g. a step size in units of a measured curvature.
        measure: for train, ``(Trained, Stack) -> {variable: (run, ...)}`` at each checkpoint, for what only this
            study measures; the others are named in its params file.
        cost: relative cost of one run, for balancing shards.
        about: what a theorist should know about the outcome (finite size, corrections to the catalogue).
        module: where it lives; set when it is loaded.
    """

    title: str
    rows: Sequence[str]
    kind: Literal["train", "solve", "sample"]
    papers: Sequence[str]
    says: str
    formula: str
    parameters: Mapping[str, Parameter]
    claims: "Sequence[Claim]"
    theory: "Callable[[xr.Dataset], xr.Dataset]"
    caption: str
    variables: "Mapping[str, Variable]" = field(default_factory=dict)
    observables: "Mapping[str, Callable[[xr.Dataset, xr.Dataset], xr.DataArray]]" = field(default_factory=dict)
    picture: "Sequence[Panel]" = ()
    figure: "Callable[[xr.Dataset, xr.Dataset, dict[str, Any]], Figure] | None" = None
    identities: "Sequence[Identity]" = ()
    few_seeds: str = ""
    shape: Sequence[str] = ()
    solve: Callable[[Any], Mapping[str, Any]] | None = None
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

    def all_parameters(self) -> dict[str, Parameter]:
        """Every hyper-parameter of a run, the engine's included."""
        engine = TRAINING if self.kind == "train" else {}
        return {**SEED, **engine, **self.parameters}

    def checked(self, where: str) -> "Study":
        """The record itself.

        Raises:
            InputError: a variable that is also a hyper-parameter or an observable, or one of the engine's, a dimension
                that is also one of these, claims that share a name, or neither picture nor figure.
        """
        for kind, names in (("a hyper-parameter", self.all_parameters()), ("an observable", self.observables)):
            if clash := set(self.variables) & set(names):
                raise InputError(f"{where}: variables: {min(clash)!r} is also {kind}")
        for what, own in (("parameters", self.parameters), ("variables", self.variables)):
            for name in own:
                if name in reserved(self.kind) or not name.isidentifier():
                    raise InputError(f"{where}: {what}: {name!r} is a name of the engine, or none; call it otherwise")
        steps = {"step", "trace_step"} if self.kind == "train" else set()
        taken = {*self.all_parameters(), *self.variables, *reserved(self.kind)} - steps
        for name, each in self.variables.items():
            for dim in each.dims:
                if dim in taken or not dim.isidentifier():
                    raise InputError(
                        f"{where}: variables: {name}: its dimension {dim!r} is also a hyper-parameter, a variable or a "
                        "name of the engine, or no name; call it otherwise"
                    )
        names = [each.name for each in (*self.claims, *self.identities)]
        if len(set(names)) < len(names) or not self.claims:
            raise InputError(f"{where}: claims: expected at least one, each (and each identity) of its own name")
        if bool(self.picture) == (self.figure is not None):
            raise InputError(f"{where}: expected a picture of panels or a figure, one of the two")
        return self
