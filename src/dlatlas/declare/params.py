"""The schema of ``params/<study>.yaml``: strict, and every error says file, line, key, found and allowed."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dlatlas.declare import registry
from dlatlas.declare.core_yaml import Lines, dotted, load
from dlatlas.declare.parameter import Parameter, Value
from dlatlas.declare.study import Study
from dlatlas.declare.variable import reserved
from dlatlas.errors import InputError, unknown

SCALES = ("smoke", "laptop", "cluster")
LONGEST = 10_000_000
"""Values on one axis."""
LARGEST_SWEEP = 100_000_000
"""Runs: planning holds their places in memory, eight bytes each."""
LONG = 120
"""Letters of what was found; a whole list is no help."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Range(_Strict):
    """Whole numbers: ``{range: 5}`` is 0 to 4, ``{range: [2, 11, 3]}`` is 2, 5, 8."""

    range: Annotated[int, Field(ge=1)] | Annotated[list[int], Field(min_length=2, max_length=3)]


class Linspace(_Strict):
    """Evenly spaced, ends included: ``{linspace: [first, last, how many]}``."""

    linspace: Annotated[list[float | int], Field(min_length=3, max_length=3)]


class Geomspace(_Strict):
    """Evenly spaced in the logarithm, ends included: ``{geomspace: [first, last, how many]}``."""

    geomspace: Annotated[list[float | int], Field(min_length=3, max_length=3)]


class Logspace(_Strict):
    """Powers of ten, ends included: ``{logspace: [first exponent, last exponent, how many]}``."""

    logspace: Annotated[list[float | int], Field(min_length=3, max_length=3)]


Scalar = bool | int | float | str
Axis = list[Scalar] | Range | Linspace | Geomspace | Logspace


class Scale(_Strict):
    """What one scale changes."""

    fixed: dict[str, Scalar] = Field(default={}, description="values that this scale sets instead")
    axes: dict[str, Axis] = Field(default={}, description="axes that this scale sets instead")
    zip: dict[str, dict[str, Axis]] = Field(default={}, description="zipped axes that this scale sets instead")
    shard_runs: int | None = Field(default=None, ge=1, description="at most this many runs in one job")


class Params(_Strict):
    """One params file: what is swept for one study."""

    fixed: dict[str, Scalar] = Field(default={}, description="hyper-parameters with one value")
    axes: dict[str, Axis] = Field(default={}, description="swept hyper-parameters; each is a dimension of the cube")
    zip: dict[str, dict[str, Axis]] = Field(
        default={}, description="hyper-parameters swept together: one dimension, several coordinates"
    )
    measures: list[str] = Field(default=[], description="what is measured on trained networks (kind train)")
    shard_runs: int = Field(default=512, ge=1, description="at most this many runs in one job")
    scales: dict[Literal["smoke", "laptop", "cluster"], Scale] = Field(
        description="smoke: seconds, for tests; laptop: a minute on 2 cores; cluster: the paper's size or larger"
    )


class Point(BaseModel):
    """A params file resolved at one scale: dimension -> hyper-parameter -> values, and the fixed values."""

    dims: dict[str, dict[str, list[Any]]]
    fixed: dict[str, Any]
    measures: list[str]
    shard_runs: int


def read_params(path: Path, study: Study, scale: str) -> Point:
    """A params file at one scale, checked against the study's parameters.

    Raises:
        InputError: anything wrong with it, in one line.
    """
    tree, lines = load(path, _named(path))
    if not isinstance(tree, dict):
        found = "nothing" if tree is None else _short(tree)
        raise InputError(f"{_named(path)}: expected keys ({', '.join(Params.model_fields)}), found {found}")
    try:
        params = Params.model_validate(tree)
    except ValidationError as error:
        raise _readable(path, lines, error) from None
    if scale not in params.scales:
        raise InputError(f"{_named(path)}: no scale {scale!r}; this file has {', '.join(params.scales)}")
    return _resolve(path, lines, params, study, scale)


