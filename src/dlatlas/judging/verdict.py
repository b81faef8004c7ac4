"""Verdicts, computed from a cube.

A claim is a statistic and the values of it that are allowed. Its uncertainty is over seeds, see
`dlatlas.judging.interval`. It is **supported** when the whole interval is allowed, its control fails by the same rule
and its rival is excluded; **contradicted** when none of the interval is allowed by bounds that the theory or the paper
states; **not reproduced** here when those bounds are ours; and **undecided** otherwise, with the reason.
"""

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from dlatlas.cubes.cube import with_fixed
from dlatlas.declare.bounds import AtLeast, AtMost, Bounds
from dlatlas.declare.claim import Exchangeable, Law, Other
from dlatlas.declare.outcome import Outcome
from dlatlas.declare.statistic import Statistic, combined
from dlatlas.errors import AtlasError, InputError
from dlatlas.identity import chance
from dlatlas.identity.streams import stream
from dlatlas.judging.history import spans
from dlatlas.judging.interval import CONFIDENCE, ROUND_OFF, Extreme, Uncertain, interval, obeyed, p_of, uncertain
from dlatlas.judging.sample import Sample, Shuffle
from dlatlas.judging.words import quantity

if TYPE_CHECKING:
    import xarray as xr

    from dlatlas.declare.claim import Claim, Identity
    from dlatlas.declare.study import Study

SEEDS = 10
"""A verdict needs this many, unless the study says why fewer do."""
SHUFFLES = 199
"""Permutations of the measured values."""
MORE = 1999
"""As many where p is near the level."""
LEVEL = 0.05
"""A claim is supported where its rival has a p-value below this."""
CHANCE = (1 - CONFIDENCE) / 2
"""The probability that an interval ends beyond a truth at the edge of what is allowed, on one side."""


def placed(ends: tuple[float, float], expected: Bounds) -> Literal["inside", "outside", "astride"]:
    """Where an interval lies; astride where it has no value."""
    low, high = ends
    least, most = expected.bounds()
    if math.isnan(low) or math.isnan(high):
        return "astride"
    if least <= low and high <= most:
        return "inside"
    return "outside" if high < least or low > most else "astride"


