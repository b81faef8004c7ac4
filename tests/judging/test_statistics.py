"""Each statistic against a cube whose answer is known, and what it says of itself."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats

from dlatlas.declare.variable import derived
from dlatlas.judging.sample import Sample
from dlatlas.judging.statistics import (
    agreement,
    average,
    deviation,
    exponent,
    fitted_slope,
    largest,
    least,
    most,
    order,
    peak,
    plain,
    rate,
    ratio,
    share,
    slope,
    smallest,
    statistic,
    threshold,
)
from dlatlas.judging.words import quantity

WIDTHS, RATES, SEEDS = np.array([8, 32, 128, 512]), np.array([0.1, 0.3, 1.0]), np.arange(5)
POWER = xr.DataArray([-1.0, 0.5], dims="kind")


@pytest.fixture
def cube():
    """``gap = rate × width^power`` with a factor that is 1 on average over seeds; ``kind`` is zipped with ``power``."""
    factor = xr.DataArray([0.8, 0.9, 1.0, 1.1, 1.2], dims="seed")
    width, rate = xr.DataArray(WIDTHS, dims="width"), xr.DataArray(RATES, dims="rate")
    gap = (rate * width**POWER * factor).assign_attrs(long_name="gap of the loss", units="nat")
    coords = {"width": WIDTHS, "rate": RATES, "seed": SEEDS, "power": ("kind", POWER.values),
              "even": ("kind", [True, False])}  # fmt: skip
    return xr.Dataset({"gap": gap}, coords)


@pytest.fixture
def sample(cube):
    """With a theory that is the truth for one kind, twice that for the other, and thrice in ``other``."""
    factor = xr.DataArray([1.0, 2.0], dims="kind")
    theory = (cube[["gap"]].mean("seed") * factor).assign(other=3 * cube["gap"].mean("seed"))
    theory = theory.assign_coords(cube.drop_vars("gap").drop_dims("seed").coords)
    return Sample(cube, theory)


@pytest.fixture
def value(sample):
    """``value(statistic)``: its number."""

    def of(statistic):
        (found,) = statistic.values(sample)
        return float(found)

    return of


EVEN = {"even": True}


@pytest.mark.parametrize(("kind", "power"), [(True, -1.0), (False, 0.5)])
@pytest.mark.parametrize("by", ["mean", "median", "log mean"])
def test_an_exponent_is_that_of_the_power_law(value, kind, power, by):
    where = {"even": kind}
    assert value(exponent("gap", along="width", where=where, by=by)) == pytest.approx(power)
    assert value(exponent("gap", along="rate", where=where)) == pytest.approx(1)
    assert value(exponent(lambda cube, _: cube["gap"] ** 2, along="width", where=where)) == pytest.approx(2 * power)


def test_a_rate_is_that_of_the_exponential_law(value):
    assert value(rate(lambda cube, _: np.exp(-3 * cube["rate"]) + 0 * cube["gap"], along="rate")) == pytest.approx(-3)


def test_a_slope_is_of_axes_as_they_are_or_of_their_logarithms(value):
    at = {"width": 8, "even": True}
    assert value(slope("gap", along="rate", where=at)) == pytest.approx(1 / 8)
    assert value(slope(lambda cube, _: np.log(cube["gap"]), along="rate", log="x", where=at)) == pytest.approx(1)
    assert value(slope("gap", along="rate", log="xy", where=at)) == pytest.approx(1)


def test_slopes_of_each_kind_are_averaged(value):
    assert value(exponent("gap", along="width", each=["kind"])) == pytest.approx((-1 + 0.5) / 2)
    together = value(exponent("gap", along="width"))
    assert together != pytest.approx(-0.25, abs=0.05)


def test_a_slope_of_runs_fits_all_of_them_and_one_against_a_variable_their_means(cube, value):
    at = {"width": 8, "even": True}
    x = np.repeat(RATES, 5)
    y = cube["gap"].sel(width=8).isel(kind=0).transpose("rate", "seed").values.ravel()
    assert value(slope("gap", along="rate", by="runs", where=at)) == pytest.approx(np.polyfit(x, y, 1)[0])
    twice = slope("gap", along=lambda cube, _: 2 * cube["gap"], where=EVEN)
    assert value(twice) == pytest.approx(0.5)


def test_agreement_counts_settings_or_runs(cube, value):
    assert value(agreement("gap", 0.01)) == 0.5
    assert value(agreement("gap", 0.01, where=EVEN)) == 1
    assert value(agreement("gap", 0.01, "theory.other")) == 0
    runs = agreement("gap", 0.15, where=EVEN, by="runs")
    assert value(runs) == pytest.approx(0.6)
    cube["gap"][{"seed": 2}] = np.nan
    assert value(agreement("gap", 0.15, where=EVEN)) == 1


def test_a_run_without_a_value_does_not_count_for_agreement_of_runs(cube, value):
    cube["gap"][{"seed": 2}] = np.nan
    assert value(agreement("gap", 0.15, where=EVEN, by="runs")) == pytest.approx(0.5)


def test_deviation_is_relative_to_the_theory(value):
    assert value(deviation("gap", where={"even": False})) == pytest.approx(0.5)
    assert value(deviation("gap", worst=True)) == pytest.approx(0.5)
    assert value(deviation("gap")) == pytest.approx(0.25)
    assert value(deviation("gap", "theory.other")) == pytest.approx(2 / 3)


def test_a_ratio_to_the_theory_is_averaged_geometrically(value):
    assert value(ratio("gap", where=EVEN)) == pytest.approx(1)
    assert value(ratio("gap")) == pytest.approx(math.sqrt(0.5))
    assert value(ratio("gap", "theory.other", where=EVEN)) == pytest.approx(1 / 3)


def test_extremes_are_over_runs_or_over_means(value):
    assert value(largest("gap", where=EVEN)) == pytest.approx(1.2 / 8)
    assert value(largest("gap", where=EVEN, by="mean")) == pytest.approx(1 / 8)
    assert value(smallest("gap", where=EVEN)) == pytest.approx(0.8 * 0.1 / 512)
    assert value(smallest("gap", where=EVEN, by="median")) == pytest.approx(0.1 / 512)


def test_an_average_of_truth_values_is_their_share(value):
    assert value(average(lambda cube, _: cube["rate"] > 0.2)) == pytest.approx(2 / 3)
    assert value(share(lambda cube, _: cube["gap"] > 0.1, where={"even": True, "width": 8})) == pytest.approx(4 / 15)
    assert value(average("gap", where={"even": True, "rate": 1.0, "width": 8})) == pytest.approx(1 / 8)


def test_a_share_leaves_out_runs_without_a_value(value):
    late = share(lambda cube, _: (cube["gap"] > 0.12).where(cube["seed"] > 0), where={**EVEN, "rate": 1.0, "width": 8})
    assert value(late) == pytest.approx(0.75)


def test_order_is_spearman_s(cube, value):
    assert value(order("gap", along="width", where=EVEN)) == pytest.approx(-1)
    assert value(order("gap", along="rate")) == pytest.approx(1)
    mixed = cube["gap"].mean(("seed", "rate", "kind")).values
    assert value(order("gap", along="width")) == pytest.approx(stats.spearmanr(WIDTHS, mixed).statistic)
    assert value(order("gap", along="width", each=["kind"])) == pytest.approx(0)


def test_a_peak_is_where_the_mean_or_each_seed_is_largest(value):
    bent = lambda cube, _: -((np.log(cube["width"] / 40)) ** 2) + 0 * cube["gap"]  # noqa: E731
    assert value(peak(bent, along="width")) == 32
    assert value(peak(bent, along="width", end="smallest")) == 512
    places = xr.DataArray([8, 8, 32, 32, 512], {"seed": range(5)})
    own = lambda cube, _: -((cube["width"] - places.sel(seed=cube["seed"])) ** 2)  # noqa: E731
    assert value(peak(own, along="width", by="runs")) == pytest.approx((8 + 8 + 32 + 32 + 512) / 5)
    assert value(peak(own, along="width")) == 128  # nearest to the mean of these


def test_a_threshold_is_the_largest_place_at_a_level_or_zero(value):
    at = {**EVEN, "rate": 1.0}
    assert value(threshold("gap", along="width", level=1 / 40, where=at)) == 32
    assert value(threshold("gap", along="width", level=9.0, where=at)) == 0


def test_a_statistic_of_one_s_own_sees_means_with_names_and_its_settings(value):
    seen = []

    def own(gap, other, power):
        seen.append((gap.dims, other.dims))
        return (gap / other).max(("width", "rate")) ** power

    found = statistic(own, "gap", "theory.other", words="", where=EVEN, keep=("width", "rate"), power=2)
    assert value(found) == pytest.approx(1 / 9)
    assert value(found.changed(power=1)) == pytest.approx(1 / 3)
    assert [sorted(dims) for dims in seen[0]] == [["draw", "rate", "width"]] * 2


def test_any_function_of_cube_and_theory_is_a_statistic(value):
    found = plain(lambda cube, theory, power: float(cube["gap"].max()) ** power, "the most", where=EVEN, power=2)
    assert value(found) == pytest.approx((1.2 / 8) ** 2)
    assert value(found.changed(power=1)) == pytest.approx(1.2 / 8)
    assert value(found.moved({"width": 32})) == pytest.approx((1.2 / 32) ** 2)


def test_statistics_are_added_divided_and_compared(value):
    a, b = (average("gap", where={**EVEN, "rate": 1.0, "width": width}) for width in (8, 32))
    assert value(a + b) == pytest.approx(1 / 8 + 1 / 32)
    assert value(a - b) == pytest.approx(1 / 8 - 1 / 32)
    assert value(a * b) == pytest.approx(1 / 256)
    assert value(a / b) == pytest.approx(4)
    assert value(2 * a + 1) == pytest.approx(1.25)
    assert value(1 + a) == pytest.approx(1.125)
    assert value(1 - a) == pytest.approx(0.875)
    assert value(a / 2 - 1) == pytest.approx(-0.9375)
    assert value(-a) == pytest.approx(-1 / 8)
    assert value(abs(b - a)) == pytest.approx(3 / 32)
    assert value(least(a, b)) == pytest.approx(1 / 32)
    assert value(most(a, b, -a)) == pytest.approx(1 / 8)


@given(st.floats(-9, 9), st.floats(-9, 9).filter(lambda x: abs(x) > 1e-3), st.floats(-9, 9))
def test_arithmetic_of_statistics_is_that_of_their_numbers(a, b, c):
    cube = xr.Dataset({"a": a, "b": b, "c": c})
    x, y, z = (average(name) for name in "abc")
    found = (x + 2 * y - z) / y + most(x, least(y, z)) - abs(-z * x)
    expected = (a + 2 * b - c) / b + max(a, min(b, c)) - abs(-c * a)
    assert found.values(Sample(cube, cube))[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_change_reaches_every_part(value):
    a, b = (average("gap", where={**EVEN, "rate": 1.0, "width": width}) for width in (8, 32))
    both = a / b
    assert value(both.moved({"rate": 0.1})) == pytest.approx(4)
    assert value(both.moved({"even": False})) == pytest.approx(0.5)
    assert value(both.changed(by="median")) == pytest.approx(4)
    assert value(both.changed(of=lambda cube, _: cube["gap"] ** 2)) == pytest.approx(16)
    assert value(deviation("gap").changed(prediction="theory.other")) == pytest.approx(2 / 3)
    assert value(exponent("gap", along="width", where=EVEN).changed(along="rate")) == pytest.approx(1)


def test_a_change_that_a_statistic_does_not_know_changes_nothing():
    found = deviation("gap")
    assert found.changed(tolerance=0.1) == found
    assert found.moved({}) == found


def test_a_statistic_names_all_that_it_looks_at():
    found = slope("gap", along="part") - 2 * average("theory.other") / average("gap")
    assert found.names() == ["gap", "part", "theory.other"]


def test_bounds_are_told_with_the_statistic():
    found = average("gap")
    assert str((found >= 1).allowed) == "≥ 1"
    assert str((found <= 0.5).allowed) == "≤ 0.5"
    assert str(found.within(-0.5, 0.1).allowed) == "-0.5 ± 0.1"
    assert (found >= 1).statistic is found


IN_WORDS = {
    "mean of gap of the loss [nat]": average("gap"),
    "geometric mean of gap of the loss [nat]": average("gap", by="log mean"),
    "share of gap of the loss [1]": share("gap"),
    "smallest mean of gap of the loss, even = True or False [nat]": smallest("gap", {"even": [True, False]}, by="mean"),
    "largest share of the loss [1]": largest("part"),
    "log-log slope of gap of the loss against width, rate of 0.3 or more [1]":
        exponent("gap", "width", {"rate": (0.3, None)}),
    "slope of gap of the loss against ln width [1]": slope("gap", "width", log="x"),
    "slope of the logarithm of gap of the loss against width, rate up to 0.3 [1]":
        rate("gap", "width", {"rate": (None, 0.3)}),
    "rank correlation of gap of the loss with width, rate from 0.1 to 0.3 [1]":
        order("gap", "width", {"rate": (0.1, 0.3)}),
    "width at which gap of the loss is largest [1]": peak("gap", "width"),
    "largest width at which the mean of gap of the loss is at least 0.5 [1]": threshold("gap", "width", 0.5),
    "mean relative deviation of gap of the loss from the theory [1]": deviation("gap"),
    "largest relative deviation of gap of the loss from lower bound [1]":
        deviation("gap", "theory.lower_bound", worst=True),
    "geometric mean of gap of the loss over other [1]": ratio("gap", "theory.other"),
    "share of runs in which gap of the loss is the theory within 5 % [1]": agreement("gap", 0.05, by="runs"),
    "spread of gap of the loss [m]": statistic(max, "gap", words="spread of {of}", units="m"),
    "the most, rate = 0.3 [1]": plain(max, "the most", where={"rate": 0.3}),
    "mean of gap of the loss - mean of share of the loss [nat]": average("gap") - average("part"),
    "mean of gap of the loss × 2 [nat]": 2 * average("gap"),
    "mean of gap of the loss / mean of gap of the loss [1]": average("gap") / average("gap"),
    "1 - (mean of gap of the loss - 2) [nat]": 1 - (average("gap") - 2),
    "|mean of gap of the loss| [nat]": abs(average("gap")),
    "mean of gap of the loss (rate = 0.1) / mean of gap of the loss (rate = 0.3) [1]":
        average("gap", {"rate": 0.1}) / average("gap", {"rate": 0.3}),
    "smallest of: mean of gap of the loss, largest gap of the loss [nat]": least(average("gap"), largest("gap")),
}  # fmt: skip


@pytest.mark.parametrize("said", IN_WORDS)
def test_a_statistic_says_what_it_is(cube, said):
    part = derived("share of the loss", lambda cube, theory: cube["gap"] / 2)
    study = SimpleNamespace(observables={"part": part}, variables={})
    assert quantity(IN_WORDS[said], cube=cube, study=study) == said


FINITE = st.floats(-100, 100).map(lambda x: round(x, 1))
PAIRS = st.lists(st.tuples(FINITE | st.just(math.nan), FINITE | st.just(math.inf)), min_size=1, max_size=12)


def kept(pairs):
    return np.array([pair for pair in pairs if np.isfinite(pair).all()]).reshape(-1, 2).T


@given(PAIRS)
@example([(0.8, 0.0)] * 3)  # whose mean is another number
def test_a_slope_is_scipy_s_of_the_pairs_that_are_there(pairs):
    x, y = kept(pairs)
    found = fitted_slope(*np.array(pairs).T)
    if len(x) < 2 or np.ptp(x) == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(stats.linregress(x, y).slope, rel=1e-9, abs=1e-9)


@given(PAIRS)
def test_a_rank_correlation_counts_the_pairs_in_order_less_those_in_reverse(pairs):
    x, y = kept(pairs)
    assume(len(x))
    data = xr.Dataset({"y": ("p", y), "x": ("p", x)})
    signs = [np.sign((y[j] - y[i]) * (x[j] - x[i])) for i in range(len(x)) for j in range(i) if x[i] != x[j]]
    found = order("y", along="x").values(Sample(data, data))[0]
    assert np.isnan(found) if not signs else found == pytest.approx(np.mean(signs), abs=1e-12)
    if len(set(x)) == len(x) and len(set(y)) == len(y) > 1:
        assert found == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)


def test_slopes_of_many_rows_are_those_of_each():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(7), rng.standard_normal((3, 4, 7))
    y[rng.random(y.shape) < 0.2] = np.nan
    found = fitted_slope(x, y)
    assert found.shape == (3, 4)
    np.testing.assert_array_equal(found, [[fitted_slope(x, row) for row in rows] for rows in y])


def test_powers_leave_out_what_has_no_logarithm():
    cube = xr.Dataset({"y": ("x", [5, np.nan, 0.05, -1.0])}, {"x": [1, 10, 100, 1000]})
    assert exponent("y", along="x").values(Sample(cube, cube))[0] == pytest.approx(-1)


def test_a_constant_axis_has_no_slope():
    cube = xr.Dataset({"y": ("x", [2.0, 3.0]), "flat": ("x", [1.0, 1.0])}, {"x": [1, 2]})
    assert math.isnan(slope("y", along="flat").values(Sample(cube, cube))[0])


def test_the_geometric_mean_is_that_and_leaves_out_what_has_no_logarithm():
    cube = xr.Dataset({"loss": ("seed", [1.0, 100.0, 0.0])})
    sample = Sample(cube, cube)
    assert average("loss", by="log mean").values(sample)[0] == pytest.approx(10)
    assert average("loss").values(sample)[0] == pytest.approx(101 / 3)
    assert average("loss", by="median").values(sample)[0] == 1