def _resolve(path: Path, lines: Lines, params: Params, study: Study, scale: str) -> Point:
    chosen = params.scales[scale]
    known = study.all_parameters()

    def where(*keys: object) -> str:
        return _where(path, lines, keys)

    def values_of(axis: Axis, name: str, *keys: object, alone: bool = True) -> list[Value]:
        if name not in known:
            raise unknown(where(*keys), "hyper-parameter", name, known)
        return _values(axis, known[name], lambda *more: where(*keys, *more), study.packages, alone)

    own = _own_names(study, params.measures, known, where)
    dims: dict[str, dict[str, list[Any]]] = {}
    for source, layer in (((), params), (("scales", scale), chosen)):
        for name, axis in layer.axes.items():
            dims[name] = {name: values_of(axis, name, *source, "axes", name)}
        for dim, group in layer.zip.items():
            _check_dim(dim, group, known, own, where(*source, "zip", dim))
            columns = {
                name: values_of(axis, name, *source, "zip", dim, name, alone=len(group) == 1)
                for name, axis in group.items()
            }
            lengths = {name: len(column) for name, column in columns.items()}
            if len(set(lengths.values())) != 1:
                raise InputError(f"{where(*source, 'zip', dim)}: zipped axes differ in length: {lengths}")
            points = list(zip(*columns.values()))
            for position, point in enumerate(points):
                if point in points[:position]:
                    raise InputError(f"{where(*source, 'zip', dim)}: the point {point} stands twice, at {position} too")
            dims[dim] = columns
    owner: dict[str, str] = {}
    for dim, columns in dims.items():
        for name in columns:
            if name in owner:
                raise InputError(f"{where('axes')}: {name} is swept twice, in {owner[name]} and in {dim}")
            owner[name] = dim
    fixed: dict[str, Any] = {name: parameter.default for name, parameter in known.items() if name not in owner}
    for source, layer in (((), params), (("scales", scale), chosen)):
        for name, value in layer.fixed.items():
            if name not in known:
                raise unknown(where(*source, "fixed"), "hyper-parameter", name, known)
            if name in owner:
                raise InputError(f"{where(*source, 'fixed', name)}: {name} is also an axis; keep one of the two")
            fixed[name] = known[name].check(value, where(*source, "fixed", name), study.packages)
    sizes = {dim: len(next(iter(columns.values()))) for dim, columns in dims.items()}
    if math.prod(sizes.values()) > LARGEST_SWEEP:
        found = " × ".join(f"{size:,} {dim}" for dim, size in sizes.items())
        raise InputError(f"{where()}: expected at most {LARGEST_SWEEP:,} runs at scale {scale}, found {found}")
    return Point(dims=dims, fixed=fixed, measures=params.measures, shard_runs=chosen.shard_runs or params.shard_runs)


def _own_names(
    study: Study,
    measures: list[str],
    known: Mapping[str, Parameter],
    where: Any,  # noqa: ANN401
) -> frozenset[str]:
    """What the cube has beside its axes: variables, their dimensions, what is derived, and names of the engine."""
    # A dimension is what a reader of the cube sees first: it is called like the engine's in no kind of study.
    own = {*study.variables, *study.observables, *reserved("train")}
    own |= {dim for each in study.variables.values() for dim in each.dims}
    if study.kind != "train":
        if measures:
            raise InputError(f"{where('measures')}: only studies of kind train have measures; this one is {study.kind}")
        return frozenset(own)
    if not measures:
        raise InputError(f"{where('measures')}: a study of kind train needs at least one measure")
    for position, name in enumerate(measures):
        at = where("measures", position)
        place = registry.root("measures", name, study.packages, at)
        dims = registry.dimensions(place)
        for taken, what in ((known, "a hyper-parameter"), (study.variables, "a variable")):
            if name in taken:
                raise InputError(f"{at}: {name!r} is also {what} of this study")
            if clash := set(dims) & set(taken):
                raise InputError(f"{at}: the dimension {min(clash)!r} of {name} is also {what} of this study")
        own |= {name, *dims}
    return frozenset(own)


def _check_dim(
    dim: str, group: Mapping[str, Axis], known: Mapping[str, Parameter], own: frozenset[str], where: str
) -> None:
    """Compares the name of a zipped dimension with what the cube has already."""
    if not dim.isidentifier():
        raise InputError(f"{where}: expected a name of letters, digits and underscores, found {dim!r}")
    if dim in known and dim not in group:
        raise InputError(f"{where}: {dim} is a hyper-parameter that is not zipped here; call the dimension otherwise")
    if dim in own:
        raise InputError(f"{where}: the cube has something else of this name; call the dimension otherwise")
    if not group:
        raise InputError(f"{where}: expected at least one hyper-parameter, found none")


