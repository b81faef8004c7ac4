"""The ledger, ``results/ledger/<study>.json``: what was published. In git, so that its diff reads as what changed.

One file a study, so that branches merge and nothing central grows. Keys are sorted and every leaf has a line. Means,
standard deviations and quantiles are rounded to `DIGITS` significant digits for reading; digests are exact.

Until December 2026 the ledger was one file, ``results/ledger.json``. It is still read, in old commits and in checkouts
that have not published since; publishing splits it.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlatlas import __version__
from dlatlas.errors import InputError
from dlatlas.identity.content import digest
from dlatlas.identity.store import read_json, write_bytes
from dlatlas.judging.digest import claim_digest
from dlatlas.planning.plan import Plan

if TYPE_CHECKING:
    import xarray as xr

FOLDER = "results/ledger"
SINGLE = "results/ledger.json"
"""The whole ledger, as it was."""
SCHEMA, SINGLE_SCHEMA = 2, 1
DIGITS = 6
QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


def entry_file(study: str) -> str:
    """The file of a study's entry, as seen from the checkout."""
    return f"{FOLDER}/{study}.json"


def published(root: Path) -> list[str]:
    """The studies in a checkout's ledger, by name; no file of a study's own is read for it.

    Raises:
        InputError: a single file that is no ledger.
    """
    return sorted({path.stem for path in (root / FOLDER).glob("*.json")} | set(_single(root)))


