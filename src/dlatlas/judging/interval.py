"""Intervals over seeds that cover what they say, for each kind of statistic at the numbers of seeds that studies use.

`uncertain` finds how a statistic varies, once; its `ends` at any confidence and the p-value of another value follow.
Coverage by kind and number of seeds is a test and a table, ``docs/calibration.md``.

- **smooth** functions of means (slopes, differences): jackknife and Student's t (Tukey 1958).
- **means** of runs: the same with Hall's (1992) cubic transformation, which takes the skewness out, of the logarithm
  where all runs have one sign; geometric means by t of the logarithm.
- **shares** of runs: Clopper and Pearson (1934) with the effective number of runs of Korn and Graubard (1998), since
  runs of one seed may be alike.
- made of one number for each **setting** (the largest of means, the worst deviation, a threshold): a bound holds for
  all settings if it holds for each, and is broken if it is for one after Bonferroni's correction (Berger 1982).
- **medians** and own statistics of quantiles: percentiles of the bootstrap.
- the largest or smallest of all **runs**: no interval. One run is enough to contradict a bound for every run; where
  none does, at least `obeyed` of all seeds obey it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, norm, t

from dlatlas.declare.statistic import Statistic
from dlatlas.errors import AtlasError
from dlatlas.identity.streams import stream
from dlatlas.judging.reduction import LeaveOneOut
from dlatlas.judging.sample import Sample

CONFIDENCE = 0.95
DRAWS = 1999
"""Bootstrap draws of the seeds, for medians and quantiles."""
ROUND_OFF = 1e-9
"""Relative: numbers this near to each other are the same but for the order of sums."""
Ends = tuple[float, float]
Scale = Literal["t", "hall", "log t"]


class Uncertain(Protocol):
    """A statistic of a cube and how it varies from seeds to seeds."""

    estimate: float
    method: str

    def ends(self, below: float, above: float) -> Ends:
        """An interval that the truth lies below with probability ``below`` at most, and above with ``above``."""


def interval(found: Uncertain, confidence: float = CONFIDENCE) -> Ends:
    """The interval of a confidence, as much on either side; NaN where there is none."""
    return found.ends((1 - confidence) / 2, (1 - confidence) / 2)


def p_of(found: Uncertain, value: float) -> float | None:
    """The p-value of a value: one less the confidence of the widest interval without it; None where there is none."""
    low, high = interval(found)
    if not (math.isfinite(found.estimate) and math.isfinite(low) and math.isfinite(high)):
        return None
    least, most = 1e-9, 1.0
    for _ in range(40):
        middle = math.sqrt(least * most)
        low, high = found.ends(middle / 2, middle / 2)
        least, most = (middle, most) if low <= value <= high else (least, middle)
    return most


def obeyed(seeds: int) -> float:
    """The share of all seeds that obey what each of some does, at a confidence of 95 %: their number's root of 0.05."""
    return (1 - CONFIDENCE) ** (1 / seeds)


def uncertain(statistic: Statistic, sample: Sample, key: str) -> Uncertain:
    """How a statistic varies over the seeds of a sample; ``key`` names the stream of a bootstrap."""
    estimate = float(statistic.values(sample)[0])
    seeds = int(sample.cube.sizes.get("seed", 1))
    if not math.isfinite(estimate) or seeds < 2:
        return Nothing(estimate)
    if statistic.parts:
        if _smooth(statistic):
            whole = _jackknifed(statistic, sample, estimate, "t")
            if whole.spread > 0:
                return whole
        parts = [part if isinstance(part, int | float) else uncertain(part, sample, key) for part in statistic.parts]
        return Composite(estimate, statistic.function, parts)
    if statistic.kind == "runs":
        return Extreme(estimate, seeds)
    if statistic.kind == "settings":
        return _by_settings(statistic, sample, estimate, key)
    if statistic.by == "median" or statistic.kind == "own":
        return Percentiles(estimate, statistic.values(sample.drawn(_draws(seeds, key))), seeds)
    if statistic.kind == "mean" and statistic.by in ("mean", "runs"):
        return _share(statistic, sample, estimate) or _jackknifed(statistic, sample, estimate, "hall")
    if statistic.kind == "mean":  # a spread, or a geometric mean
        return _jackknifed(statistic, sample, estimate, "hall" if statistic.by == "spread" else "log t")
    return _jackknifed(statistic, sample, estimate, "log t" if statistic.kind == "logarithm" else "t")


