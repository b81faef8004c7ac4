"""Every name that claims and panels use, compared with what the cube will have, before anything is trained."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlatlas.declare import registry
from dlatlas.declare.claim import Exchangeable, Other
from dlatlas.declare.nearest import selected
from dlatlas.declare.panel import Panel
from dlatlas.declare.study import Study
from dlatlas.declare.variable import ENGINE_VARIABLES
from dlatlas.errors import unknown

if TYPE_CHECKING:
    from dlatlas.declare.params import Point
    from dlatlas.declare.statistic import Statistic

PREDICTION = "theory."


@dataclass(frozen=True)
class Known:
    """What a study's cube will have.

    Attributes:
        coords: coordinate -> its values, None where they are not known before the sweep.
        dims: dimensions.
        variables: variables, of the study, its measures and the engine.
        observables: what is derived from them.
    """

    coords: Mapping[str, list[Any] | None]
    dims: frozenset[str]
    variables: frozenset[str]
    observables: frozenset[str]

    @classmethod
    def of(cls, study: Study, point: "Point") -> "Known":
        """Of a study at one scale."""
        own = [dim for variable in study.variables.values() for dim in variable.dims]
        variables = {*study.variables, "status"}
        if study.kind == "train":
            variables |= {*point.measures, *ENGINE_VARIABLES}
            places = [registry.root("measures", name, study.packages) for name in point.measures]
            own += ["step", "trace_step", *(dim for place in places for dim in registry.dimensions(place))]
        coords: dict[str, list[Any] | None] = dict.fromkeys([*own, *study.all_parameters()])
        coords |= {name: [value] for name, value in point.fixed.items()}
        coords |= {name: values for columns in point.dims.values() for name, values in columns.items()}
        if study.setup is not None:  # it may set any number run by run
            coords |= {name: None for name, value in point.fixed.items() if not isinstance(value, str)}
        dims = frozenset({*point.dims, *own})
        coords |= {dim: None for dim in dims if dim not in coords}
        return cls(coords, dims, frozenset(variables), frozenset(study.observables))


def check_names(study: Study, point: "Point") -> None:
    """Compares the names in a study's claims and panels with what its cube will have.

    Raises:
        InputError: one that is not there, in one line: file, claim or panel, found and allowed.
    """
    known, file = Known.of(study, point), f"{study.module.replace('.', '/')}.py"
    for claim in study.claims:
        where = f"{file}: claim {claim.name!r}"
        for what, statistic in ((where, claim.statistic), (f"{where}: control", claim.control)):
            _check_statistic(what, statistic, known)
        if isinstance(claim.rival, Exchangeable):
            _one_of(f"{where}: rival", "dimension", [claim.rival.along], known.dims)
            _one_of(f"{where}: rival", "variable", claim.rival.only, known.variables)
        elif isinstance(claim.rival, Other):
            _check_statistic(f"{where}: rival", claim.rival.change(claim.statistic), known)
    for each in study.identities:
        _check_statistic(f"{file}: identity {each.name!r}", each.statistic, known)
    for number, panel in enumerate(study.picture):
        for layer in (panel, *panel.also):
            _check_panel(f"{file}: panel {number + 1}", layer, known)


def _check_statistic(where: str, statistic: "Statistic", known: Known) -> None:
    for leaf in statistic.leaves():
        _check_quantities(where, leaf.names(), known)
        _check_where(where, leaf.where, known)
        _one_of(f"{where}: each", "dimension", leaf.settings.get("each", ()), known.dims)


def _check_panel(where: str, panel: Panel, known: Known) -> None:
    _check_quantities(f"{where}: y", [name for name in panel.y if isinstance(name, str)], known)
    _check_quantities(f"{where}: x", [panel.x], known)
    _one_of(f"{where}: by", "coordinate", [panel.by] if panel.by else [], known.coords)
    _one_of(f"{where}: mark", "axis", panel.mark, ("x", "y"))
    _check_where(f"{where}: where", panel.where, known)
    _check_where(f"{where}: grey", {name: value for name, value in panel.grey.items() if name != "y"}, known)


def _check_quantities(where: str, names: Iterable[str], known: Known) -> None:
    measured = [name for name in names if not name.startswith(PREDICTION)]
    _one_of(where, "observable or variable", measured, {*known.observables, *known.variables, *known.coords})


def _check_where(where: str, wanted: Mapping[str, Any], known: Known) -> None:
    _one_of(where, "coordinate", wanted, known.coords)
    for name, value in wanted.items():
        if (values := known.coords[name]) is not None:
            selected(values, value, where, name)


def _one_of(where: str, what: str, found: Iterable[str], allowed: Iterable[str]) -> None:
    allowed = set(allowed)
    for name in found:
        if name not in allowed:
            raise unknown(where, what, name, allowed)
