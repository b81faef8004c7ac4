"""How often 95 % intervals hold the truth, by kind of statistic, number of seeds and law of the runs.

`table` plants truths and counts; ``python -m dlatlas.judging.calibration > docs/calibration.md`` writes
the table. Each kind goes
through the functions that judge claims; repetitions are one more axis wherever these take one.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlatlas.declare.statistic import Statistic
from dlatlas.judging.interval import Percentiles, Settings, Share, columns, interval, obeyed, wide
from dlatlas.judging.statistics import (
    Ends,
    Pair,
    Whole,
    agreement,
    deviation,
    largest,
    order,
    peak,
    smallest,
    threshold,
)

Array = NDArray[np.float64]
LAWS = ("normal", "lognormal", "skewed", "shared")
"""Runs: normal; lognormal with σ = 1/2; with σ = 1; and lognormal σ = 1/2 with half of the variance shared by all
settings of a seed, as where they share a data set."""
SEEDS = (5, 10, 20, 30)
SETTINGS = 6
REPETITIONS, FEW = 2000, 500
WIDTHS = 2.0 ** np.arange(SETTINGS)


@dataclass(frozen=True)
class Covered:
    """Of many repetitions, how many held the truth, and how many lay wholly below or above it."""

    truth: float
    below: float
    above: float


def runs(law: str, seeds: int, mean: Array, rng: np.random.Generator, repetitions: int) -> Array:
    """Positive runs with the given means, ``(repetition, seed, setting)``."""
    noise = rng.normal(size=(repetitions, seeds, len(mean)))
    if law == "normal":
        return mean * (1 + 0.3 * noise)
    sigma = 1.0 if law == "skewed" else 0.5
    if law == "shared":
        noise = (noise + rng.normal(size=(repetitions, seeds, 1))) / np.sqrt(2)
    return mean * np.exp(sigma * noise - sigma**2 / 2)


def without(found: Callable[[Array], Array], values: Array) -> Array:
    """A statistic of the means without each of the seeds, ``(seed, repetition, ...)``."""
    seeds = values.shape[1]
    return np.stack([found((values.sum(1) - values[:, seed]) / (seeds - 1)) for seed in range(seeds)])


def counted(low: Array, high: Array, truth: float) -> Covered:
    """What intervals hold."""
    slack = 1e-12 * abs(truth)
    return Covered(
        float(np.mean((low <= truth + slack) & (truth <= high + slack))),
        float(np.mean(high < truth - slack)),
        float(np.mean(low > truth + slack)),
    )


def slopes(means: Array) -> Array:
    """Log-log slopes against the widths."""
    x = np.log(WIDTHS) - np.log(WIDTHS).mean()
    return (np.log(means) * x).sum(-1) / (x**2).sum()


def smooth(found: Callable[[Array], Array], values: Array, scale: str, truth: float) -> Covered:
    """A function of means by the jackknife."""
    return counted(*columns(found(values.mean(1)), without(found, values), 0.025, 0.025, scale), truth)


def spread(values: Array, truth: float) -> Covered:
    """The standard deviation of the runs of the first setting."""
    first = values[..., 0]
    left = np.stack([np.delete(first, seed, 1).std(1, ddof=1) for seed in range(first.shape[1])])
    return counted(*columns(first.std(1, ddof=1), left, 0.025, 0.025, "hall"), truth)


def medians(values: Array, truth: float) -> Covered:
    """The median of runs ``(repetition, seed)`` by percentiles of the bootstrap."""
    rng = np.random.default_rng(values.shape[1])
    chosen = rng.integers(0, values.shape[1], (499, values.shape[1]))
    found = [interval(Percentiles(0.0, np.median(each[chosen], axis=1), values.shape[1])) for each in values]
    return counted(*map(np.array, zip(*found)), truth)


def settings(
    statistic: Statistic, numbers: Array, left: Array, axis: Array | None, own: tuple[Array, Array], truth: float
) -> Covered:
    """A statistic of kind settings: its numbers ``(repetition, number)``, itself, and both without each seed."""
    found = []
    for at, values in enumerate(numbers):

        def ends(tail: float, at: int = at, values: Array = values) -> tuple[Array, Array]:
            return wide(values, left[:, at], tail)

        def whole(tail: float, at: int = at) -> tuple[float, float]:
            low, high = columns(own[0][at : at + 1], own[1][:, at : at + 1], tail, tail, "t")
            return float(low[0]), float(high[0])

        def made(ends: Ends, below: float, above: float, values: Array = values, whole: Whole = whole) -> Pair:
            if statistic.made is None:
                raise TypeError(statistic.words)
            return statistic.made(statistic, values, axis, ends, below, above, whole)

        found.append(interval(Settings(0.0, made, ends)))
    return counted(*map(np.array, zip(*found)), truth)


def shares(seeds: int, shared: bool, rng: np.random.Generator, truth: float) -> Covered:
    """The share of runs of which something holds, of `SETTINGS` settings; ``shared``: seeds differ in it."""
    lean = 6.0
    each = rng.beta(lean * truth, lean * (1 - truth), (REPETITIONS, seeds, 1)) if shared else truth
    hits = rng.random((REPETITIONS, seeds, SETTINGS)) < each
    found = [interval(Share(hit.mean(), hit.mean(1), hit.size)) for hit in hits]
    return counted(*map(np.array, zip(*found)), truth)


def rows(law: str, seeds: int) -> dict[str, Covered]:
    """Every kind for one law and number of seeds."""
    rng = np.random.default_rng([LAWS.index(law), seeds])
    flat, power = np.ones(SETTINGS), 1 / np.sqrt(WIDTHS)
    same, falling = (runs(law, seeds, mean, rng, REPETITIONS) for mean in (flat, power))
    sigma = 0.3 if law == "normal" else np.sqrt(np.expm1(0.25 if law != "skewed" else 1.0))
    found = {
        "mean": smooth(lambda means: means[..., 0], same, "hall", 1.0),
        "slope": smooth(slopes, falling, "t", -0.5),
        "ratio of means": smooth(lambda means: means[..., 1] / means[..., 0], same, "t", 1.0),
        "difference": smooth(lambda means: means[..., 1] - means[..., 0], same, "t", 0.0),
        "standard deviation": spread(same, float(sigma)),
    }  # fmt: skip
    if law != "normal":  # a normal has no geometric mean
        logs = np.log(same[..., 0])
        ends = columns(np.exp(logs.mean(1)), np.exp(without(lambda each: each, logs)), 0.025, 0.025, "log t")
        found["geometric mean"] = counted(*ends, float(np.exp(-(0.5 if law == "skewed" else 0.125))))
    found["median"] = medians(
        same[:FEW, :, 0], 1.0 if law == "normal" else np.exp(-(0.5 if law == "skewed" else 0.125))
    )
    means, left = same.mean(1), without(lambda each: each, same)
    step, step_left = falling.mean(1), without(lambda each: each, falling)
    few = slice(0, FEW)

    def off(each: Array) -> Array:
        return np.abs(each - 1).mean(-1)

    first, second = np.triu_indices(SETTINGS, 1)
    pairs, pairs_left = (each[..., second] - each[..., first] for each in (step, step_left))
    bump = np.array([1.0, 1.2, 1.5, 2.0, 1.5, 1.2])
    hill = runs(law, seeds, bump, rng, FEW)
    high, high_left = hill.mean(1), without(lambda each: each, hill)
    beyond, beyond_left = (
        (each[..., :, None] - each[..., None, :]).reshape(*each.shape[:-1], -1) for each in (high, high_left)
    )
    none = (means[few].max(-1), left[:, few].max(-1))
    found |= {
        "largest of means": settings(largest("y", by="mean"), means[few], left[:, few], None, none, 1.0),
        "smallest of means": settings(smallest("y", by="mean"), means[few], left[:, few], None, none, 1.0),
        "mean deviation": settings(
            deviation("y"), means[few], left[:, few], None, (off(means[few]), off(left[:, few])), 0.0
        ),
        "worst deviation": settings(deviation("y", worst=True), means[few], left[:, few], None, none, 0.0),
        "agreement of settings": settings(agreement("y", 0.5), means[few], left[:, few], None, none, 1.0),
        "order": settings(order("y", "x"), pairs[few], pairs_left[:, few], None, none, -1.0),
        "peak": settings(peak("y", "x"), beyond, beyond_left, WIDTHS, none, 8.0),
        "threshold": settings(threshold("y", "x", 1.35), high - 1.35, high_left - 1.35, WIDTHS, none, 16.0),
    }
    if law in ("normal", "shared"):
        for truth in (0.5, 0.9):
            found[f"share of {truth:g}"] = shares(seeds, law == "shared", rng, truth)
    return found


def table(laws: Sequence[str] = LAWS, numbers: Sequence[int] = SEEDS) -> dict[str, dict[tuple[str, int], Covered]]:
    """Kind -> (law, seeds) -> coverage."""
    found: dict[str, dict[tuple[str, int], Covered]] = {}
    for law in laws:
        for seeds in numbers:
            for kind, covered in rows(law, seeds).items():
                found.setdefault(kind, {})[law, seeds] = covered
    return found


HEAD = f"""# Do the intervals cover?

