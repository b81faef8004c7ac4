"""Two makings of one study, compared: cubes, summaries in the ledger, verdicts; figures in `pictures`.

What counts as the same:

- **identical**: every value of every variable has the same bits; the figures have the same bytes but for the signature
  inside them (commit, digests); the verdict has the same words, and the same numbers to the `DIGITS` that the ledger
  keeps.
- **within tolerance**: at every point of the sweep the mean over seeds has moved by at most its own standard error,
  and the runs themselves, root mean square over seeds, by at most the seed-to-seed standard deviation. The first says
  that the figure would be drawn inside its own error bars, the second that these are the same runs: fresh random
  numbers give about 1.4. A claim's estimate has moved by at most its standard error, and every verdict is the same.
  Where seeds do not differ, or there is one, the unit is what single precision carries through a computation
  (`ROUNDING`, relative). So much may differ between processors, thread counts and library versions.
- **different**: anything else. A NaN that comes or goes, another status, a variable or coordinate that is missing or
  new, and another verdict are differences whatever the size of the numbers.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

Outcome = Literal["identical", "within tolerance", "different"]
OUTCOMES: tuple[Outcome, ...] = ("identical", "within tolerance", "different")
"""From best to worst."""

TOLERANCE = 1.0
"""Standard errors that a number may move by."""
ROUNDING = 1e-5
"""Relative deviation that stands for a standard error where seeds agree: about 100 roundings of float32."""
TINY = 1e-12
"""The same for values near zero, relative to the median magnitude of the variable."""
DIGITS = 6
COMPARED = ("verdict", "control_fails", "estimate", "low", "high", "p", "control")
"""What is compared of a claim."""
"""Significant digits to which the numbers of verdicts are compared."""
ROUNDED = ROUNDING + 10.0 ** (1 - DIGITS)
"""As `ROUNDING`, for numbers that were rounded to so many digits."""
NORMAL = 1.96
"""Half a 95 % interval in standard errors."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not bit for bit the same.

    Attributes:
        what: e.g. ``variable train_loss``, ``coordinate seed``, ``claim edge at two``, ``figure.png``.
        outcome: within tolerance or different.
        said: one line: how it differs, where and by how much.
        deviation: in standard errors, where that means anything.
        at: coordinates of the largest deviation.
    """

    what: str
    outcome: Outcome
    said: str
    deviation: float | None = None
    at: Mapping[str, Any] = field(default_factory=dict)


def worst(outcomes: Iterable[Outcome | None]) -> Outcome | None:
    """The worst of some outcomes; None, which says that nothing could be compared, counts only if all are."""
    found = [OUTCOMES.index(outcome) for outcome in outcomes if outcome is not None]
    return OUTCOMES[max(found)] if found else None


def outcome_of(differences: Iterable[Difference]) -> Outcome:
    """Identical if there are none, otherwise the worst of them."""
    return worst(difference.outcome for difference in differences) or "identical"


def largest(differences: Iterable[Difference]) -> Difference | None:
    """The worst difference, and of those the one that deviates most."""
    key = lambda item: (OUTCOMES.index(item.outcome), item.deviation if item.deviation is not None else math.inf)  # noqa: E731
    return max(differences, key=key, default=None)


# Cubes.


def compare_cubes(was: "xr.Dataset", now: "xr.Dataset") -> list[Difference]:
    """What differs between two cubes: coordinates, then variables, by name. Attributes and chunks are not compared."""
    found = [item for name in _both(was.coords, now.coords) for item in _coordinate(name, was, now)]
    for dim in _both(was.sizes, now.sizes):
        old, new = was.sizes.get(dim), now.sizes.get(dim)
        if dim not in was.coords and dim not in now.coords and old != new:
            found.append(Difference(f"dimension {dim}", "different", f"{new or 'no'} long, was {old or 'none'}"))
    for name in _both(was.data_vars, now.data_vars):
        if name not in now:
            found.append(Difference(f"variable {name}", "different", "missing"))
        elif name not in was:
            found.append(Difference(f"variable {name}", "different", "new"))
        else:
            found += _variable(str(name), was[name], now[name])
    return found


def _both(was: Iterable[Any], now: Iterable[Any]) -> list[str]:
    was = [str(name) for name in was]
    return [*was, *(str(name) for name in now if str(name) not in was)]


def _coordinate(name: str, was: "xr.Dataset", now: "xr.Dataset") -> list[Difference]:
    what = f"coordinate {name}"
    if name not in now.coords or name not in was.coords:
        return [Difference(what, "different", "missing" if name not in now.coords else "new")]
    old, new = was.coords[name].values, now.coords[name].values
    if same_bits(old, new):
        return []
    numeric = old.dtype.kind in "biuf" and new.dtype.kind in "biuf"
    if old.shape == new.shape and numeric and np.allclose(old, new, rtol=ROUNDING, atol=0, equal_nan=True):
        return [Difference(what, "within tolerance", f"{_shift(old, new):.1e} apart, relative")]
    if old.shape == new.shape and not numeric and (old == new).all():
        return []
    gone, more = [[x for x in a.ravel().tolist() if x not in b.ravel().tolist()] for a, b in ((old, new), (new, old))]
    said = [f"{word} {_some(values)}" for word, values in (("without", gone), ("with the new", more)) if values]
    return [Difference(what, "different", " and ".join(said) or "in another order")]


def _shift(old: NDArray[Any], new: NDArray[Any]) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.nanmax(np.abs(new / old - 1), initial=0.0))


def _some(values: list[Any], most: int = 4) -> str:
    shown = ", ".join(_number(value) for value in values[:most])
    return shown + (f", … ({len(values)})" if len(values) > most else "")


def same_bits(was: NDArray[Any], now: NDArray[Any]) -> bool:
    """Whether two arrays have the same type, shape and bits; text and objects are compared by value."""
    if was.shape != now.shape or was.dtype != now.dtype:
        return False
    if was.dtype.hasobject or was.dtype.kind not in "biufc":
        return bool(np.all(was == now))
    return np.ascontiguousarray(was).tobytes() == np.ascontiguousarray(now).tobytes()


def _variable(name: str, was: "xr.DataArray", now: "xr.DataArray") -> list[Difference]:
    what = f"variable {name}"
    if was.dims != now.dims:
        return [Difference(what, "different", f"along ({', '.join(now.dims)}), was ({', '.join(was.dims)})")]
    if was.shape != now.shape:
        return [Difference(what, "different", f"of shape {now.shape}, was {was.shape}")]
    old, new = was.values, now.values
    if same_bits(old, new):
        return []
    if "flag_meanings" in was.attrs or old.dtype.kind not in "biuf" or new.dtype.kind not in "biuf":
        changed = np.asarray(old != new)
        if not changed.any():
            return [Difference(what, "within tolerance", f"kept as {new.dtype}, was {old.dtype}", 0.0)]
        place = _first(changed)
        words = _words(was), _words(now)
        before, after = (_flag(values[place], said) for values, said in zip((old, new), words))
        said = f"{changed.sum():,} of {changed.size:,} changed, first {before} → {after}"
        at = coordinates(was, place)
        return [Difference(what, "different", f"{said} {_where(at)}", at=at)]
    kinds = _kind(old), _kind(new)
    changed = kinds[0] != kinds[1]
    if changed.any():
        place = _first(changed)
        at = coordinates(was, place)
        before, after = _number(old[place]), _number(new[place])
        said = f"NaN or infinite elsewhere: {changed.sum():,} of {changed.size:,} values, first {before} → {after}"
        return [Difference(what, "different", f"{said} {_where(at)}", at=at)]
    seed = was.dims.index("seed") if "seed" in was.dims else None
    far, before, after = deviations(old.astype(np.float64), new.astype(np.float64), seed)
    place = np.unravel_index(int(np.argmax(far)), far.shape)
    at = coordinates(was if seed is None else was.isel(seed=0, drop=True), place)
    size = float(far[place])
    said = f"{size:.2g} standard errors {_where(at)}: " + (
        f"{'mean over seeds ' if seed is not None else ''}{_number(before[place])} → {_number(after[place])} "
        f"({after[place] - before[place]:+.2g})"
    )
    return [Difference(what, "within tolerance" if size <= TOLERANCE else "different", said, size, at)]


def _kind(values: NDArray[Any]) -> NDArray[np.int8]:
    values = values.astype(np.float64)
    return np.where(np.isnan(values), 1, np.where(np.isinf(values), np.sign(np.nan_to_num(values)) + 3, 0)).astype(
        np.int8
    )


def _words(variable: "xr.DataArray") -> dict[int, str]:
    values = np.atleast_1d(variable.attrs.get("flag_values", [])).tolist()
    return dict(zip(values, str(variable.attrs.get("flag_meanings", "")).split()))


def _flag(value: Any, words: Mapping[int, str]) -> str:  # noqa: ANN401
    return words.get(value.item(), str(value)) if words else str(value)


def _first(changed: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(changed)), changed.shape))


def coordinates(variable: "xr.DataArray", place: Iterable[Any]) -> dict[str, Any]:
    """What the dimensions of a variable are at a place in its array."""
    return {
        str(dim): variable.coords[dim].values[i].item() if dim in variable.coords else int(i)
        for dim, i in zip(variable.dims, place)
    }


def _where(at: Mapping[str, Any]) -> str:
    return "at " + ", ".join(f"{dim} = {_number(value)}" for dim, value in at.items()) if at else "there"


def _number(value: Any) -> str:  # noqa: ANN401
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)


def deviations(
    was: NDArray[np.float64], now: NDArray[np.float64], seed: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """How far each point has moved, in units of the seed-to-seed spread of ``was``, and its two means over seeds.

    Args:
        was: the reference; NaN and infinities are left out.
        now: of the same shape, NaN and infinite at the same places.
        seed: the position of the seeds' dimension, which the result does not have; None if there is none.

    Returns:
        The larger of |shift of the mean| / standard error and (root mean square shift of the runs) / standard
        deviation, and the means, each ``(points...)``.
    """
    good = np.isfinite(was)
    was, now = np.where(good, was, 0.0), np.where(good, now, 0.0)
    magnitude = np.abs(was)
    typical = float(np.median(magnitude[good])) if good.any() else 0.0
    if seed is None:
        seed, was, now, good, magnitude = 0, was[None], now[None], good[None], magnitude[None]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        scale = magnitude.max(seed, keepdims=True)  # so that no square overflows or vanishes
        scale = np.where(scale > 0, scale, typical or 1.0)
        old, new = was / scale, now / scale
        count = np.maximum(good.sum(seed), 1)
        mean = old.sum(seed, keepdims=True) / np.expand_dims(count, seed)
        spread = np.where(good, old - mean, 0.0)
        sd = np.sqrt((spread**2).sum(seed) / np.maximum(count - 1, 1))
        shift = new - old
        floor = np.maximum(
            ROUNDING * magnitude.max(seed) / np.squeeze(scale, seed), TINY * typical / np.squeeze(scale, seed)
        )
        moved = np.abs(shift.sum(seed)) / count
        rms = np.sqrt((shift**2).sum(seed) / count)
        far = np.maximum(_ratio(moved, np.maximum(sd / np.sqrt(count), floor)), _ratio(rms, np.maximum(sd, floor)))
        return far, was.sum(seed) / count, now.sum(seed) / count


def _ratio(shift: NDArray[np.float64], unit: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = np.where(shift == 0, 0.0, shift / np.where(unit > 0, unit, 1.0))
    return np.where((unit == 0) & (shift != 0), np.inf, np.nan_to_num(ratio, nan=np.inf, posinf=np.inf))


# The ledger.


def compare_summaries(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """What differs between the variables of two ledger entries: by digest, then by count, mean, sd and quantiles.

    The unit is the entry's typical standard error over seeds: a summary cannot say more.
    """
    found = []
    for name in _both(was, now):
        what = f"variable {name}"
        if name not in now or name not in was:
            found.append(Difference(what, "different", "missing" if name not in now else "new"))
        elif was[name]["digest"] != now[name]["digest"]:
            found.append(_summary(what, was[name], now[name]))
    return found


def _summary(what: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Difference:
    if was["n"] != now["n"]:
        return Difference(what, "different", f"{now['n']:,} finite values, were {was['n']:,}")
    old, new = (
        {"mean": record["mean"], "sd": record["sd"], **{f"quantile {k}": v for k, v in record["quantiles"].items()}}
        for record in (was, now)
    )
    typical = abs(old.get("quantile 0.5") or 0.0)
    size, said = 0.0, "other bits, the same summary"
    for key in old:
        if old[key] == new.get(key):
            continue
        if old[key] is None or new.get(key) is None:
            return Difference(what, "different", f"{key} {new.get(key)}, was {old[key]}")
        unit = max(was["standard_error"] or 0.0, ROUNDED * abs(old[key]), TINY * typical)
        far = abs(new[key] - old[key]) / unit if unit else math.inf
        if far > size:
            size, said = far, f"{far:.2g} standard errors in its {key}: {_number(old[key])} → {_number(new[key])}"
    return Difference(what, "within tolerance" if size <= TOLERANCE else "different", said, size)


# Verdicts.


def compare_verdicts(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """What differs between two verdicts, each a record of ``verdict.json`` or of the ledger."""
    found = []
    if was["verdict"] != now["verdict"]:
        found.append(Difference("verdict", "different", f"{was['verdict']} → {now['verdict']}"))
    old, new = _claims(was), _claims(now)
    for name in _both(old, new):
        what = f"claim {name}"
        if name not in new or name not in old:
            found.append(Difference(what, "different", "missing" if name not in new else "new"))
        elif old[name] != new[name]:
            found.append(_claim(what, old[name], new[name]))
    return found


def _claims(record: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Name -> verdict, whether the control fails, and the numbers, rounded."""
    claims = record["claims"]
    if not isinstance(claims, Mapping):
        claims = {
            claim["name"]: {
                "verdict": claim["verdict"],
                "control_fails": claim["control"]["fails"],
                "estimate": claim["estimate"],
                "low": claim["interval"][0],
                "high": claim["interval"][1],
                "p": claim["rival" if "rival" in claim else "permutation"]["p"],  # until December 2026
                "control": claim["control"]["estimate"],
            }
            for claim in claims
        }
    return {
        name: {
            key: float(f"{v:.{DIGITS}g}") if isinstance(v, float | int) else v
            for key, v in claim.items()
            if key in COMPARED
        }
        for name, claim in claims.items()
    }


def _claim(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    if old["verdict"] != new["verdict"]:
        return Difference(what, "different", f"{old['verdict']} → {new['verdict']}")
    if old["control_fails"] != new["control_fails"]:
        said = ["does not fail", "fails"]
        return Difference(
            what,
            "different",
            f"its control {said[bool(new['control_fails'])]}, then it {said[bool(old['control_fails'])]}",
        )
    before, after = old["estimate"], new["estimate"]
    if before is None or after is None:
        outcome: Outcome = "within tolerance" if before == after else "different"
        return Difference(what, outcome, f"estimate {before} → {after}")
    width = 0.0 if None in (old["low"], old["high"]) else (old["high"] - old["low"]) / 2 / NORMAL
    unit = max(width, ROUNDED * abs(before))
    size = 0.0 if before == after else abs(after - before) / unit if unit else math.inf
    said = f"estimate {_number(before)} → {_number(after)}, {size:.2g} standard errors"
    if before == after:
        said = "the same estimate; its interval, its control's estimate or its p-value differ"
    return Difference(what, "within tolerance" if size <= TOLERANCE else "different", said, size)
