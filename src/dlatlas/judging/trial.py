"""Claims tried on made-up cubes of the sweep's shape, before anything is trained.

A claim that no data can decide is found out where it costs a second: one whose rival's shuffle changes nothing, whose
control is the claim itself, says nothing of what was measured, or has no value. Cubes are filled at random in several
ways; only what holds of all fillings is refused, so that a claim which needs data of some form is never refused for
those that it was tried on.
"""

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dlatlas.cubes.assembly import step_coords
from dlatlas.declare import registry
from dlatlas.declare.claim import Exchangeable
from dlatlas.declare.variable import ENGINE_VARIABLES
from dlatlas.errors import InputError
from dlatlas.identity.streams import stream
from dlatlas.judging.sample import Sample
from dlatlas.judging.verdict import permutations

if TYPE_CHECKING:
    import xarray as xr

    from dlatlas.declare.claim import Claim
    from dlatlas.declare.study import Study
    from dlatlas.declare.sweep import Sweep

SEEDS = 4
"""More are not needed to see what changes."""
FEW = 3
"""Places along a dimension of which the declarations do not say how long it is, such as layers."""
DRAWS = 19
ENOUGH = 3
"""Fillings in which a statistic must have a value before anything is said of it."""
LARGEST = 4_000_000
"""Numbers in a made-up cube; a larger sweep is not tried."""
SAME = 1e-9
STEPS = ("steps", "checkpoints", "trace_every")


DISTINCT = 4
"""Estimates that a line through controls must hold for."""


class Tried(NamedTuple):
    """A claim on one cube.

    Attributes:
        estimate: its statistic.
        control: its control's.
        changed: whether its rival's shuffles change the estimate.
        looks: whether its control looks at what was measured.
    """

    estimate: float
    control: float
    changed: bool
    looks: bool


def try_claims(sweep: "Sweep") -> None:
    """Tries every claim of a study.

    Raises:
        InputError: one that no data can decide, by file and claim, and why.
    """
    study = sweep.study
    tried: dict[str, list[Tried]] = {claim.name: [] for claim in study.claims}
    for cube in _fillings(sweep):
        try:
            theory = study.theory(cube)
        except Exception:  # noqa: S112  it asks for data of some form
            continue
        sample = Sample(cube, theory, study.observables)
        for claim in study.claims:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    tried[claim.name].append(_tried(claim, sample))
            except Exception:  # noqa: S112  so may a statistic
                continue
    for claim in study.claims:
        where = f"{study.module.replace('.', '/')}.py: claim {claim.name!r}"
        _check(where, claim, [one for one in tried[claim.name] if np.isfinite(one.estimate)])


def _tried(claim: "Claim", sample: Sample) -> Tried:
    estimate = float(claim.statistic.values(sample)[0])
    control = float(claim.control.values(sample)[0])
    changed = True
    if isinstance(claim.rival, Exchangeable):
        shuffle = permutations(claim.name, claim.rival, sample.cube, "trial", DRAWS)
        shuffled = claim.statistic.values(sample.shuffled(shuffle))
        changed = not np.allclose(shuffled, estimate, rtol=SAME, atol=0, equal_nan=False)
    looked = [(of, leaf.where) for leaf in claim.control.leaves() for of in (*leaf.of, leaf.along) if of is not None]
    plain = any(not leaf.of and not leaf.parts for leaf in claim.control.leaves())  # is given the whole cube
    return Tried(estimate, control, changed, plain or any(sample.measured(of, where) for of, where in looked))


def _check(where: str, claim: "Claim", tried: list[Tried]) -> None:
    if len(tried) < ENOUGH:
        return
    if not any(one.changed for one in tried):
        raise InputError(
            f"{where}: rival: that {claim.rival} changes nothing, whatever is measured; name the variables that move, "
            "another dimension, or another rival"
        )
    if not any(one.looks for one in tried):
        raise InputError(f"{where}: control: it looks at nothing that is measured, so it cannot fail to fail")
    estimates, controls = (np.array([getattr(one, name) for one in tried]) for name in ("estimate", "control"))
    known = np.isfinite(controls)
    if not known.any():
        raise InputError(f"{where}: control: it has no value, whatever is measured")
    estimates, controls = estimates[known], controls[known]
    distinct = len(set(np.round(estimates / max(np.ptp(estimates), 1e-300), 6)))
    if distinct < DISTINCT or np.ptp(controls) == 0:
        return
    slope, level = np.polyfit(estimates, controls, 1)
    if np.allclose(slope * estimates + level, controls, rtol=SAME, atol=SAME * np.ptp(controls)):
        raise InputError(
            f"{where}: control: it is {slope:.4g} times the statistic plus {level:.4g}, whatever is measured; it must "
            "be able to fail where the claim holds"
        )


