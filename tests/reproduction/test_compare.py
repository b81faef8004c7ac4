import itertools
import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dlatlas.publishing.ledger import summary
from dlatlas.reproduction.compare import (
    OUTCOMES,
    ROUNDING,
    Difference,
    compare_cubes,
    compare_summaries,
    compare_verdicts,
    deviations,
    largest,
    outcome_of,
    same_bits,
    worst,
)

few = settings(max_examples=25, deadline=None)
SEEDS = 5
NUMBERS = st.floats(-1e6, 1e6).map(lambda x: x if abs(x) > 1e-100 else 0.0)
ARRAYS = hnp.arrays(np.float64, (2, 3, SEEDS), elements=NUMBERS)


def cube(values=None, status=None, lr=(0.1, 0.2), seeds=SEEDS) -> xr.Dataset:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(len(lr), 3, seeds)) if values is None else values
    status = np.zeros((len(lr), seeds), dtype=np.int8) if status is None else status
    words = {"flag_values": [0, 1, 2, 3], "flag_meanings": "ok diverged failed missing"}
    return xr.Dataset(
        {
            "loss": (("lr", "step", "seed"), values),
            "status": (("lr", "seed"), status, words),
        },
        {"lr": list(lr), "step": [0, 1, 10], "seed": np.arange(seeds)},
    )


def one(found: list[Difference]) -> Difference:
    assert len(found) == 1, found
    return found[0]


# Laws.


@few
@given(ARRAYS)
def test_a_cube_is_identical_to_itself(values):
    assert compare_cubes(cube(values), cube(values.copy())) == []


@few
@given(ARRAYS, st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, SEEDS - 1)), st.integers(0, 63))
def test_one_flipped_bit_is_never_identical(values, place, bit):
    spoilt = values.copy()
    spoilt.view(np.uint64)[place] ^= np.uint64(1 << bit)
    assert one(compare_cubes(cube(values), cube(spoilt))).what == "variable loss"


@given(st.permutations(OUTCOMES))
def test_the_worst_outcome_counts_whatever_the_order(outcomes):
    assert worst(outcomes) == "different"
    assert worst([None, *outcomes[:0]]) is None
    assert worst([None, "identical"]) == "identical"


@few
@given(ARRAYS, ARRAYS, st.floats(1e-3, 1e3))
def test_deviations_do_not_depend_on_the_units(was, now, factor):
    factor = 2.0 ** round(math.log2(factor))
    np.testing.assert_allclose(deviations(was * factor, now * factor, 2)[0], deviations(was, now, 2)[0], rtol=1e-9)


@few
@given(ARRAYS, ARRAYS)
def test_deviations_do_not_depend_on_where_the_seeds_stand(was, now):
    there = [np.moveaxis(x, 2, 0) for x in (was, now)]
    for one, other in zip(deviations(was, now, 2), deviations(*there, 0)):
        np.testing.assert_allclose(one, other, rtol=1e-9)


@few
@given(ARRAYS, ARRAYS, hnp.arrays(bool, (2, 3, SEEDS), elements=st.integers(0, 4).map(bool)))
def test_deviations_are_those_of_the_definition(was, now, kept):
    """Brute force, point by point, with the statistics module; runs that are NaN in both do not count."""
    import statistics as py

    was, now = np.where(kept, was, np.nan), np.where(kept, now, np.nan)
    far = deviations(was, now, 2)[0]
    typical = py.median([abs(v) for v in was.ravel() if not math.isnan(v)] or [0.0])
    for i, j in itertools.product(range(2), range(3)):
        pairs = [(a, b) for a, b in zip(was[i, j].tolist(), now[i, j].tolist()) if not math.isnan(a)]
        if not pairs or all(a == b for a, b in pairs):
            assert far[i, j] == 0
            continue
        old = [a for a, _ in pairs]
        sd = py.stdev(old) if len(old) > 1 else 0.0
        floor = max(ROUNDING * max(map(abs, old)), 1e-12 * typical)
        shifts = [b - a for a, b in pairs]
        units = max(sd / math.sqrt(len(old)), floor), max(sd, floor)
        sizes = abs(math.fsum(shifts)) / len(old), math.sqrt(math.fsum(s * s for s in shifts) / len(old))
        expected = max(size / unit if unit else math.inf for size, unit in zip(sizes, units) if size)
        assert far[i, j] == pytest.approx(expected, rel=1e-6, abs=1e-6)


# What a theorist would accept.


def test_a_shift_of_less_than_the_standard_error_is_within_tolerance_and_says_how_far():
    was = cube()
    error = was["loss"].std("seed", ddof=1) / math.sqrt(SEEDS)
    found = one(compare_cubes(was, was.assign(loss=was["loss"] + 0.5 * error)))
    assert found.outcome == "within tolerance"
    assert found.deviation == pytest.approx(0.5)
    found = one(compare_cubes(was, was.assign(loss=was["loss"] + 1.5 * error)))
    assert found.outcome == "different"
    assert found.deviation == pytest.approx(1.5)


