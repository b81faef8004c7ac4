import math
from unittest import mock

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dlatlas.declare.bounds import AtLeast, AtMost, Equals
from dlatlas.declare.claim import but, claim, exchangeable, instead, where
from dlatlas.errors import AtlasError, InputError
from dlatlas.identity.streams import stream
from dlatlas.judging import verdict
from dlatlas.judging.sample import Sample
from dlatlas.judging.statistics import average, exponent, largest, plain, smallest, statistic
from dlatlas.judging.verdict import DRAWS, bootstrap, judge_claim, outcome, p_value, permutations

WIDTHS = np.array([8.0, 16, 32, 64, 128])
RATE = exponent("error", along="width")


def cube(exponent=-0.5, noise=0.05, seeds=12, seed=0, control=0.0):
    """A law with a known exponent in ``error``, and a control without it in ``flat``."""
    rng = np.random.default_rng(seed)
    spread = np.exp(noise * rng.standard_normal((len(WIDTHS), seeds)))
    flat = np.exp(noise * rng.standard_normal((len(WIDTHS), seeds)))
    dims = ("width", "seed")
    return xr.Dataset(
        {
            "error": (dims, WIDTHS[:, None] ** exponent * spread),
            "flat": (dims, WIDTHS[:, None] ** control * flat),
            "status": (dims, np.zeros((len(WIDTHS), seeds), dtype=np.int8)),
        },
        {"width": WIDTHS, "seed": np.arange(seeds)},
        {"study": "toy", "scale": "smoke"},
    )


def judge(data, expects=None, **changes):
    told = {"shuffle": "width", "fails": but("flat", of="flat"), **changes}
    return judge_claim(claim("rate", "", "", expects or RATE.within(-0.5, 0.1), **told), data, xr.Dataset())


def test_a_true_law_is_supported():
    record = judge(cube())
    assert record["verdict"] == "supported"
    assert record["estimate"] == pytest.approx(-0.5, abs=0.05)
    assert record["interval"][0] < record["estimate"] < record["interval"][1]
    assert record["control"]["fails"]
    assert record["permutation"]["p"] < 0.05
    assert (record["seeds"], record["runs"]) == (12, 60)
    assert record["quantity"] == "log-log slope of error against width [1]"
    assert record["control"]["quantity"] == "log-log slope of flat against width [1]"


def test_another_law_is_refuted():
    record = judge(cube(exponent=-1.0))
    assert record["verdict"] == "refuted"
    assert "outside" in record["reason"]


def test_too_few_data_are_undecided():
    assert judge(cube(noise=1.0, seeds=3))["verdict"] == "undecided"
    assert judge(cube(seeds=1))["verdict"] == "undecided"


def test_a_control_that_does_not_fail_forbids_support():
    record = judge(cube(control=-0.5))
    assert record["verdict"] == "undecided"
    assert "control" in record["reason"]


def test_a_statistic_that_shuffling_does_not_destroy_is_not_support():
    record = judge(cube(), average("error") <= 1, fails=instead("", average("error") + 1))
    assert record["permutation"]["p"] == 1.0
    assert record["verdict"] == "undecided"
    assert "shuffled" in record["reason"]


def shuffles(data, **changes):
    one = claim("rate", "", "", RATE >= 0, **{"shuffle": "width", "fails": but("flat", of="flat"), **changes})
    return Sample(data, xr.Dataset()).shuffled(permutations(one, data, "key"))


def test_shuffling_destroys_the_law():
    found = RATE.values(shuffles(cube()))
    assert len(found) == 199
    assert np.mean(np.abs(found + 0.5) < 0.1) < 0.05