def read_ledger(root: Path, studies: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
    """The entries of a checkout's ledger by study: of those among ``studies`` that have one, of all if None.

    Raises:
        InputError: a file that is no ledger, of another schema, or of another study than its name says.
    """
    found = {study: read_entry(root, study) for study in (published(root) if studies is None else studies)}
    return {study: entry for study, entry in found.items() if entry is not None}


def read_entry(root: Path, study: str) -> dict[str, Any] | None:
    """What a checkout's ledger says of one study, read from its own file alone where it has one; None if nothing.

    Raises:
        InputError: a file that is no ledger, of another schema, or of another study than its name says.
    """
    where = entry_file(study)
    if not (root / where).is_file():
        return _single(root).get(study)
    record = parse_ledger((root / where).read_bytes(), where)
    if set(record) != {study}:
        raise InputError(f'{where}: study: expected "{study}", found "{", ".join(record)}"')
    return record[study]


def _single(root: Path) -> dict[str, dict[str, Any]]:
    path = root / SINGLE
    return parse_ledger(path.read_bytes(), SINGLE) if path.is_file() else {}


def parse_ledger(text: str | bytes, where: str) -> dict[str, dict[str, Any]]:
    """The entries in a text, e.g. of another commit, by study: one, or all of a single file; ``where`` is for errors.

    Raises:
        InputError: not JSON, or of another schema.
    """
    try:
        record = json.loads(text)
        found = record.pop("schema")
        if found == SCHEMA:
            return {str(record.pop("study")): record}
        if found == SINGLE_SCHEMA:
            return dict(record["studies"].items())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{where}: not a ledger ({error}); restore it from git") from None
    raise InputError(f"{where}: schema: expected {SINGLE_SCHEMA} or {SCHEMA}, found {found!r}")


def entry_bytes(study: str, entry: Mapping[str, Any]) -> bytes:
    """The content of a study's file: keys sorted, one line a leaf."""
    record = {"schema": SCHEMA, "study": study, **entry}
    return (json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def write_entry(root: Path, study: str, entry: Mapping[str, Any]) -> None:
    """Writes a study's entry into a checkout's ledger, whole or not at all."""
    write_bytes(root / entry_file(study), entry_bytes(study, entry))


def split_ledger(root: Path) -> bool:
    """Gives every study in a checkout's single file a file of its own, then removes the single file, if there is one.

    Returns:
        Whether there was one.

    Raises:
        InputError: it is no ledger, or differs from a study's own file; then nothing was changed.
    """
    single = _single(root)
    for study, entry in single.items():
        own = read_entry(root, study)
        if own != entry:
            raise InputError(f"{SINGLE}: studies.{study}: not what {entry_file(study)} says; take the older one away")
    for study, entry in single.items():
        write_entry(root, study, entry)
    there = (root / SINGLE).is_file()
    (root / SINGLE).unlink(missing_ok=True)
    return there


def entry(
    plan: Plan, name: str, cube: "xr.Dataset", verdict: Mapping[str, Any], head: Mapping[str, Any]
) -> dict[str, Any]:
    """What the ledger says of one study.

    Args:
        plan: the plan that the results belong to.
        name: the study.
        cube: its verified cube.
        verdict: the record of ``verdict.json``.
        head: `dlatlas.identity.git.head` of a clean checkout.
    """
    study = plan.lab.study(name)
    digests = {claim.name: claim_digest(claim, study) for claim in study.claims}
    made = read_json(plan.stamp(name, "cube")).get("cost", {})
    machine = made.get("machine", {})
    held = json.loads(cube.attrs.get("versions", "{}"))
    versions = {
        key: {**held, **made.get("versions", {})}.get(key) for key in ("torch", "numpy", "scipy", "xarray", "zarr")
    }
    return {
        "scale": verdict["scale"],
        "runs": verdict["runs"],
        "status": verdict["status"],
        "code": plan.codes(name),
        "params": params_digest(plan, name),
        "data": data_digest(plan, name),
        "cube": verdict["cube"],
        "seeds": verdict["seeds"],
        "variables": {str(key): summary(cube[key]) for key in cube.data_vars},
        "verdict": {
            "verdict": verdict["verdict"],
            "claims": {
                claim["name"]: {**_claim(claim), "digest": digests.get(claim["name"], "")}
                for claim in verdict["claims"]
            },
        },
        "versions": {**versions, "python": machine.get("python"), "dlatlas": __version__},
        "processor": machine.get("processor"),
        "commit": head["commit"],
        "date": head["date"],
    }


def _claim(claim: Mapping[str, Any]) -> dict[str, Any]:
    low, high = claim["interval"]
    numbers = {
        "estimate": claim["estimate"],
        "low": low,
        "high": high,
        "p": claim["rival"]["p"],
        "control": claim["control"]["estimate"],
    }
    rounded = {key: None if value is None else significant(value) for key, value in numbers.items()}
    said = {key: claim[key] for key in ("verdict", "basis", "close")}
    return {**said, "control_fails": claim["control"]["fails"], **rounded}


def params_digest(plan: Plan, name: str) -> str:
    """Digest of what a params file says at the plan's scale, defaults filled in; comments and order do not count."""
    sweep = plan.sweep(name)
    return digest([sweep.dims, list(sweep.dims), sweep.fixed, list(sweep.measures), sweep.scale])


def data_digest(plan: Plan, name: str) -> str | None:
    """Digest of the prepared data sets that a study reads; None if it reads none."""
    held = plan.data(name)
    return digest(held) if held else None


def summary(variable: "xr.DataArray") -> dict[str, Any]:
    """Count, mean, standard deviation and quantiles of the finite values, spread over seeds, digest of all values."""
    values = np.asarray(variable.values)
    finite = values[np.isfinite(values)].astype(np.float64)
    numbers = {"mean": math.nan, "sd": math.nan, **{f"{level:g}": math.nan for level in QUANTILES}}
    if len(finite):
        levels = np.quantile(finite, QUANTILES)
        with np.errstate(over="ignore", invalid="ignore"):  # the last numbers of a diverging run
            numbers = {"mean": float(finite.mean()), "sd": float(finite.std())}
        numbers |= {f"{level:g}": float(value) for level, value in zip(QUANTILES, levels)}
    rounded = {key: significant(value) for key, value in numbers.items()}
    mean, sd = rounded.pop("mean"), rounded.pop("sd")
    seeds = variable.get_axis_num("seed") if "seed" in variable.dims else None
    error = None if seeds is None else standard_error(values, seeds)
    return {
        "n": len(finite),
        "mean": mean,
        "sd": sd,
        "quantiles": rounded,
        "standard_error": None if error is None else significant(error),
        "digest": variable_digest(values),
    }


def standard_error(values: NDArray[np.generic], axis: int) -> float | None:
    """The typical standard error over seeds: sd / sqrt(seeds) at each point of the sweep, the median of the points.

    Only finite values count, and only points with two of them or more, since a median of points in which all seeds
    agree would be 0, only those in which they differ; a mean would be that of the runs that are about to diverge.

    Returns:
        None where no point has two seeds, 0 where all seeds agree at every point.
    """
    values = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    count = np.isfinite(values).sum(axis)
    if not (count >= 2).any():
        return None
    n = np.maximum(count, 2)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.nansum(values, axis, keepdims=True) / np.expand_dims(n, axis)
        errors = np.sqrt(np.nansum((values - mean) ** 2, axis) / (n - 1) / n)
    errors = errors[(count >= 2) & (errors > 0)]
    return float(np.median(errors)) if len(errors) else 0.0


def variable_digest(values: NDArray[np.generic]) -> str:
    """SHA-256 of values in C order, little endian: the same however a store is chunked and compressed."""
    values = np.ascontiguousarray(values)
    return hashlib.sha256(values.astype(values.dtype.newbyteorder("<"), copy=False).data).hexdigest()


def significant(value: float) -> float | None:
    """A number to `DIGITS` significant digits; None if it is not finite."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