def test_the_largest_deviation_is_named_where_it_is():
    was = cube()
    now = was.copy(deep=True)
    now["loss"].loc[{"lr": 0.2, "step": 10}] += 7
    found = one(compare_cubes(was, now))
    assert found.at == {"lr": 0.2, "step": 10}
    assert "at lr = 0.2, step = 10: mean over seeds" in found.said
    assert "(+7)" in found.said


def test_fresh_random_numbers_are_not_the_same_runs_even_if_the_means_agree():
    rng = np.random.default_rng(1)
    was = cube(rng.normal(size=(2, 3, 40)), seeds=40)
    shuffled = was.copy(deep=True)
    shuffled["loss"][...] = was["loss"].values[..., ::-1]  # the same means, the same spread
    found = one(compare_cubes(was, shuffled))
    assert found.outcome == "different"
    assert 1.2 < found.deviation < 2


def test_one_chaotic_run_among_many_is_within_tolerance():
    rng = np.random.default_rng(1)
    was = cube(rng.normal(size=(2, 3, 40)), seeds=40)
    now = was.copy(deep=True)
    now["loss"][0, 0, 0] += 2 * float(was["loss"][0, 0].std())
    assert one(compare_cubes(was, now)).outcome == "within tolerance"


def test_where_seeds_agree_only_rounding_is_accepted():
    was = cube(np.ones((2, 3, SEEDS)))
    assert one(compare_cubes(was, was.assign(loss=was["loss"] * (1 + 1e-7)))).outcome == "within tolerance"
    assert one(compare_cubes(was, was.assign(loss=was["loss"] * (1 + 1e-4)))).outcome == "different"


@pytest.mark.parametrize("huge", [1e200, 1e-200])
def test_huge_and_tiny_numbers_neither_overflow_nor_vanish(huge):
    rng = np.random.default_rng(1)
    was = rng.normal(size=(2, 3, SEEDS))
    now = was + 0.1 * rng.normal(size=was.shape)
    np.testing.assert_allclose(deviations(was * huge, now * huge, 2)[0], deviations(was, now, 2)[0], rtol=1e-6)


def test_one_huge_value_does_not_hide_a_deviation_elsewhere():
    values = np.ones((2, 3, SEEDS))
    values[0, 0] = 1e30
    now = values.copy()
    now[1, 2] *= 1.01
    assert one(compare_cubes(cube(values), cube(now))).outcome == "different"


def test_rounding_noise_around_zero_is_within_tolerance_without_seeds():
    was = xr.Dataset({"gap": ("x", [0.0, 1e-17, 1.0, 2.0, 3.0])}, {"x": range(5)})
    now = was.assign(gap=was["gap"] + [1e-17, -3e-17, 0, 0, 0])
    assert one(compare_cubes(was, now)).outcome == "within tolerance"


def test_single_precision_kept_in_double_is_within_tolerance():
    was = cube(np.linspace(0, 1, 30, dtype=np.float32).reshape(2, 3, SEEDS))
    assert one(compare_cubes(was, was.assign(loss=was["loss"].astype(np.float64)))).outcome == "within tolerance"


# Differences by name, whatever the size of the numbers.


def test_a_nan_that_comes_or_goes_is_a_difference():
    was = cube()
    now = was.copy(deep=True)
    now["loss"][1, 2, 3] = np.nan
    for old, new, said in ((was, now, "→ nan"), (now, was, "first nan →")):
        found = one(compare_cubes(old, new))
        assert found.outcome == "different"
        assert found.at == {"lr": 0.2, "step": 10, "seed": 3}
        assert "1 of 30 values" in found.said
        assert said in found.said


@pytest.mark.parametrize("pair", [(np.inf, -np.inf), (np.inf, np.nan), (np.inf, 1.0)])
def test_an_infinity_that_changes_is_a_difference(pair):
    was, now = cube(), cube()
    was["loss"][0, 0, 0], now["loss"][0, 0, 0] = pair
    assert one(compare_cubes(was, now)).outcome == "different"


def test_nans_at_the_same_places_do_not_matter():
    was = cube()
    was["loss"][0] = np.nan
    assert compare_cubes(was, was.copy(deep=True)) == []
    now = was.copy(deep=True)
    now["loss"][1] *= 1 + 1e-9
    assert one(compare_cubes(was, now)).outcome == "within tolerance"


def test_another_status_is_named_in_words_and_where():
    status = np.zeros((2, SEEDS), dtype=np.int8)
    status[1, 2] = 1
    found = one(compare_cubes(cube(), cube(status=status)))
    assert found.outcome == "different"
    assert found.said == "1 of 10 changed, first ok → diverged at lr = 0.2, seed = 2"


def test_a_missing_and_a_new_variable_are_named():
    found = compare_cubes(cube(), cube().rename(loss="cost"))
    assert {(item.what, item.said) for item in found} == {("variable loss", "missing"), ("variable cost", "new")}
    assert outcome_of(found) == "different"