def test_the_permutation_p_value_is_uniform_where_there_is_no_law(monkeypatch):
    monkeypatch.setattr(verdict, "DRAWS", 19)  # the interval is not looked at
    p = [judge(cube(exponent=0.0, seed=s, noise=0.3, seeds=4))["permutation"]["p"] for s in range(60)]
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_a_shuffle_keeps_every_seed_s_values_and_the_variables_together():
    data = cube()
    data["copy"] = data["error"] * 2
    seen = [moved for moved, _ in shuffles(data).each({})]
    assert len(seen) == 199
    for one in seen[:5]:
        np.testing.assert_allclose(np.sort(one["error"], axis=1), np.sort(data["error"].T, axis=1))
        np.testing.assert_allclose(one["copy"], 2 * one["error"])
    assert not np.array_equal(seen[0]["error"].T, data["error"])
    places = np.argsort(seen[0]["error"].values / data["error"].values[:1].T, axis=1)
    assert len({tuple(row) for row in places}) > 1  # every seed has a permutation of its own


def test_every_order_of_the_values_is_as_likely_as_any_other():
    found = permutations(
        claim("", "", "", RATE >= 0, rival=exchangeable("kind"), fails=but("", of="flat")), kinds(40), "key"
    )
    counts = np.unique(found.orders.reshape(-1, 3), axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


def kinds(seeds):
    return xr.Dataset({"error": (("kind", "seed"), np.ones((3, seeds)))}, attrs={"study": "toy"})


def test_only_the_named_variables_are_shuffled():
    data = cube()
    moved, _ = next(shuffles(data, only=["flat"]).each({}))
    np.testing.assert_array_equal(moved["error"], data["error"])
    assert not np.array_equal(moved["flat"].T, data["flat"])


def test_a_claim_whose_measurement_is_not_shuffled_is_not_destroyed():
    assert judge(cube(), only=["flat"])["permutation"]["p"] == 1.0


def test_a_shuffle_as_near_as_the_estimate_up_to_round_off_counts():
    found = np.array([-0.5 * (1 + 1e-15), -0.5, 3.0, math.nan])
    assert p_value(-0.5, found, Equals(-0.4, 0.2)) == pytest.approx(3 / 5)


INTERVALS = {
    "mean": (average("x"), lambda x, y: x.mean()),
    "geometric mean": (average("y", by="log mean"), lambda x, y: np.exp(np.log(y).mean())),
    "median": (average("x", by="median"), lambda x, y: np.median(x)),
    "largest": (largest("x"), lambda x, y: x.max()),
    "smallest of means": (smallest("y", by="mean"), lambda x, y: y.mean(-1).min()),
    "ratio": (average("x") / average("y"), lambda x, y: x.mean() / y.mean()),
    "exponent": (exponent("y", along="place"), lambda x, y: np.polyfit(np.log([1, 2, 4]), np.log(y.mean(-1)), 1)[0]),
    "own": (statistic(lambda x: x.std("seed"), "x", words="", by="runs"), lambda x, y: x.std()),
    "plain": (plain(lambda cube, theory: float((cube["x"] ** 3).sum()), ""), lambda x, y: (x**3).sum()),
}


@pytest.mark.parametrize("which", INTERVALS)
@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32), st.integers(4, 25))
def test_the_interval_is_scipy_s_bca_of_the_same_draws(which, seed, seeds):
    rng, key = np.random.default_rng(seed), f"{seed}"
    x, y = rng.gamma(2.0, size=seeds), rng.gamma(4.0, size=(3, seeds))
    cube = xr.Dataset({"x": ("seed", x), "y": (("place", "seed"), y)}, {"place": [1.0, 2.0, 4.0]})
    found, alone = INTERVALS[which]
    sample = Sample(cube, xr.Dataset())
    interval = bootstrap(found, sample, found.values(sample)[0], key)

    def drawn(index):
        """Seeds in order: what is drawn is the same whatever the order, to the last digit."""
        index = np.sort(index.astype(int))
        return alone(x[index], y[:, index])

    how = {"n_resamples": DRAWS, "method": "BCa", "vectorized": False, "rng": stream(key, "bootstrap")}
    with mock.patch("warnings.warn"):  # of few values
        expected = stats.bootstrap((np.arange(seeds),), drawn, **how).confidence_interval
    if np.isfinite(expected).all():
        np.testing.assert_allclose(interval, expected, rtol=1e-12, atol=1e-12)
    else:
        assert np.isfinite(interval).all()


