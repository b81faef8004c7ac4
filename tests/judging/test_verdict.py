import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dlatlas.declare.claim import Claim, Control
from dlatlas.errors import AtlasError, InputError
from dlatlas.judging import verdict
from dlatlas.judging.statistics import loglog_slope
from dlatlas.judging.verdict import AtLeast, AtMost, Equals, bootstrap, judge_claim, needed, outcome, permutations

WIDTHS = np.array([8.0, 16, 32, 64, 128])


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


def claim(**changes):
    def statistic(name):
        return lambda cube, theory: loglog_slope(cube["width"], cube[name].mean("seed"))

    given = {
        "name": "rate", "statement": "", "source": "", "quantity": "", "statistic": statistic("error"),
        "expected": Equals(-0.5, 0.1), "control": Control("flat", statistic("flat")), "permute": "width",
    }  # fmt: skip
    return Claim(**{**given, **changes})


def judge(data, **changes):
    return judge_claim(claim(**changes), data, xr.Dataset())


def test_a_true_law_is_supported():
    record = judge(cube())
    assert record["verdict"] == "supported"
    assert record["estimate"] == pytest.approx(-0.5, abs=0.05)
    assert record["interval"][0] < record["estimate"] < record["interval"][1]
    assert record["control"]["fails"]
    assert record["permutation"]["p"] < 0.05
    assert (record["seeds"], record["runs"]) == (12, 60)


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
    def blind(cube, theory):
        return float(cube["error"].mean())

    record = judge(cube(), statistic=blind, expected=AtMost(1.0), control=Control("", lambda c, t: 2.0))
    assert record["permutation"]["p"] == 1.0
    assert record["verdict"] == "undecided"
    assert "shuffled" in record["reason"]


def test_shuffling_destroys_the_law():
    data = cube()
    shuffled = permutations(claim(), data, lambda c: claim().statistic(c, xr.Dataset()), "key")
    assert np.mean(np.abs(shuffled + 0.5) < 0.1) < 0.05


def test_the_permutation_p_value_is_uniform_where_there_is_no_law(monkeypatch):
    monkeypatch.setattr(verdict, "DRAWS", 19)  # the interval is not looked at
    p = [judge(cube(exponent=0.0, seed=s, noise=0.3, seeds=4))["permutation"]["p"] for s in range(30)]
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_a_shuffle_keeps_every_seed_s_values_and_the_variables_together():
    data = cube()
    data["copy"] = data["error"] * 2
    seen = []

    def look(shuffled):
        seen.append(shuffled)
        return 0.0

    permutations(claim(), data, look, "key")
    assert len(seen) == 199
    for one in seen[:5]:
        np.testing.assert_allclose(np.sort(one["error"], axis=0), np.sort(data["error"], axis=0))
        np.testing.assert_allclose(one["copy"], 2 * one["error"])
    assert not np.array_equal(seen[0]["error"], data["error"])
    orders = np.argsort(seen[0]["error"].values / data["error"].values[:, :1], axis=0)
    assert len({tuple(column) for column in orders.T}) > 1  # every seed has a permutation of its own


def test_only_the_named_variables_are_shuffled():
    data = cube()
    seen = []
    permutations(claim(shuffled=("flat",)), data, lambda c: seen.append(c) or 0.0, "key")
    np.testing.assert_array_equal(seen[0]["error"], data["error"])
    assert not np.array_equal(seen[0]["flat"], data["flat"])


def test_the_interval_covers_the_truth_as_often_as_it_says():
    def mean(cube, theory):
        return float(cube["x"].mean())

    hits = 0
    for trial in range(120):
        data = xr.Dataset({"x": ("seed", np.random.default_rng(trial).normal(size=25))})
        low, high = bootstrap(mean, data, xr.Dataset(), mean(data, None), f"trial {trial}")
        hits += low <= 0 <= high
    # 95 % nominal; the bootstrap of 25 values covers a little less (about 93 %): 3 standard errors below that
    assert 0.86 * 120 <= hits < 120


def test_the_interval_of_a_mean_agrees_with_student_s():
    x = np.random.default_rng(1).normal(size=200)
    data = xr.Dataset({"x": ("seed", x)})
    low, high = bootstrap(lambda c, t: float(c["x"].mean()), data, xr.Dataset(), x.mean(), "key")
    student = stats.t.interval(0.95, 199, x.mean(), stats.sem(x))
    assert low == pytest.approx(student[0], abs=0.03)
    assert high == pytest.approx(student[1], abs=0.03)


def test_a_statistic_that_never_varies_has_a_point_as_its_interval():
    data = xr.Dataset({"x": ("seed", np.ones(5))})
    assert bootstrap(lambda c, t: 1.0, data, xr.Dataset(), 1.0, "key") == (1.0, 1.0)


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
    with pytest.raises(InputError, match="study toy: claim rate: No variable named 'error'"):
        judge(cube().drop_vars("error"))


def test_a_dimension_that_is_missing_is_named():
    with pytest.raises(InputError, match="cannot permute along 'depth'"):
        judge(cube(), permute="depth")


def test_a_variable_to_be_shuffled_that_is_missing_is_named():
    with pytest.raises(InputError, match="claim rate: the cube has no variable 'errro' to shuffle"):
        judge(cube(), shuffled=("errro",))


def test_only_what_a_statistic_looks_at_is_drawn_again():
    data = cube()
    statistic = claim().statistic
    lean = needed(statistic, data, xr.Dataset(), statistic(data, xr.Dataset()))
    assert list(lean.data_vars) == ["error"]


def test_a_statistic_that_raises_is_one_line():
    def broken(cube, theory):
        raise ZeroDivisionError("by zero")

    with pytest.raises(AtlasError, match="study toy: claim rate: ZeroDivisionError: by zero"):
        judge(cube(), statistic=broken)


def by_name(cube, theory, name):
    return loglog_slope(cube["width"], cube[name].mean("seed"))


def test_a_control_is_the_claim_s_statistic_with_one_setting_changed():
    short = judge(cube(), statistic=by_name, holds={"name": "error"}, control=Control("flat", {"name": "flat"}))
    assert short == judge(cube())
    assert short["verdict"] == "supported"
    assert short["control"]["fails"]


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_a_miss_grows_away_from_what_is_allowed(bound, estimate):
    assert AtLeast(bound).miss(estimate) == bound - estimate
    assert AtMost(bound).miss(estimate) == estimate - bound
    assert Equals(bound, 0.5).miss(estimate) == 2 * abs(estimate - bound)