def test_a_longer_axis_is_named_with_its_new_values():
    found = compare_cubes(cube(), cube(lr=(0.1, 0.2, 0.4)))
    assert ("coordinate lr", "with the new 0.4") in {(item.what, item.said) for item in found}
    found = compare_cubes(cube(), cube(lr=(0.1, 0.3)))
    assert one(found).said == "without 0.2 and with the new 0.3"


def test_a_coordinate_that_is_rounded_otherwise_is_within_tolerance():
    assert one(compare_cubes(cube(), cube(lr=(0.1, np.nextafter(0.2, 1))))).outcome == "within tolerance"


def test_another_order_of_dimensions_is_named():
    now = cube()
    now["loss"] = now["loss"].transpose("seed", "lr", "step")
    assert "along (seed, lr, step), was (lr, step, seed)" in one(compare_cubes(cube(), now)).said


def test_bits_are_compared_not_values():
    assert not same_bits(np.array([0.0]), np.array([-0.0]))
    assert same_bits(np.array([np.nan]), np.array([np.nan]))
    assert not same_bits(np.array([1.0]), np.array([1]))
    assert same_bits(np.array(["a", "b"]), np.array(["a", "b"]))
    assert same_bits(np.arange(6.0).reshape(2, 3).T, np.ascontiguousarray(np.arange(6.0).reshape(2, 3).T))


def test_the_largest_difference_is_one_that_counts():
    within, beyond = Difference("a", "within tolerance", "", 0.9), Difference("b", "different", "", None)
    assert largest([within, beyond]) is beyond
    assert largest([]) is None


# Where only the ledger is there.


def summaries(dataset: xr.Dataset) -> dict:
    return {str(name): summary(dataset[name]) for name in dataset.data_vars}


@few
@given(ARRAYS)
def test_equal_digests_are_identical_whatever_else_they_say(values):
    assert compare_summaries(summaries(cube(values)), summaries(cube(values.copy()))) == []


def test_a_small_shift_is_within_tolerance_by_summary_and_a_large_one_is_not():
    was = cube()
    error = summary(was["loss"])["standard_error"]
    found = one(compare_summaries(summaries(was), summaries(was.assign(loss=was["loss"] + 0.5 * error))))
    assert found.outcome == "within tolerance"
    assert found.deviation == pytest.approx(0.5, rel=1e-3)
    found = one(compare_summaries(summaries(was), summaries(was.assign(loss=was["loss"] + 3 * error))))
    assert found.outcome == "different"
    assert "3 standard errors in its" in found.said


def test_a_nan_changes_the_count():
    now = cube()
    now["loss"][0, 0, 0] = np.nan
    found = one(compare_summaries(summaries(cube()), summaries(now)))
    assert (found.outcome, found.said) == ("different", "29 finite values, were 30")


def test_a_variable_that_the_ledger_does_not_know_is_named():
    found = compare_summaries(summaries(cube()), summaries(cube().rename(loss="cost")))
    assert {(item.what, item.said) for item in found} == {("variable loss", "missing"), ("variable cost", "new")}


# Verdicts.


def verdict(estimate=1.0, low=0.9, high=1.1, word="supported", fails=True, p=0.005) -> dict:
    claim = {
        "name": "edge",
        "verdict": word,
        "estimate": estimate,
        "interval": [low, high],
        "control": {"estimate": 0.2, "fails": fails},
        "permutation": {"p": p},
    }
    return {"verdict": word, "claims": [claim]}


def as_ledger(record: dict) -> dict:
    claims = {
        claim["name"]: {
            "verdict": claim["verdict"],
            "control_fails": claim["control"]["fails"],
            "estimate": float(f"{claim['estimate']:.6g}"),
            "low": claim["interval"][0],
            "high": claim["interval"][1],
            "p": claim["permutation"]["p"],
            "control": claim["control"]["estimate"],
        }
        for claim in record["claims"]
    }
    return {"verdict": record["verdict"], "claims": claims}


@given(st.floats(-1e3, 1e3))
def test_the_ledger_s_form_and_the_file_s_say_the_same(estimate):
    record = verdict(estimate=estimate)
    assert compare_verdicts(as_ledger(record), record) == []
    assert compare_verdicts(record, as_ledger(record)) == []


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        (verdict(estimate=1.04), "within tolerance"),
        (verdict(estimate=1.06), "different"),
        (verdict(high=1.2), "within tolerance"),
        (verdict(p=0.01), "within tolerance"),
        (verdict(word="contradicted"), "different"),
        (verdict(fails=False), "different"),
        ({"verdict": "supported", "claims": []}, "different"),
    ],
)
def test_a_verdict_may_move_by_its_standard_error_but_not_change(now, outcome):
    """The standard error of an interval of ±0.1 is 0.1 / 1.96 = 0.051."""
    assert outcome_of(compare_verdicts(verdict(), now)) == outcome


def test_an_estimate_without_spread_may_move_by_rounding_only():
    exact = {"low": 1.0, "high": 1.0}
    assert outcome_of(compare_verdicts(verdict(**exact), verdict(1.00001, **exact))) == "within tolerance"
    assert outcome_of(compare_verdicts(verdict(**exact), verdict(1.001, **exact))) == "different"