def test_where_bca_has_no_value_the_interval_is_that_of_the_percentiles():
    data = xr.Dataset({"x": ("seed", [0.0, 0.0, 0.0, 0.0, 0.0, 1.0])})
    found = largest("x")
    sample = Sample(data, xr.Dataset())
    draws = sample.drawn(stream("key", "bootstrap").integers(0, 6, (DRAWS, 6)))
    assert bootstrap(found, sample, 1.0, "key") == tuple(np.quantile(found.values(draws), [0.025, 0.975]))


def test_the_interval_does_not_depend_on_the_order_in_which_seeds_are_added_up():
    x = np.random.default_rng(0).normal(size=4)
    cube = xr.Dataset({"x": ("seed", x)})
    sample = Sample(cube, xr.Dataset())
    one = plain(lambda cube, theory: float(cube["x"].values.sum()), "")
    other = plain(lambda cube, theory: float(np.sort(cube["x"].values)[::-1].cumsum()[-1]), "")
    assert bootstrap(one, sample, x.sum(), "key") == pytest.approx(bootstrap(other, sample, x.sum(), "key"), rel=1e-12)


def test_a_draw_without_a_value_leaves_no_interval():
    data = xr.Dataset({"x": ("seed", [np.nan, np.nan, np.nan, 1.0])})
    assert np.isnan(bootstrap(average("x"), Sample(data, xr.Dataset()), 1.0, "key")).all()
    assert np.isnan(bootstrap(average("x"), Sample(data, xr.Dataset()), math.nan, "key")).all()


def test_the_interval_covers_the_truth_as_often_as_it_says():
    hits = 0
    for trial in range(400):
        x = np.random.default_rng(trial).normal(size=25)
        sample = Sample(xr.Dataset({"x": ("seed", x)}), xr.Dataset())
        low, high = bootstrap(average("x"), sample, x.mean(), f"trial {trial}")
        hits += low <= 0 <= high
    # 95 % nominal; the bootstrap of 25 values covers a little less (about 93 %): 3 standard errors below that
    assert 0.89 * 400 <= hits < 400


def test_the_interval_of_a_mean_agrees_with_student_s():
    x = np.random.default_rng(1).normal(size=200)
    low, high = bootstrap(average("x"), Sample(xr.Dataset({"x": ("seed", x)}), xr.Dataset()), x.mean(), "key")
    student = stats.t.interval(0.95, 199, x.mean(), stats.sem(x))
    assert low == pytest.approx(student[0], abs=0.03)
    assert high == pytest.approx(student[1], abs=0.03)


def test_a_statistic_that_never_varies_has_a_point_as_its_interval():
    data = xr.Dataset({"x": ("seed", np.ones(5))})
    assert bootstrap(average("x"), Sample(data, xr.Dataset()), 1.0, "key") == (1.0, 1.0)


def test_the_same_cube_gives_the_same_verdict():
    assert judge(cube()) == judge(cube())


@pytest.mark.parametrize(
    ("interval", "expected", "said"),
    [
        ((0.9, 1.1), Equals(1, 0.2), "supported"),
        ((0.7, 1.1), Equals(1, 0.2), "undecided"),
        ((1.3, 1.4), Equals(1, 0.2), "refuted"),
        ((0.8, 1.2), Equals(1, 0.2), "supported"),
        ((0.96, 1.0), AtLeast(0.95), "supported"),
        ((0.90, 0.97), AtLeast(0.95), "undecided"),
        ((0.80, 0.90), AtLeast(0.95), "refuted"),
        ((0.1, 0.2), AtMost(0.2), "supported"),
        ((0.21, 0.3), AtMost(0.2), "refuted"),
        ((math.nan, math.nan), AtMost(0.2), "undecided"),
    ],
)
def test_outcomes(interval, expected, said):
    assert outcome(interval, expected) == said


