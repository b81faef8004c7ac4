"""95 % intervals hold planted truths as often as they say, at the numbers of seeds of which verdicts are made."""

import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from dlatlas.judging.calibration import LAWS, SEEDS, table
from dlatlas.judging.interval import interval, obeyed, p_of, uncertain
from dlatlas.judging.sample import Sample
from dlatlas.judging.statistics import average, exponent, largest, share

EXACT = ("mean", "slope", "ratio of means", "difference", "geometric mean", "standard deviation")
"""These are to cover what they say; the others at least that."""
NOISE = 0.012
"""Two standard errors of a share of 0.05 in 2,000 repetitions are 0.01; of 500, 0.02."""


@pytest.fixture(scope="module")
def covered():
    return table(("normal", "lognormal", "shared"), (10, 20))


def test_intervals_cover_what_they_say(covered):
    wrong = {
        (kind, *place): (cell.truth, cell.below, cell.above)
        for kind, cells in covered.items()
        for place, cell in cells.items()
        if not (0.93 - NOISE <= cell.truth <= (0.97 + NOISE if kind in EXACT else 1.0))
    }
    assert not wrong


def test_at_the_edge_at_most_a_twentieth_is_decided_falsely(covered):
    wrong = {
        (kind, *place): (cell.below, cell.above)
        for kind, cells in covered.items()
        for place, cell in cells.items()
        if max(cell.below, cell.above) > 0.05 + (NOISE if kind in EXACT else 2 * NOISE)
    }
    assert not wrong


def test_the_published_table_is_that_of_the_code(covered):
    text = (Path(__file__).parents[2] / "docs" / "calibration.md").read_text(encoding="utf-8")
    parts = dict(zip(LAWS, re.split(r"\n## \w+\n", text)[1:]))
    for kind, cells in covered.items():
        for (law, seeds), cell in cells.items():
            (row,) = re.findall(rf"^\| {re.escape(kind)} \| (.*) \|$", parts[law], re.M)
            published = float(row.split(" | ")[SEEDS.index(seeds)].split()[0])
            assert cell.truth == pytest.approx(published, abs=0.01), (kind, law, seeds)


def cube(rng, seeds, law=lambda rng, shape: rng.lognormal(0, 0.5, shape)):
    widths = 2.0 ** np.arange(4)
    error = law(rng, (seeds, 4)) / np.sqrt(widths)
    return xr.Dataset({"error": (("seed", "width"), error)}, {"seed": np.arange(seeds), "width": widths})


@pytest.mark.parametrize(
    ("statistic", "truth"),
    [
        (exponent("error", "width"), -0.5),
        (average("error", where={"width": 1}), np.exp(0.125)),
        (largest("error", by="mean"), np.exp(0.125)),
        (average("error", where={"width": 4}) / average("error", where={"width": 1}), 0.5),
        (share(lambda cube, _: cube.error * np.sqrt(cube.width) < 1), 0.5),
    ],
    ids=["exponent", "mean", "largest mean", "ratio", "share"],
)
def test_the_whole_way_from_a_cube_covers_too(statistic, truth):
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        data = cube(rng, 10)
        low, high = interval(uncertain(statistic, Sample(data, data), "key"))
        held += low <= truth <= high
    assert held / 300 >= 0.90


def test_the_p_value_of_a_value_is_one_less_the_confidence_of_the_interval_that_ends_there():
    data = cube(np.random.default_rng(2), 10)
    found = uncertain(exponent("error", "width"), Sample(data, data), "key")
    for confidence in (0.5, 0.9, 0.99):
        low, high = interval(found, confidence)
        assert p_of(found, low) == pytest.approx(1 - confidence, rel=1e-6)
        assert p_of(found, high) == pytest.approx(1 - confidence, rel=1e-6)
    assert p_of(found, found.estimate) == 1.0


def test_where_the_truth_is_the_rival_its_p_values_are_uniform():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(400):
        data = cube(rng, 10)
        found.append(p_of(uncertain(exponent("error", "width"), Sample(data, data), "key"), -0.5))
    for level in (0.05, 0.2, 0.5, 0.8):
        assert np.mean(np.array(found) < level) == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 400))


def test_that_all_of_some_seeds_obey_is_as_rare_as_said_where_fewer_do():
    """Of seeds of which a share `obeyed` obeys, all of n do so with a probability of a twentieth."""
    rng = np.random.default_rng(4)
    for seeds in (5, 10, 30):
        all_of_them = (rng.random((20_000, seeds)) < obeyed(seeds)).all(1).mean()
        assert all_of_them == pytest.approx(0.05, abs=0.006)
