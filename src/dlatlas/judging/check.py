"""A verdict again, from the cube alone."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlatlas.cubes.cube import open_cube, stamp_of
from dlatlas.errors import AtlasError, CorruptedError
from dlatlas.identity.store import read_json
from dlatlas.judging.verdict import judge_study, summary

if TYPE_CHECKING:
    import xarray as xr

    from dlatlas.declare.study import Study


def verified_cube(home: Path) -> tuple["xr.Dataset", str]:
    """A study's cube, every file of it compared with what was written, and its digest.

    Raises:
        InputError: a file that is not its own.
        CorruptedError: a file that is missing or corrupted.
    """
    stamp = stamp_of(home, "cube")
    return open_cube(home / "cube.zarr", stamp["files"]), str(stamp["digest"])


def judged(study: "Study", home: Path) -> dict[str, Any]:
    """The record of ``verdict.json``: the verdicts of a study and the digest of the cube they were computed from."""
    cube, digest = verified_cube(home)
    return {**judge_study(study, cube), "cube": digest}


def check_study(study: "Study", results: Path) -> str:
    """Computes a verdict again and compares it with the one on disk; returns the summary.

    Raises:
        AtlasError: they differ, and in what; or the cube is corrupted.
    """
    home = results / study.name
    try:
        again = judged(study, home)
    except CorruptedError as error:
        raise AtlasError(f"{error}; delete {home}/cube.zarr and run again: nothing is trained anew") from None
    compare(f"{home}/verdict.json", again, read_json(home / "verdict.json"))
    return summary(again)


def _same(one: Any, other: Any) -> bool:  # noqa: ANN401
    """Whether two parts of a verdict say the same, numbers up to the order in which another processor sums."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9) or (math.isnan(one) and math.isnan(other))
    return bool(one == other)


def compare(where: str, again: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    """Compares a verdict with the one that was written.

    Raises:
        AtlasError: they differ, and in what.
    """
    for key in again:
        if key != "claims" and not _same(again[key], said.get(key)):
            raise AtlasError(f"{where}: {key} is {said.get(key)!r}, computed again it is {again[key]!r}")
    names = [[claim["name"] for claim in record["claims"]] for record in (said, again)]
    if names[0] != names[1]:
        raise AtlasError(f"{where}: claims are {', '.join(names[0])}, computed again they are {', '.join(names[1])}")
    for new, old in zip(again["claims"], said["claims"], strict=True):
        for key in new:
            if not _same(new[key], old.get(key)):
                raise AtlasError(
                    f"{where}: claim {new['name']}: {key} is {old.get(key)!r}, computed again it is {new[key]!r}"
                )