def _values(
    axis: Axis,
    parameter: Parameter,
    where: Any,  # noqa: ANN401
    packages: tuple[str, ...],
    alone: bool = True,
) -> list[Value]:
    raw: list[Any]
    if isinstance(axis, list):
        raw = axis
    elif isinstance(axis, Range):
        raw = _whole_numbers(axis, where("range"))
    else:
        kind, (first, last, how_many) = next(iter(axis.model_dump().items()))
        if not all(math.isfinite(each) for each in (first, last, how_many)):
            raise InputError(f"{where(kind)}: expected finite numbers, found {[first, last, how_many]}")
        if int(how_many) != how_many or not 1 <= how_many <= LONGEST:
            raise InputError(f"{where(kind)}: expected a number of points from 1 to {LONGEST:,}, found {how_many}")
        if kind == "geomspace" and not (first > 0 and last > 0) and not (first < 0 and last < 0):
            raise InputError(f"{where(kind)}: both ends of a geomspace have one sign, found {first} and {last}")
        with np.errstate(all="ignore"):  # what overflows is refused value by value
            raw = [float(f"{value:.12g}") for value in getattr(np, kind)(first, last, int(how_many))]
        if parameter.kind == "count" and all(map(math.isfinite, raw)):
            raw = list(dict.fromkeys(round(value) for value in raw))
    if not raw:
        raise InputError(f"{where()}: an axis needs at least one value, found none")
    values = [parameter.check(value, where(position), packages) for position, value in enumerate(raw)]
    seen: dict[Value, int] = {}
    for position, value in enumerate(values):
        if alone and value in seen:  # a zipped column may repeat values; its points may not
            raise InputError(f"{where(position)}: {value!r} stands twice on this axis (also at [{seen[value]}])")
        seen[value] = position
    return values


def _whole_numbers(axis: Range, where: str) -> list[int]:
    said = axis.range if isinstance(axis.range, list) else [axis.range]
    if len(said) == 3 and said[2] == 0:
        raise InputError(f"{where}: expected a step other than 0, found {said}")
    places = range(*said)
    start, stop, step = places.start, places.stop, places.step
    if (stop - start) // step > LONGEST:  # len() of it may be more than Python counts
        raise InputError(f"{where}: expected at most {LONGEST:,} values, found {said}")
    return list(places)


def _named(path: Path) -> str:
    """A params file as a person says it, with its chapter if it lies in one."""
    parts = path.parts[-3:]
    return "/".join(parts[parts.index("params") :]) if "params" in parts else f"params/{path.name}"


def _where(path: Path, lines: Lines, keys: tuple[object, ...]) -> str:
    for length in range(len(keys), 0, -1):
        if keys[:length] in lines:
            return f"{_named(path)}: {dotted(keys)} (line {lines[keys[:length]]})"
    return f"{_named(path)}: {dotted(keys)}" if keys else _named(path)


def _readable(path: Path, lines: Lines, error: ValidationError) -> InputError:
    """Pydantic's first complaint in our own words."""
    first = error.errors()[0]
    location: tuple[object, ...] = ()
    for key in first["loc"]:  # pydantic puts the names of union members between ours: keep what is in the file
        if (*location, key) in lines:
            location = (*location, key)
    where, found = _where(path, lines, location), first["input"]
    if first["type"] == "missing":
        return InputError(f"{_named(path)}: the key {first['loc'][-1]!r} is missing")
    if first["type"] == "literal_error" and location[:1] == ("scales",):
        return unknown(where, "scale", found, SCALES)
    if {"axes", "zip"} & set(location):
        forms = "a list of values or one of range, linspace, geomspace, logspace"
        return InputError(f"{where}: expected {forms}, found {_short(found)}")
    if first["type"] == "extra_forbidden":
        owner = Scale if location[:1] == ("scales",) else Params
        return unknown(where, "key", location[-1], owner.model_fields)
    return InputError(f"{where}: {first['msg'].lower()}, found {_short(found)}")


def _short(found: object) -> str:
    text = repr(found)
    return text if len(text) <= LONG else f"{text[:LONG]}…"