@dataclass(frozen=True)
class Nothing:
    """No interval: no value, or one seed."""

    estimate: float
    method: str = "none"

    def ends(self, below: float, above: float) -> Ends:
        """NaN."""
        return math.nan, math.nan


@dataclass(frozen=True)
class Extreme:
    """The largest or smallest of all runs, which no interval covers."""

    estimate: float
    seeds: int
    method: str = "every run"

    def ends(self, below: float, above: float) -> Ends:
        """The estimate."""
        return self.estimate, self.estimate


@dataclass(frozen=True)
class Jackknife:
    """A statistic by its values without each of the seeds.

    Attributes:
        estimate: of all seeds.
        left: ``(seed,)``, of all but one.
        scale: see `columns`.
        limits: beyond which the statistic never is.
    """

    estimate: float
    left: NDArray[np.float64]
    scale: Scale
    limits: Ends = (-math.inf, math.inf)

    @property
    def method(self) -> str:
        """In words."""
        words = {"t": "jackknife t", "hall": "jackknife t, skewness corrected", "log t": "jackknife t of the logarithm"}
        return "every seed alike" if self.spread == 0 else words[self.scale]

    @cached_property
    def spread(self) -> float:
        """Standard error, 0 where all seeds are alike but for round-off."""
        return float(_spread(np.array([self.estimate]), self.left[:, None])[0])

    def ends(self, below: float, above: float) -> Ends:
        """See `Uncertain`."""
        if not np.isfinite(self.left).all():
            return math.nan, math.nan
        if self.spread == 0:
            return self.estimate, self.estimate
        low, high = columns(np.array([self.estimate]), self.left[:, None], below, above, self.scale)
        least, most = self.limits
        return max(float(low[0]), least), min(float(high[0]), most)


@dataclass(frozen=True)
class Share:
    """A share of runs.

    Attributes:
        estimate: of all runs.
        seeds: ``(seed,)``, of the runs of each.
        runs: how many there are.
    """

    estimate: float
    seeds: NDArray[np.float64]
    runs: int
    method: str = "Clopper-Pearson of the effective number of runs"

    @cached_property
    def effective(self) -> float:
        """As many independent runs tell as much (Korn and Graubard 1998)."""
        known = self.seeds[np.isfinite(self.seeds)]
        variance = known.var(ddof=1) / len(known) if len(known) > 1 else 0.0
        if self.runs <= len(known) or variance == 0:
            return float(self.runs) if self.runs <= len(known) else self.runs * _fewer(self.runs, len(known))
        number = self.estimate * (1 - self.estimate) / variance * _fewer(self.runs, len(known))
        return float(min(number, self.runs))

    def ends(self, below: float, above: float) -> Ends:
        """See `Uncertain`."""
        number, hits = self.effective, self.estimate * self.effective
        low = 0.0 if self.estimate == 0 else float(beta.ppf(below, hits, number - hits + 1))
        high = 1.0 if self.estimate == 1 else float(beta.ppf(1 - above, hits + 1, number - hits))
        return low, high


def _fewer(runs: int, seeds: int) -> float:
    return float((t.ppf(0.975, runs - 1) / t.ppf(0.975, seeds - 1)) ** 2) if seeds > 1 else 1.0


@dataclass(frozen=True)
class Percentiles:
    """A median, or a statistic of quantiles, over draws of the seeds ``(draw,)``.

    Percentiles are taken further out, as Student's t is wider than the normal (Hesterberg 2015, section 5.3).
    """

    estimate: float
    drawn: NDArray[np.float64]
    seeds: int
    method: str = "percentiles of the bootstrap"

    def ends(self, below: float, above: float) -> Ends:
        """See `Uncertain`."""
        if not np.isfinite(self.drawn).all():
            return math.nan, math.nan
        low, high = np.quantile(self.drawn, [expanded(below, self.seeds), 1 - expanded(above, self.seeds)])
        return float(low), float(high)