def judge_study(study: "Study", cube: "xr.Dataset") -> dict[str, Any]:
    """The verdicts of all claims of a study, from its cube alone.

    Returns:
        A record for ``verdict.json``: per claim the estimate, its interval, the control's, the rival's p-value and the
        verdict with its reason. The study's verdict is that of its principal claim, the first; beside it stand how many
        hold, and how many would by chance if every truth lay at the edge of what is allowed.

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
        identities = [verify(each, cube, theory, study) for each in study.identities]
    status = cube["status"].values
    words = cube["status"].attrs["flag_meanings"].split()
    outcomes = [record["verdict"] for record in claims]
    return {
        "schema": 2,
        "study": cube.attrs["study"],
        "title": study.title,
        "scale": cube.attrs["scale"],
        "verdict": outcomes[0],
        "holds": outcomes.count("supported"),
        "seeds": spans(cube["seed"].values) if "seed" in cube.coords else "",
        "by_chance": CHANCE * sum(each != "undecided" for each in outcomes),
        "runs": int(status.size),
        "status": {word: int((status == value).sum()) for value, word in enumerate(words)},
        "claims": claims,
        "identities": identities,
    }


def judge_claim(
    claim: "Claim", cube: "xr.Dataset", theory: "xr.Dataset", study: "Study | None" = None
) -> dict[str, Any]:
    """One claim: estimate, interval, control and rival."""
    name = str(cube.attrs.get("study"))
    if isinstance(claim.rival, Exchangeable):
        for variable in claim.rival.only:
            if variable not in cube:
                raise InputError(f"study {name}: claim {claim.name}: the cube has no variable {variable!r} to shuffle")
    sample = Sample(cube, theory, study.observables if study else {})
    key = f"{name}/{claim.name}"
    with told_of(name, claim.name):
        found = uncertain(claim.statistic, sample, key)
        control = uncertain(claim.control, sample, f"{key}/control")
        ends, spread = interval(found), interval(control)
        rival = _against(claim, found, sample, key)
    fails = placed(spread, claim.expected) == "outside"
    seeds = int(cube.sizes.get("seed", 1))
    verdict, reason = _conclude(claim, found, ends, control, fails, rival, seeds, study)
    least, most = claim.expected.bounds()
    return {
        "name": claim.name,
        "statement": claim.statement,
        "source": claim.source,
        "quantity": quantity(claim.statistic, study, cube),
        "expected": str(claim.expected),
        "basis": claim.basis,
        "why": claim.why,
        "bounds": [_json(least), _json(most)],
        "estimate": _json(found.estimate),
        "interval": [_json(ends[0]), _json(ends[1])],
        "method": found.method,
        "close": verdict != "undecided" and is_close(ends, claim.expected),
        "seeds": seeds,
        "runs": int((cube["status"] <= 1).sum()),
        "verdict": verdict,
        "reason": reason,
        "control": {
            "statement": claim.because,
            "quantity": quantity(claim.control, study, cube),
            "estimate": _json(control.estimate),
            "interval": [_json(spread[0]), _json(spread[1])],
            "fails": fails,
        },
        "rival": rival,
    }


def verify(each: "Identity", cube: "xr.Dataset", theory: "xr.Dataset", study: "Study | None" = None) -> dict[str, Any]:
    """An identity: what it is on this cube, and whether it holds."""
    name = str(cube.attrs.get("study"))
    sample = Sample(cube, theory, study.observables if study else {})
    with told_of(name, each.name):
        value = float(each.statistic.values(sample)[0])
    least, most = each.expected.bounds()
    return {
        "name": each.name,
        "statement": each.statement,
        "source": each.source,
        "quantity": quantity(each.statistic, study, cube),
        "expected": str(each.expected),
        "estimate": _json(value),
        "verified": bool(least <= value <= most),
    }


@contextmanager
def told_of(study: str, claim: str) -> Iterator[None]:
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


def _against(claim: "Claim", found: Uncertain, sample: Sample, key: str) -> dict[str, Any]:
    """The rival's p-value: how likely the estimate is, if the rival is true."""
    rival = claim.rival
    if isinstance(rival, Law):
        p = p_of(found, rival.value)
        return {"kind": "law", "says": str(rival), "value": rival.value, "p": p}
    if isinstance(rival, Other):
        statistic = rival.change(claim.statistic)
        ahead = uncertain(_ahead(claim.statistic, statistic, claim.expected), sample, f"{key}/rival")
        p = p_of(ahead, 0.0)
        estimate = float(statistic.values(sample)[0])
        p = 1.0 if p is not None and ahead.estimate <= 0 else p
        return {"kind": "other", "says": str(rival), "value": _json(estimate), "p": p}
    return {"kind": "exchangeable", "says": str(rival), **_shuffled(claim, rival, found.estimate, sample, key)}


def _ahead(statistic: Statistic, rival: Statistic, expected: Bounds) -> Statistic:
    """By how much a rival misses what is expected, less what the claim does."""
    if isinstance(expected, AtMost):
        return rival - statistic
    if isinstance(expected, AtLeast):
        return statistic - rival
    return combined(_further, "how much further {} than {}", rival, statistic, expected.value)


def _further(rival: Any, claim: Any, value: Any) -> Any:  # noqa: ANN401
    return np.abs(rival - value) - np.abs(claim - value)


def _shuffled(claim: "Claim", rival: Exchangeable, estimate: float, sample: Sample, key: str) -> dict[str, Any]:
    for draws in (SHUFFLES, MORE):
        shuffled = claim.statistic.values(sample.shuffled(permutations(claim.name, rival, sample.cube, key, draws)))
        p = p_value(estimate, shuffled, claim.expected)
        if p is None or not LEVEL / 5 < p < 4 * LEVEL:
            break
    least, most = claim.expected.bounds()
    return {
        "along": rival.along,
        "p": p,
        "draws": len(shuffled),
        "still_supporting": float(np.mean([least <= value <= most for value in shuffled])),
    }