def _fillings(sweep: "Sweep") -> "Iterator[xr.Dataset]":
    """Cubes of a sweep's shape, with few seeds: positive, small, signed, growing along the axes, and truth values."""
    import xarray as xr

    study, dims, coords = sweep.study, _dims(sweep), {}
    sizes = {dim: len(next(iter(columns.values()))) for dim, columns in dims.items()}
    for columns, dim in ((columns, dim) for dim, columns in dims.items()):
        coords |= {name: (dim, np.array(values)) for name, values in columns.items()}
        if dim not in columns:
            coords[dim] = (dim, np.arange(sizes[dim]))
    coords |= {name: value for name, value in sweep.fixed.items() if name not in coords}
    variables = _variables(sweep)
    for own in variables.values():
        for dim, values in own.items():
            if dim not in sizes:
                sizes[dim] = len(values)
                coords[dim] = (dim, np.array(values))
    shapes = {name: (*dims, *own) for name, own in variables.items()}
    if sum(int(np.prod([sizes[dim] for dim in shape])) for shape in shapes.values()) > LARGEST:
        return
    status = xr.DataArray(np.zeros([sizes[dim] for dim in dims], np.int8), dims=list(dims))
    for number in range(6):
        rng = stream(f"{study.module}/{number}", "trial")

        data = {name: (shape, _filling(number, [sizes[dim] for dim in shape], rng)) for name, shape in shapes.items()}
        attributes = {"study": study.name, "scale": sweep.scale}
        yield xr.Dataset({**data, "status": status}, coords, attributes)


def _filling(number: int, size: list[int], rng: np.random.Generator) -> NDArray[np.float64]:
    """Lognormal, uniform, normal, truth values, or powers along every axis."""
    ways = (
        lambda: np.exp(rng.normal(size=size)),
        lambda: rng.random(size),
        lambda: rng.normal(size=size),
        lambda: rng.integers(0, 2, size).astype(float),
    )
    if number < len(ways):
        return ways[number]()
    grown = np.zeros(size)
    for at, length in enumerate(size):
        along = [length if place == at else 1 for place in range(len(size))]
        grown = grown + (rng.normal() * np.log1p(np.arange(length))).reshape(along)
    return np.exp(grown + 0.1 * rng.normal(size=size))


def _dims(sweep: "Sweep") -> dict[str, dict[str, list[Any]]]:
    return {
        dim: {name: values[:SEEDS] if set(columns) == {"seed"} else values for name, values in columns.items()}
        for dim, columns in sweep.dims.items()
    }


def _variables(sweep: "Sweep") -> dict[str, dict[str, list[Any]]]:
    """The variables of a sweep's cube, and the values along their own dimensions."""
    study: Study = sweep.study
    steps: dict[str, list[Any]] = {}
    found: dict[str, dict[str, Any]] = {name: dict(each.dims) for name, each in study.variables.items()}
    if study.kind == "train":
        swept = {name: max(values) for columns in sweep.dims.values() for name, values in columns.items()
                 if name in STEPS}  # fmt: skip
        steps = dict(step_coords(*(int({**sweep.fixed, **swept}[name]) for name in STEPS)))
        found = {name: {"step": None, **own} for name, own in found.items()}
        for name in sweep.measures:
            place = registry.root("measures", name, study.packages)
            found[name] = {"step": None, **dict.fromkeys(registry.dimensions(place))}
        found |= {name: dict(each.dims) for name, each in ENGINE_VARIABLES.items()}
    return {
        name: {dim: list(steps.get(dim, range(FEW)) if values is None else values) for dim, values in own.items()}
        for name, own in found.items()
    }