@dataclass(frozen=True)
class Settings:
    """Made of one number for each setting.

    Attributes:
        estimate: of all seeds.
        made: ``(ends, below, above) -> (low, high)``, from the ends of all numbers at any probability.
        ends_of: ``probability -> (low, high)``, each ``(setting,)``.
    """

    estimate: float
    made: Callable[[Callable[[float], tuple[NDArray[np.float64], NDArray[np.float64]]], float, float], Ends]
    ends_of: Callable[[float], tuple[NDArray[np.float64], NDArray[np.float64]]]
    method: str = "each setting"

    def ends(self, below: float, above: float) -> Ends:
        """See `Uncertain`."""
        low, high = self.made(self.ends_of, below, above)
        return float(low), float(high)


@dataclass(frozen=True)
class Composite:
    """The smallest or largest of others, or a function that grows or falls in each of them."""

    estimate: float
    function: Callable[..., float]
    parts: Sequence[Uncertain | float]
    method: str = "of its parts"

    def ends(self, below: float, above: float) -> Ends:
        """See `Uncertain`."""
        found = [part for part in self.parts if not isinstance(part, int | float)]
        fixed = [float(part) for part in self.parts if isinstance(part, int | float)]
        many = len(found)
        if self.function is np.minimum or self.function is np.maximum:
            smallest = self.function is np.minimum
            each = [part.ends(below, above / many) if smallest else part.ends(below / many, above) for part in found]
            end = min if smallest else max
            return end(*fixed, *(low for low, _ in each), math.inf if smallest else -math.inf), end(
                *fixed, *(high for _, high in each), math.inf if smallest else -math.inf
            )
        tail = min(below, above) / many
        sides = [[part] if isinstance(part, int | float) else list(part.ends(tail, tail)) for part in self.parts]
        corners = [float(self.function(*corner)) for corner in _corners(sides)]
        if self.function is abs and sides[0][0] <= 0 <= sides[0][-1]:
            corners.append(0.0)
        return min(corners), max(corners)


def _corners(sides: list[list[float]]) -> list[list[float]]:
    corners: list[list[float]] = [[]]
    for side in sides:
        corners = [[*corner, value] for corner in corners for value in side]
    return corners


