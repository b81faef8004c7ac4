"""Verdicts: supported, refuted or undecided, computed from a cube.

A claim is a statistic and the values of it that the theory allows. Its uncertainty is over seeds (bootstrap, BCa). It
is supported when the whole interval is allowed, refuted when none of it is, undecided in between. Beside that, its
control must fail by the same rule, and shuffling the measured values along the claim's axis must destroy it.
"""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dlatlas.cubes.cube import with_fixed
from dlatlas.declare.bounds import Bounds
from dlatlas.declare.statistic import Statistic
from dlatlas.errors import AtlasError, InputError
from dlatlas.identity import chance
from dlatlas.identity.streams import stream
from dlatlas.judging.reduction import LeaveOneOut
from dlatlas.judging.sample import Sample, Shuffle
from dlatlas.judging.words import quantity

if TYPE_CHECKING:
    import xarray as xr

    from dlatlas.declare.claim import Claim
    from dlatlas.declare.study import Study

Outcome = Literal["supported", "refuted", "undecided"]

CONFIDENCE = 0.95
DRAWS = 499
"""Bootstrap draws of the seeds."""
SHUFFLES = 199
"""Permutations of the measured values; the smallest p-value is 1/200."""
LEVEL = 0.05
"""A claim whose permutation p-value exceeds this is not supported."""
ROUND_OFF = 1e-9
"""Relative: numbers this near to each other are the same but for the order of sums."""


def outcome(interval: tuple[float, float], expected: Bounds) -> Outcome:
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
    cube = with_fixed(cube.load())
    with chance.forbidden(f"study {cube.attrs.get('study')}: theory or a claim", "a generator of a seed of its own"):
        try:
            theory = study.theory(cube)
        except KeyError as error:
            raise InputError(f"study {cube.attrs.get('study')}: theory: {error.args[0]}") from error
        claims = [judge_claim(claim, cube, theory, study) for claim in study.claims]
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


def judge_claim(
    claim: "Claim", cube: "xr.Dataset", theory: "xr.Dataset", study: "Study | None" = None
) -> dict[str, Any]:
    """One claim: estimate, interval, control and permutation test."""
    name = str(cube.attrs.get("study"))
    for variable in claim.only:
        if variable not in cube:
            raise InputError(f"study {name}: claim {claim.name}: the cube has no variable {variable!r} to shuffle")
    sample = Sample(cube, theory, study.observables if study else {})
    key = f"{name}/{claim.name}"
    with _told(name, claim.name):
        estimate, interval = _estimated(claim.statistic, sample, key)
        control, spread = _estimated(claim.control, sample, f"{key}/control")
        shuffled = claim.statistic.values(sample.shuffled(permutations(claim, cube, key)))
    p = p_value(estimate, shuffled, claim.expected)
    least, most = claim.expected.bounds()
    found, controlled = outcome(interval, claim.expected), outcome(spread, claim.expected)
    verdict, reason = _conclude(found, controlled, p)
    if lacking := _lacking(estimate, interval, cube):
        verdict, reason = "undecided", lacking
    elif found == "supported" and not math.isfinite(control):  # what is refuted is so without a control
        verdict = "undecided"
        reason = "the control has no value, so the test cannot tell the theory from its absence"
    return {
        "name": claim.name,
        "statement": claim.statement,
        "source": claim.source,
        "quantity": quantity(claim.statistic, study, cube),
        "expected": str(claim.expected),
        "why": claim.why,
        "bounds": [_json(least), _json(most)],
        "estimate": _json(estimate),
        "interval": [_json(interval[0]), _json(interval[1])],
        "seeds": int(cube.sizes.get("seed", 1)),
        "runs": int((cube["status"] <= 1).sum()),
        "verdict": verdict,
        "reason": reason,
        "control": {
            "statement": claim.because,
            "quantity": quantity(claim.control, study, cube),
            "estimate": _json(control),
            "interval": [_json(spread[0]), _json(spread[1])],
            "fails": controlled == "refuted",
        },
        "permutation": {
            "along": claim.shuffle,
            "draws": len(shuffled),
            "p": p,
            "still_supporting": float(np.mean([least <= value <= most for value in shuffled])),
        },
    }


@contextmanager
def _told(study: str, claim: str) -> Iterator[None]:
    """Errors of a statistic in one line that names study and claim."""
    where = f"study {study}: claim {claim}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            yield
    except KeyError as error:
        raise InputError(f"{where}: {error.args[0]}") from error
    except AtlasError as error:
        raise type(error)(f"{where}: {error}") from error
    except Exception as error:
        raise AtlasError(f"{where}: {type(error).__name__}: {error}") from error


def _estimated(statistic: Statistic, sample: Sample, key: str) -> tuple[float, tuple[float, float]]:
    """A statistic of a cube and its interval over draws of the seeds."""
    estimate = float(statistic.values(sample)[0])
    return estimate, bootstrap(statistic, sample, estimate, key)


