"""Verdicts: supported, refuted or undecided, computed from a cube.

A claim is a statistic and the values of it that the theory allows. Its uncertainty is over seeds (bootstrap, BCa). It
is supported when the whole interval is allowed, refuted when none of it is, undecided in between. Beside that, its
control must fail by the same rule, and shuffling the measured values along the claim's axis must destroy it.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import AtlasError, InputError
from dlatlas.identity.streams import stream
from dlatlas.judging.statistics import narrowed

if TYPE_CHECKING:
    import xarray as xr

    from dlatlas.declare.study import Claim, Statistic, Study

Outcome = Literal["supported", "refuted", "undecided"]

CONFIDENCE = 0.95
DRAWS = 499
"""Bootstrap draws of the seeds."""
SHUFFLES = 199
"""Permutations of the measured values; the smallest p-value is 1/200."""
LEVEL = 0.05
"""A claim whose permutation p-value exceeds this is not supported."""


@dataclass(frozen=True)
class Equals:
    """The statistic lies within ``tolerance`` of ``value``: an equivalence test, both stated in advance."""

    value: float
    tolerance: float

    def miss(self, estimate: float) -> float:
        """How far the estimate is from the theory, in units of the tolerance."""
        return abs(estimate - self.value) / self.tolerance

    def bounds(self) -> tuple[float, float]:
        """The allowed values."""
        return self.value - self.tolerance, self.value + self.tolerance

    def __str__(self) -> str:
        return f"{self.value:.4g} ± {self.tolerance:.2g}"


@dataclass(frozen=True)
class AtLeast:
    """The statistic is ``bound`` or more."""

    bound: float

    def miss(self, estimate: float) -> float:
        """How far the estimate falls short; negative inside."""
        return self.bound - estimate

    def bounds(self) -> tuple[float, float]:
        """The allowed values."""
        return self.bound, math.inf

    def __str__(self) -> str:
        return f"≥ {self.bound:.4g}"


@dataclass(frozen=True)
class AtMost:
    """The statistic is ``bound`` or less."""

    bound: float

    def miss(self, estimate: float) -> float:
        """How far the estimate exceeds the bound; negative inside."""
        return estimate - self.bound

    def bounds(self) -> tuple[float, float]:
        """The allowed values."""
        return -math.inf, self.bound

    def __str__(self) -> str:
        return f"≤ {self.bound:.4g}"


Expectation = Equals | AtLeast | AtMost


def outcome(interval: tuple[float, float], expected: Expectation) -> Outcome:
    """Supported if the interval lies inside what is allowed, refuted if outside, undecided if it straddles."""
    low, high = interval
    least, most = expected.bounds()
    if math.isnan(low) or math.isnan(high):
        return "undecided"
    if least <= low and high <= most:
        return "supported"
    if high < least or low > most:
        return "refuted"
    return "undecided"


def judge_study(study: "Study", cube: "xr.Dataset") -> dict[str, Any]:
    """The verdicts of all claims of a study, from its cube alone.

    Returns:
        A record for ``verdict.json``: per claim the estimate, its interval, the control's, the permutation p-value
        and the verdict with its reason; the study's verdict is refuted if any claim is, supported if all are.

    Raises:
        InputError: the cube lacks a variable that a claim needs.
        AtlasError: a statistic that raises.
    """
    cube = cube.load()
    try:
        theory = study.theory(cube)
    except KeyError as error:
        raise InputError(f"study {cube.attrs.get('study')}: theory: {error.args[0]}") from error
    claims = [judge_claim(claim, cube, theory) for claim in study.claims]
    outcomes = {record["verdict"] for record in claims}
    whole = "refuted" if "refuted" in outcomes else "undecided" if "undecided" in outcomes else "supported"
    status = cube["status"].values
    words = cube["status"].attrs["flag_meanings"].split()
    return {
        "study": cube.attrs["study"],
        "title": study.title,
        "scale": cube.attrs["scale"],
        "verdict": whole,
        "runs": int(status.size),
        "status": {word: int((status == value).sum()) for value, word in enumerate(words)},
        "claims": claims,
    }


def judge_claim(claim: "Claim", cube: "xr.Dataset", theory: "xr.Dataset") -> dict[str, Any]:
    """One claim: estimate, interval, control and permutation test."""
    study = str(cube.attrs.get("study"))

    def evaluate(statistic: "Statistic", cube: "xr.Dataset") -> float:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                return float(statistic(cube, theory))
        except KeyError as error:
            raise InputError(f"study {study}: claim {claim.name}: {error.args[0]}") from error
        except AtlasError:
            raise
        except Exception as error:
            raise AtlasError(f"study {study}: claim {claim.name}: {type(error).__name__}: {error}") from error

    for name in claim.shuffled:
        if name not in cube:
            raise InputError(f"study {study}: claim {claim.name}: the cube has no variable {name!r} to shuffle")
    key = f"{study}/{claim.name}"
    statistic, contrast = claim.measured(), claim.controlled()
    estimate = evaluate(statistic, cube)
    lean = needed(statistic, cube, theory, estimate)
    interval = bootstrap(statistic, *_within(lean, theory, statistic), estimate, key)
    shuffled = permutations(claim, lean, lambda data: evaluate(statistic, data), key)
    control = evaluate(contrast, cube)
    lean = needed(contrast, cube, theory, control)
    spread = bootstrap(contrast, *_within(lean, theory, contrast), control, f"{key}/control")
    missed = np.array([math.inf if math.isnan(value) else claim.expected.miss(value) for value in shuffled])
    p = float((1 + np.sum(missed <= claim.expected.miss(estimate))) / (1 + len(missed)))
    least, most = claim.expected.bounds()
    found, controlled = outcome(interval, claim.expected), outcome(spread, claim.expected)
    verdict, reason = _conclude(found, controlled, p)
    return {
        "name": claim.name,
        "statement": claim.statement,
        "source": claim.source,
        "quantity": claim.quantity,
        "expected": str(claim.expected),
        "bounds": [_json(least), _json(most)],
        "estimate": _json(estimate),
        "interval": [_json(interval[0]), _json(interval[1])],
        "seeds": int(cube.sizes.get("seed", 1)),
        "runs": int((cube["status"] <= 1).sum()),
        "verdict": verdict,
        "reason": reason,
        "control": {
            "statement": claim.control.statement,
            "estimate": _json(control),
            "interval": [_json(spread[0]), _json(spread[1])],
            "fails": controlled == "refuted",
        },
        "permutation": {
            "along": claim.permute,
            "draws": len(missed),
            "p": p,
            "still_supporting": float(np.mean([least <= value <= most for value in shuffled])),
        },
    }


def _conclude(found: Outcome, controlled: Outcome, p: float) -> tuple[Outcome, str]:
    if found == "refuted":
        return "refuted", "the whole interval lies outside what the theory allows"
    if found == "undecided":
        return "undecided", "the interval straddles the edge of what the theory allows"
    if controlled != "refuted":
        return "undecided", "the control does not fail, so the test cannot tell the theory from its absence"
    if p > LEVEL:
        return "undecided", f"shuffled measurements do as well (p = {p:.2g})"
    return "supported", "the whole interval is allowed, the control fails, shuffling destroys it"


def _json(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def bootstrap(
    statistic: "Statistic", cube: "xr.Dataset", theory: "xr.Dataset", estimate: float, key: str
) -> tuple[float, float]:
    """The 95 % interval of a statistic over draws of the seeds (BCa; Efron 1987), or NaN where there are too few.

    Where every draw gives the same number the interval is that number.
    """
    from scipy import stats

    seeds = int(cube.sizes.get("seed", 1))
    if math.isnan(estimate) or seeds < 2:
        return math.nan, math.nan

    def of(index: NDArray[np.int64]) -> float:
        chosen = np.sort(np.asarray(index, dtype=np.int64))
        return float(statistic(_pick(cube, chosen), _pick(theory, chosen)))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in ("BCa", "percentile"):
            result = stats.bootstrap(
                (np.arange(seeds),),
                of,
                vectorized=False,
                n_resamples=DRAWS,
                confidence_level=CONFIDENCE,
                method=method,
                rng=stream(key, "bootstrap"),
            )
            low, high = (float(value) for value in result.confidence_interval)
            drawn = result.bootstrap_distribution[np.isfinite(result.bootstrap_distribution)]
            if len(drawn) == DRAWS and np.ptp(drawn) <= 1e-12 * max(1.0, abs(estimate)):
                return estimate, estimate
            if math.isfinite(low) and math.isfinite(high):
                return low, high
    return math.nan, math.nan


def needed(statistic: "Statistic", cube: "xr.Dataset", theory: "xr.Dataset", estimate: float) -> "xr.Dataset":
    """The cube without the variables that the statistic does not look at, so that a draw copies little."""
    for name in sorted(cube.data_vars, key=lambda name: -cube[name].size):
        less = cube.drop_vars(name)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = float(statistic(less, theory))
        except Exception:  # noqa: S112  it is needed
            continue
        if found == estimate or (math.isnan(found) and math.isnan(estimate)):
            cube = less
    return cube


def _within(cube: "xr.Dataset", theory: "xr.Dataset", statistic: "Statistic") -> tuple["xr.Dataset", "xr.Dataset"]:
    """What the statistic will select of both, so that a draw selects from little; selecting twice changes nothing."""
    return narrowed(cube, theory, getattr(statistic, "keywords", {}).get("where"))


def _pick(data: "xr.Dataset", seeds: NDArray[np.int64]) -> "xr.Dataset":
    return data.isel(seed=seeds) if "seed" in data.dims else data


def permutations(
    claim: "Claim", cube: "xr.Dataset", evaluate: Callable[["xr.Dataset"], float], key: str
) -> NDArray[np.float64]:
    """The statistic after shuffling the measured variables along the claim's dimension, seed by seed.

    Within a seed one permutation serves all variables and all other dimensions, so that only the link between the
    axis and the measurement is cut. Coordinates and theory stay where they are.

    Raises:
        InputError: the cube has no such dimension.
    """
    import xarray as xr

    if claim.permute not in cube.dims:
        raise InputError(f"claim {claim.name}: cannot permute along {claim.permute!r}: the cube has {list(cube.dims)}")
    movable = [name for name, value in cube.data_vars.items() if claim.permute in value.dims and name != "status"]
    names = [name for name in movable if name in claim.shuffled] if claim.shuffled else movable
    rng = stream(key, "permutation")
    size, seeds = cube.sizes[claim.permute], cube.sizes.get("seed", 1)
    per_seed = "seed" in cube.dims and claim.permute != "seed"
    values = []
    for _ in range(SHUFFLES):
        order = rng.permuted(np.tile(np.arange(size), (seeds, 1)), axis=1) if per_seed else rng.permutation(size)
        moved = {}
        for name in names:
            array = cube[name]
            if per_seed and "seed" in array.dims:
                axis = (array.get_axis_num("seed"), array.get_axis_num(claim.permute))
                content = np.moveaxis(array.values, axis, (0, 1))
                content = np.moveaxis(content[np.arange(seeds)[:, None], order], (0, 1), axis)
            else:
                one = order[0] if per_seed else order
                content = np.take(array.values, one, axis=array.get_axis_num(claim.permute))
            moved[name] = xr.Variable(array.dims, content, array.attrs)
        values.append(evaluate(cube.assign(moved)))
    return np.array(values)


def summary(record: dict[str, Any]) -> str:
    """A study's verdict in one line a claim, for the terminal."""
    lines = [f"{record['study']}: {record['verdict']}, {record['runs']:,} runs at scale {record['scale']}"]
    for claim in record["claims"]:
        low, high = claim["interval"]
        lines.append(
            f"  {claim['verdict']:<10} {claim['name']}: {show(claim['estimate'])} [{show(low)}, {show(high)}], "
            f"expected {claim['expected']}; control {show(claim['control']['estimate'])} "
            f"{'fails' if claim['control']['fails'] else 'does not fail'}; p = {claim['permutation']['p']:.3f}"
        )
    return "\n".join(lines)


def show(value: float | None) -> str:
    """A number to three digits, or a dash."""
    return "–" if value is None else f"{value:.3g}"