def columns(
    values: NDArray[np.float64], left: NDArray[np.float64], below: float, above: float, scale: Scale = "hall"
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Jackknife intervals of several numbers at once, by Student's t.

    Args:
        values: ``(number,)``, of all seeds.
        left: ``(seed, number)``, without each of them.
        below: the probability that the truth lies below.
        above: that it lies above.
        scale: ``t`` as it is; ``log t`` of the logarithm of what has one sign; ``hall`` with the cubic transformation
            of Hall (1992, J. R. Stat. Soc. B 54, 221), which takes skewness out, and of the logarithm where the
            pseudo-values of all seeds have one sign.
    """
    if scale == "t":
        return _student(values, left, below, above, bent=False)
    signs = np.sign(values)
    with np.errstate(all="ignore"):
        logs = _student(np.log(np.abs(values)), np.log(np.abs(left)), *_tails(below, above, signs), scale == "hall")
        first, second = (signs * np.exp(end) for end in logs)
    ends = np.minimum(first, second), np.maximum(first, second)
    if scale == "log t":
        return ends
    seeds = len(left)
    alike = (signs * (seeds * values - (seeds - 1) * left) > 0).all(0)
    bent = _student(values, left, below, above, bent=True)
    low, high = (np.where(alike, end, other) for end, other in zip(ends, bent))
    return low, high


def wide(
    values: NDArray[np.float64], left: NDArray[np.float64], tail: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of several numbers at once, the wider of ``t`` and ``hall``, see `columns`.

    Far out in the tails, where Bonferroni's correction leads, the skewness of ten seeds is too uncertain to narrow
    anything.
    """
    (low, high), (least, most) = (columns(values, left, tail, tail, scale) for scale in ("t", "hall"))
    return np.fmin(low, least), np.fmax(high, most)


def _tails(below: float, above: float, signs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of the absolute value: the other way round where it is that of a negative number."""
    return np.where(signs < 0, above, below), np.where(signs < 0, below, above)


def _student(
    values: NDArray[np.float64],
    left: NDArray[np.float64],
    below: float | NDArray[np.float64],
    above: float | NDArray[np.float64],
    bent: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Student's t with the jackknife's standard error, ``bent`` by Hall's transformation."""
    seeds = len(left)
    spread = _spread(values, left)
    pseudo = seeds * values - (seeds - 1) * left
    off = pseudo - pseudo.mean(0)
    with np.errstate(all="ignore"):
        skew = (off**3).mean(0) / (off**2).mean(0) ** 1.5 * math.sqrt(seeds - 1) / max(seeds - 2, 1)
        skew = np.where((spread > 0) & (seeds > 2) & bent & np.isfinite(skew), skew, 0.0)

        def moved(quantile: NDArray[np.float64]) -> NDArray[np.float64]:
            found = 3 / skew * (np.cbrt(1 + skew * (quantile - skew / 6)) - 1)
            return np.where(np.abs(skew) < ROUND_OFF, quantile, found)

        return values - moved(t.ppf(1 - below, seeds - 1)) * spread, values - moved(t.ppf(above, seeds - 1)) * spread


def _spread(values: NDArray[np.float64], left: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard errors by the jackknife, 0 where all are alike but for round-off."""
    seeds = len(left)
    off = left - left.mean(0)
    with np.errstate(all="ignore"):
        alike = np.ptp(left, axis=0) <= ROUND_OFF * np.abs(values) / seeds
        return np.where(alike, 0.0, np.sqrt((seeds - 1) / seeds * (off**2).sum(0)))


def _share(statistic: Statistic, sample: Sample, estimate: float) -> Share | None:
    """A mean of truth values; None where they are none."""
    if statistic.numbers is not None:
        values = statistic.numbers(sample, statistic)
    elif statistic.along is None:
        values = sample.observe(statistic.of[0], statistic.where).astype(float)
    else:
        return None
    known = np.isfinite(values.values)
    if "seed" not in values.dims or not np.isin(values.values[known], (0.0, 1.0)).all():
        return None
    return Share(estimate, values.mean([dim for dim in values.dims if dim != "seed"]).values, int(known.sum()))


def _jackknifed(statistic: Statistic, sample: Sample, estimate: float, scale: Scale) -> Jackknife:
    seeds = int(sample.cube.sizes["seed"])
    return Jackknife(estimate, statistic.values(sample.drawn(LeaveOneOut(seeds))), scale, statistic.limits)


def _by_settings(statistic: Statistic, sample: Sample, estimate: float, key: str) -> Uncertain:
    seeds = int(sample.cube.sizes["seed"])
    numbers, made = statistic.numbers, statistic.made
    if numbers is None or made is None:
        raise AtlasError(f"a statistic of kind settings needs its numbers and what is made of them: {statistic.words}")
    values, axis = numbers(sample, statistic)
    if statistic.by == "median":
        drawn, _ = numbers(sample.drawn(_draws(seeds, key)), statistic)

        def ends_of(tail: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            low, high = np.nanquantile(drawn, [expanded(tail, seeds), 1 - expanded(tail, seeds)], axis=0)
            return low, high
    else:
        left, _ = numbers(sample.drawn(LeaveOneOut(seeds)), statistic)

        def ends_of(tail: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            return wide(values[0], left, tail)

    def whole(tail: float) -> Ends:
        return _jackknifed(statistic, sample, estimate, "t").ends(tail, tail)

    return Settings(
        estimate, lambda ends, below, above: made(statistic, values[0], axis, ends, below, above, whole), ends_of
    )


def _smooth(statistic: Statistic) -> bool:
    """Whether a composite is a smooth function of means: no extremes, medians or settings in it."""
    if statistic.parts:
        if statistic.function in (np.minimum, np.maximum, abs):
            return False
        return all(isinstance(part, int | float) or _smooth(part) for part in statistic.parts)
    return statistic.kind in ("smooth", "mean", "logarithm") and statistic.by != "median"


def expanded(tail: float, seeds: int) -> float:
    """The probability beyond which a percentile of the bootstrap is taken for one beyond which ``tail`` lies."""
    return float(norm.cdf(math.sqrt(seeds / (seeds - 1)) * t.ppf(tail, seeds - 1)))


def _draws(seeds: int, key: str) -> NDArray[np.int64]:
    return stream(key, "bootstrap").integers(0, seeds, (DRAWS, seeds))