def _conclude(
    claim: "Claim",
    found: Uncertain,
    ends: tuple[float, float],
    control: Uncertain,
    fails: bool,
    rival: Mapping[str, Any],
    seeds: int,
    study: "Study | None",
) -> tuple[Outcome, str]:
    if not math.isfinite(found.estimate):
        return "undecided", "no value: the statistic is not defined on what was measured"
    if seeds < 2:
        return "undecided", "no interval: one seed"
    if math.isnan(ends[0]):
        return "undecided", "no interval: without some of the seeds the statistic has no value"
    if seeds < SEEDS and not (study and study.few_seeds):
        return "undecided", f"too few seeds: {seeds} of {SEEDS}"
    place = placed(ends, claim.expected)
    if place == "astride":
        return "undecided", "the interval straddles the edge of what is allowed"
    if place == "outside":
        if claim.basis == "ours":
            return "not reproduced", "the whole interval lies outside what we expected of it in this setting"
        stated = "the theorem" if claim.basis == "theorem" else "the paper"
        return "contradicted", f"the whole interval lies outside what {stated} states"
    if not math.isfinite(control.estimate):
        return "undecided", "the control has no value, so the test cannot tell the theory from its absence"
    if not fails:
        return "undecided", "the control does not fail, so the test cannot tell the theory from its absence"
    if rival["p"] is None:
        return "undecided", "the rival has no p-value, so it is not excluded"
    if rival["p"] >= LEVEL:
        return "undecided", f"the rival is not excluded (p = {rival['p']:.2g})"
    reason = "the whole interval is allowed, the control fails, the rival is excluded"
    if isinstance(found, Extreme):
        reason = f"every run of {seeds} seeds obeys it, so at least {obeyed(seeds):.0%} of all seeds do (95 %)"
    return "supported", reason


def is_close(ends: tuple[float, float], expected: Bounds) -> bool:
    """Whether an interval ends within half of its own width of an edge of what is allowed."""
    low, high = ends
    width = high - low
    return width > 0 and any(
        abs(end - edge) < width / 2 for end in ends for edge in expected.bounds() if math.isfinite(edge)
    )


def _json(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def permutations(name: str, rival: Exchangeable, cube: "xr.Dataset", key: str, draws: int = SHUFFLES) -> Shuffle:
    """The shuffles of the measured variables along a rival's dimension, seed by seed.

    Within a seed one permutation serves all variables and all other dimensions, so that only the link between the
    axis and the measurement is cut. Coordinates and theory stay where they are.

    Raises:
        InputError: the cube has no such dimension.
    """
    along = rival.along
    if along not in cube.dims:
        raise InputError(f"claim {name}: cannot permute along {along!r}: the cube has {list(cube.dims)}")
    rng = stream(key, "permutation")
    size, seeds = cube.sizes[along], cube.sizes.get("seed", 1)
    if "seed" in cube.dims and along != "seed":
        orders = rng.permuted(np.tile(np.arange(size), (draws * seeds, 1)), axis=1).reshape(draws, seeds, size)
    else:
        orders = np.array([rng.permutation(size) for _ in range(draws)])
    return Shuffle(along, orders, rival.only)


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


def headline(record: Mapping[str, Any]) -> str:
    """A study's verdict and how many of its claims hold: ``supported, 6 of 7 hold``."""
    claims = record["claims"]
    holds = sum(claim["verdict"] == "supported" for claim in claims)
    return record["verdict"] if len(claims) == 1 else f"{record['verdict']}, {holds} of {len(claims)} hold"


def summary(record: dict[str, Any]) -> str:
    """A study's verdict in one line a claim, for the terminal."""
    lines = [f"{record['study']}: {headline(record)}, {record['runs']:,} runs at scale {record['scale']}"]
    for claim in record["claims"]:
        low, high = claim["interval"]
        lines.append(
            f"  {claim['verdict']:<14} {claim['name']}: {show(claim['estimate'])} [{show(low)}, {show(high)}], "
            f"expected {claim['expected']}; control {show(claim['control']['estimate'])} "
            f"{'fails' if claim['control']['fails'] else 'does not fail'}; {told(claim['rival']['p'])}"
            f"{'; close' if claim['close'] else ''}"
        )
    for each in record["identities"]:
        lines.append(f"  {'verified' if each['verified'] else 'BROKEN':<14} {each['name']}: {show(each['estimate'])}")
    return "\n".join(lines)


def told(p: float | None) -> str:
    """A rival's p-value in words."""
    return "no p" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def show(value: float | None) -> str:
    """A number to three digits, or a dash."""
    return "–" if value is None else f"{value:.3g}"