def _conclude(found: Outcome, controlled: Outcome, p: float | None) -> tuple[Outcome, str]:
    if found == "refuted":
        return "refuted", "the whole interval lies outside what the theory allows"
    if found == "undecided":
        return "undecided", "the interval straddles the edge of what the theory allows"
    if controlled != "refuted":
        return "undecided", "the control does not fail, so the test cannot tell the theory from its absence"
    if p is not None and p > LEVEL:
        return "undecided", f"shuffled measurements do as well (p = {p:.2g})"
    return "supported", "the whole interval is allowed, the control fails, shuffling destroys it"


def _lacking(estimate: float, interval: tuple[float, float], cube: "xr.Dataset") -> str:
    """What any verdict needs and this one does not have, "" if it has all."""
    if not math.isfinite(estimate):
        return "no value: the statistic is not defined on what was measured"
    if math.isnan(interval[0]):
        few = int(cube.sizes.get("seed", 1)) < 2
        return "no interval: " + ("one seed" if few else "for some draws of the seeds the statistic has no value")
    return ""


def _json(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def bootstrap(statistic: Statistic, sample: Sample, estimate: float, key: str) -> tuple[float, float]:
    """The 95 % interval of a statistic over draws of the seeds (BCa; Efron 1987), or NaN where there are too few.

    Where every draw gives the same number the interval is that number; where leaving out one seed never changes it,
    or has no value, the interval is that of the percentiles.
    """
    from scipy.stats import norm

    seeds = int(sample.cube.sizes.get("seed", 1))
    if math.isnan(estimate) or seeds < 2:
        return math.nan, math.nan
    drawn = statistic.values(sample.drawn(stream(key, "bootstrap").integers(0, seeds, (DRAWS, seeds))))
    if not np.isfinite(drawn).all():
        return math.nan, math.nan
    if np.ptp(drawn) <= 1e-12 * max(1.0, abs(estimate)):
        return estimate, estimate
    tails = np.array([1 - CONFIDENCE, 1 + CONFIDENCE]) / 2
    left_out = statistic.values(sample.drawn(LeaveOneOut(seeds)))
    off = left_out.mean() - left_out
    tie = ROUND_OFF * (abs(estimate) + np.ptp(drawn))  # of few seeds many draws are all of them in another order
    near = (np.sum(drawn < estimate - tie) + np.sum(drawn <= estimate + tie)) / (2 * DRAWS)
    bias, moved = norm.ppf(near), norm.ppf(near) + norm.ppf(tails)
    with np.errstate(divide="ignore", invalid="ignore"):
        acceleration = (off**3).sum() / (6 * (off**2).sum() ** 1.5)
        levels = norm.cdf(bias + moved / (1 - acceleration * moved))
    low, high = np.quantile(drawn, levels if np.isfinite(levels).all() else tails)
    return float(low), float(high)


def permutations(claim: "Claim", cube: "xr.Dataset", key: str) -> Shuffle:
    """The shuffles of the measured variables along the claim's dimension, seed by seed.

    Within a seed one permutation serves all variables and all other dimensions, so that only the link between the
    axis and the measurement is cut. Coordinates and theory stay where they are.

    Raises:
        InputError: the cube has no such dimension.
    """
    along = claim.shuffle
    if along not in cube.dims:
        raise InputError(f"claim {claim.name}: cannot permute along {along!r}: the cube has {list(cube.dims)}")
    rng = stream(key, "permutation")
    size, seeds = cube.sizes[along], cube.sizes.get("seed", 1)
    if "seed" in cube.dims and along != "seed":
        orders = rng.permuted(np.tile(np.arange(size), (SHUFFLES * seeds, 1)), axis=1).reshape(SHUFFLES, seeds, size)
    else:
        orders = np.array([rng.permutation(size) for _ in range(SHUFFLES)])
    return Shuffle(along, orders, claim.only)


def p_value(estimate: float, shuffled: NDArray[np.float64], expected: Bounds) -> float | None:
    """The share of shuffles that come as near to the theory as the estimate, itself counted among them.

    None where there is no estimate.
    """
    if not math.isfinite(estimate):
        return None
    miss = expected.miss(estimate)
    missed = np.array([math.inf if math.isnan(value) else expected.miss(value) for value in shuffled])
    near = missed <= miss + ROUND_OFF * max(abs(estimate), abs(miss)) if math.isfinite(miss) else missed <= miss
    return float((1 + np.sum(near)) / (1 + len(missed)))


def summary(record: dict[str, Any]) -> str:
    """A study's verdict in one line a claim, for the terminal."""
    lines = [f"{record['study']}: {record['verdict']}, {record['runs']:,} runs at scale {record['scale']}"]
    for claim in record["claims"]:
        low, high = claim["interval"]
        lines.append(
            f"  {claim['verdict']:<10} {claim['name']}: {show(claim['estimate'])} [{show(low)}, {show(high)}], "
            f"expected {claim['expected']}; control {show(claim['control']['estimate'])} "
            f"{'fails' if claim['control']['fails'] else 'does not fail'}; {told(claim['permutation']['p'])}"
        )
    return "\n".join(lines)


def told(p: float | None) -> str:
    """A p-value in words."""
    return "no p" if p is None else f"p = {p:.3f}"


def show(value: float | None) -> str:
    """A number to three digits, or a dash."""
    return "–" if value is None else f"{value:.3g}"