def test_a_variable_that_is_missing_is_named():
    with pytest.raises(InputError, match='study toy: claim rate: of: unknown observable or variable "error"'):
        judge(cube().drop_vars("error"))


def test_a_variable_that_a_function_misses_is_named():
    found = exponent(lambda cube, theory: cube["error"] ** 2, along="width")
    with pytest.raises(InputError, match="study toy: claim rate: No variable named 'error'"):
        judge(cube().drop_vars("error"), found >= 0)


def test_a_dimension_that_is_missing_is_named():
    with pytest.raises(InputError, match="cannot permute along 'depth'"):
        judge(cube(), rival=exchangeable("depth"))


def test_a_variable_to_be_shuffled_that_is_missing_is_named():
    with pytest.raises(InputError, match="claim rate: the cube has no variable 'errro' to shuffle"):
        judge(cube(), only=["errro"])


def test_a_value_that_is_not_there_is_named_with_study_and_claim():
    with pytest.raises(InputError, match='study toy: claim rate: where: unknown value of width "9"'):
        judge(cube(), average("error", where={"width": 9}) >= 0)


def test_a_statistic_that_raises_is_one_line():
    def broken(cube, theory):
        raise ZeroDivisionError("by zero")

    with pytest.raises(AtlasError, match="study toy: claim rate: ZeroDivisionError: by zero"):
        judge(cube(), average(broken) >= 0)


def test_a_control_is_the_claim_s_statistic_with_a_setting_changed_or_moved_or_another():
    long = instead("flat", exponent("flat", along="width"))
    assert judge(cube(), fails=long) == judge(cube())
    moved = average("error", where={"width": 8}) >= 0.3
    low = judge(cube(), moved, fails=where("wider ones err less", width=128))["control"]
    assert low["estimate"] == pytest.approx(128**-0.5, abs=0.01)
    assert low["fails"]


def test_a_control_that_changes_nothing_is_refused():
    for nothing in (but("no such setting", tolerance=1), where("nowhere else"), instead("the same", RATE)):
        with pytest.raises(InputError, match="claim 'rate': its control changes nothing of the statistic"):
            judge(cube(), fails=nothing)


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_a_miss_grows_away_from_what_is_allowed(bound, estimate):
    assert AtLeast(bound).miss(estimate) == bound - estimate
    assert AtMost(bound).miss(estimate) == estimate - bound
    assert Equals(bound, 0.5).miss(estimate) == 2 * abs(estimate - bound)


@pytest.mark.parametrize(
    ("spoilt", "reason", "p"),
    [
        ({"error"}, "no value: the statistic is not defined on what was measured", None),
        ({"flat"}, "the control has no value, so the test cannot tell the theory from its absence", 0.05),
    ],
)
def test_a_statistic_without_a_value_is_undecided_and_no_p_is_said(spoilt, reason, p):
    data = cube()
    for name in spoilt:
        data[name] = xr.full_like(data[name], np.nan)
    record = judge(data)
    assert (record["verdict"], record["reason"]) == ("undecided", reason)
    found = record["permutation"]["p"]
    assert found is None if p is None else found < p
    line = verdict.summary({"study": "toy", "verdict": "undecided", "runs": 60, "scale": "smoke", "claims": [record]})
    assert ("no p" in line) == (p is None)


@pytest.mark.parametrize(("exponent", "expected"), [(-1.0, "refuted"), (-0.5, "undecided")])
def test_a_claim_is_refuted_whatever_its_control_says(exponent, expected):
    data = cube(exponent=exponent)
    data["flat"] = xr.full_like(data["flat"], np.nan)
    record = judge(data)
    assert record["verdict"] == expected
    assert ("control has no value" in record["reason"]) == (expected == "undecided")


def test_one_seed_gives_no_interval_and_the_reason_says_so():
    record = judge(cube(seeds=1))
    assert (record["verdict"], record["reason"]) == ("undecided", "no interval: one seed")
    assert record["interval"] == [None, None]