Of {REPETITIONS:,} repetitions with a planted truth ({FEW} where each setting has an interval of its own), the share
whose 95 % interval holds it, and in brackets the shares that lie wholly below and above it: so often is a claim whose
truth lies at the edge of what is allowed decided falsely. Made by
`python -m dlatlas.judging.calibration > docs/calibration.md`, tested by `tests/judging/test_calibration.py`; how each
interval is found stands in `dlatlas.judging.interval`.

Runs are normal (spread 0.3 of the mean), lognormal (σ = 1/2), strongly skewed (lognormal, σ = 1), or lognormal with
half of the variance shared by all settings of a seed. Bounds for all settings (largest, worst, order, ...) are
conservative: they hold at least as often as they say. A verdict needs ten seeds; five are shown for the reason.

The largest or smallest of all *runs* has no interval: one run beyond a bound contradicts it, and where all of n seeds
obey, at least {obeyed(10):.0%} (n = 10), {obeyed(20):.0%} (20) or {obeyed(30):.0%} (30) of all seeds do, with a
confidence of 95 %.
"""


def written() -> str:
    """The table as Markdown."""
    lines, found = [HEAD], table()
    for law in LAWS:
        lines += [f"\n## {law.capitalize()}\n", "| statistic | " + " | ".join(f"n = {n}" for n in SEEDS) + " |"]
        lines += ["| --- |" + " --- |" * len(SEEDS)]
        for kind, cells in found.items():
            if (law, SEEDS[0]) in cells:
                said = [cells[law, n] for n in SEEDS]
                row = [f"{c.truth:.3f} ({c.below:.3f}, {c.above:.3f})" for c in said]
                lines.append(f"| {kind} | " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(written())
