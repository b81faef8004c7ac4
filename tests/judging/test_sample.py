"""Many draws at once are many draws one after the other: each statistic against a plain loop, on flawed cubes, too."""

import re
from unittest import mock

import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dlatlas.errors import InputError
from dlatlas.judging import reduction
from dlatlas.judging.reduction import LeaveOneOut
from dlatlas.judging.sample import Sample, Shuffle
from dlatlas.judging.selection import select
from dlatlas.judging.statistics import (
    agreement,
    average,
    deviation,
    exponent,
    largest,
    least,
    most,
    order,
    peak,
    plain,
    rate,
    ratio,
    slope,
    smallest,
    statistic,
    threshold,
)

pytestmark = pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")

WIDTHS, DRAWS = np.array([0.1, 0.2, 0.1 + 0.2, 0.4]), 4
"""The third is 0.30000000000000004."""


def but_seed(array):
    return [dim for dim in array.dims if dim != "seed"]


def largest_step(cube, theory):
    """Of bare arrays: a dimension more is one too many."""
    loss = cube["loss"].transpose("width", "kind", "step", "seed")
    return xr.DataArray(loss.values.max(2), dims=("width", "kind", "seed"), coords={"width": cube["width"]})


def centred(cube, theory):
    """By a mean over whatever dimensions there are, the draws among them."""
    part = cube["loss"].isel(width=0)
    return cube["loss"] - part.mean(but_seed(part))


def accumulated(cube, theory):
    """Along whatever dimensions there are: that of the first draw is right."""
    return cube["loss"].fillna(0.0).clip(-9, 9).cumsum(but_seed(cube["loss"]))


def ranked(cube, theory):
    """Each number's rank among all of its seed, in bare arrays of any shape."""
    loss = cube["loss"].transpose("seed", ...)
    places = loss.values.reshape(len(loss), -1).argsort(1, kind="stable").argsort(1)
    return loss.copy(data=places.reshape(loss.shape))


OBSERVABLES = {
    "last": lambda cube, theory: cube["loss"].isel(step=-1),
    "fastest": lambda cube, theory: cube["loss"].fillna(np.inf).argmin("step"),
    "off": lambda cube, theory: np.abs(cube["loss"] / theory["loss"] - 1),
    "apart": lambda cube, theory: cube["loss"].max("step") - cube["gap"],
    "low": lambda cube, theory: cube["loss"] < 1,
    "bare": largest_step,
    "centred": centred,
    "accumulated": accumulated,
    "ranked": ranked,
}
"""Run by run; the last four do not carry draws, and three of these mix them without a word."""


def flawed(rng, shape, flaw):
    """Numbers of both signs and many sizes, a fifth of them missing or infinite."""
    values = rng.standard_normal(shape) + 1.5
    for kind, bad in (("nan", np.nan), ("infinite", np.inf), ("opposite", -np.inf), ("zero", 0.0)):
        if kind in flaw:
            values[rng.random(shape) < 0.2] = bad
    return values


FLAWS = ("", "nan", "infinite", "infinite opposite", "nan infinite opposite zero")


def made(seed, flaw="", seeds=4):
    """A cube of two kinds, zipped with a power and a name; a variable with steps, one without, one without seeds."""
    rng = np.random.default_rng(seed)
    dims = ("width", "kind", "seed")
    data = {
        "loss": ((*dims, "step"), flawed(rng, (4, 2, seeds, 3), flaw)),
        "gap": (("seed", "width"), flawed(rng, (seeds, 4), flaw)),
        "still": (("width",), rng.standard_normal(4)),
        "status": (dims, np.zeros((4, 2, seeds), np.int8)),
    }
    coords = {"width": WIDTHS, "seed": np.arange(seeds), "power": ("kind", [-1.0, 0.5]),
              "name": ("kind", ["falls", "grows"]), "step": [0, 10, 100]}  # fmt: skip
    cube = xr.Dataset(data, coords)
    theory = xr.Dataset(
        {"loss": (("width", "kind"), rng.random((4, 2)) + 0.5), "each": (dims, rng.random((4, 2, seeds)))}
    )
    return cube, theory.assign_coords({name: coords[name] for name in ("width", "seed", "power", "name")})


def spread(cube, theory, by="mean"):
    """Something that no statistic of the instrument is."""
    return float(cube["loss"].std() + theory["loss"].sum()) if by == "mean" else float(cube["loss"].median())


STATISTICS = {
    "mean": average("loss"),
    "mean of a part": average("loss", where={"power": -1.0, "width": (0.2, None)}),
    "median": average("last", by="median"),
    "median of steps": average("loss", by="median", where={"name": "falls"}),
    "geometric mean": average("loss", by="log mean"),
    "share": average("low", where={"width": 0.3}),
    "smallest run": smallest("off"),
    "largest mean": largest("last", by="mean"),
    "largest median": largest("last", by="median", where={"width": [0.1, 0.3]}),
    "deviation": deviation("last", "theory.loss"),
    "worst deviation": deviation("last", "theory.each", worst=True),
    "deviation of medians": deviation("loss", by="median"),
    "ratio": ratio("last", "theory.loss", by="log mean"),
    "agreement of means": agreement("last", 0.5, "theory.loss"),
    "agreement of runs": agreement("last", 0.5, "theory.loss", by="runs"),
    "agreement of runs with a prediction for each": agreement("last", 0.5, "theory.each", by="runs"),
    "slope": slope("last", along="width"),
    "slope of runs": slope("gap", along="width", by="runs"),
    "slope of each kind": slope("last", along="width", each=("kind",)),
    "slope along a zipped coordinate": slope("last", along="power", where={"width": 0.2}),
    "slope on a variable": slope("gap", along="apart", where={"name": "grows"}),
    "exponent": exponent("loss", along="width", by="log mean"),
    "rate": rate("last", along="width", each=("kind",)),
    "order": order("last", along="width"),
    "order of each step": order("loss", along="width", each=("step",), where={"name": "falls"}),
    "peak": peak("last", along="width", where={"name": "falls"}),
    "lowest of medians": peak("loss", along="width", by="median", end="smallest"),
    "peak of each seed": peak("gap", along="width", by="runs"),
    "threshold": threshold("gap", along="width", level=1.5),
    "zero if there is none": threshold("fastest", along="width", level=1.9, where={"name": "falls"}),
    "not drawn": average("still"),
    "prediction": average("theory.each"),
    "function": average(lambda cube, theory: cube["gap"] * cube["still"]),
    "bare arrays": slope("bare", along="width"),
    "mixed draws": average("centred", where={"name": "grows"}, by="median"),
    "accumulated draws": largest("accumulated", by="mean"),
    "ranked draws": average("ranked", where={"width": 0.1}),
    "arithmetic": 2 * abs(average("loss")) - average("gap", by="median") / 3 + 1,
    "least and most": least(average("gap"), most(-average("last"), average("still"))),
    "own": statistic(lambda a, b: (a * b).sum(("width", "kind")), "last", "gap", words="", keep=("width", "kind")),
    "own of runs": statistic(lambda a: a.std("seed").max("width"), "gap", words="", by="runs"),
    "plain": plain(spread, words="", where={"width": (0.2, None)}, by="mean"),
}  # fmt: skip


def alone(which, cube, theory):
    """A statistic of one cube, no draw in sight."""
    return float(STATISTICS[which].values(Sample(cube, theory, OBSERVABLES))[0])


def check(which, found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12, err_msg=which)


def picked(data, seeds):
    return data.isel(seed=seeds)


@pytest.mark.parametrize("which", STATISTICS)
@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(FLAWS), st.integers(2, 5))
@example(0, "infinite opposite", 5)
def test_a_statistic_of_many_draws_of_the_seeds_is_that_of_each_alone(which, seed, flaw, seeds):
    cube, theory = made(seed, flaw, seeds)
    sample = Sample(cube, theory, OBSERVABLES)
    index = np.random.default_rng(seed + 1).integers(0, seeds, (DRAWS, seeds))
    for draws in (index, LeaveOneOut(seeds)):
        expected = [alone(which, picked(cube, one), picked(theory, one)) for one in np.asarray(draws)]
        check(which, STATISTICS[which].values(sample.drawn(draws)), expected)


def by_hand(cube, shuffle, draw):
    """A cube whose values are moved seed by seed."""
    found = cube.copy(deep=True)
    for name, array in cube.data_vars.items():
        if shuffle.along in array.dims and name in (shuffle.names or set(cube.data_vars) - {"status"}):
            rest = [dim for dim in array.dims if dim not in ("seed", shuffle.along)]
            values = array.transpose(*[dim for dim in ("seed", shuffle.along, *rest) if dim in array.dims]).values
            if "seed" in array.dims:
                moved = np.stack([values[seed][shuffle.orders[draw, seed]] for seed in range(len(values))])
                found[name] = (("seed", shuffle.along, *rest), moved)
            else:
                found[name] = ((shuffle.along, *rest), values[shuffle.orders[draw, 0]])
    return found


def orders(seed, size, seeds, draws=DRAWS):
    rng = np.random.default_rng(seed)
    return rng.permuted(np.tile(np.arange(size), (draws * seeds, 1)), axis=1).reshape(draws, seeds, size)


@pytest.mark.parametrize("which", STATISTICS)
@settings(max_examples=8, deadline=None)
@given(
    st.integers(0, 2**32), st.sampled_from(FLAWS), st.sampled_from(["width", "kind", "step"]),
    st.sampled_from([(), ("loss",), ("gap", "still")]),
)  # fmt: skip
def test_a_statistic_of_many_shuffles_is_that_of_each_alone(which, seed, flaw, along, names):
    cube, theory = made(seed, flaw)
    shuffle = Shuffle(along, orders(seed, cube.sizes[along], 4), names)
    expected = [alone(which, by_hand(cube, shuffle, draw), theory) for draw in range(DRAWS)]
    check(which, STATISTICS[which].values(Sample(cube, theory, OBSERVABLES).shuffled(shuffle)), expected)


@pytest.mark.parametrize("which", ["mean", "median", "order", "bare arrays", "mixed draws", "plain"])
def test_draws_in_turns_are_draws_at_once(which):
    cube, theory = made(3, "nan")
    sample = Sample(cube, theory, OBSERVABLES)
    index, moved = np.random.default_rng(0).integers(0, 4, (20, 4)), Shuffle("width", orders(0, 4, 4, draws=20))
    at_once = [STATISTICS[which].values(each) for each in (sample.drawn(index), sample.shuffled(moved))]
    with mock.patch.object(reduction, "NUMBERS", 300):
        fresh = Sample(cube, theory, OBSERVABLES)
        in_turns = [STATISTICS[which].values(each) for each in (fresh.drawn(index), fresh.shuffled(moved))]
    np.testing.assert_allclose(in_turns, at_once, rtol=1e-12)


@pytest.mark.parametrize("which", ["slope", "order", "threshold", "deviation", "own"])
def test_a_cube_without_seeds_is_shuffled_as_a_whole(which):
    cube, theory = (data.isel(seed=0) for data in made(5))
    order = np.array([[2, 0, 3, 1], [3, 2, 1, 0]])
    expected = []
    for places in order:
        moved = {name: cube[name].copy(data=np.moveaxis(np.moveaxis(cube[name].values, axis, 0)[places], 0, axis))
                 for name in ("loss", "gap", "still") for axis in [cube[name].dims.index("width")]}  # fmt: skip
        expected.append(alone(which, cube.assign(moved), theory))
    sample = Sample(cube, theory, OBSERVABLES).shuffled(Shuffle("width", order))
    check(which, STATISTICS[which].values(sample), expected)


def test_what_carries_the_draws_is_computed_once_and_what_does_not_draw_by_draw():
    cube, theory = made(0)
    shuffle, calls = Shuffle("width", orders(0, 4, 4, draws=50)), []

    def counted(name):
        def of(cube, theory):
            calls.append(name)
            return OBSERVABLES[name](cube, theory)

        return of

    sample = Sample(cube, theory).shuffled(shuffle)
    for name in ("last", "bare", "centred", "accumulated", "ranked"):
        sample.observe(counted(name))
    assert calls.count("last") < 12
    assert all(calls.count(name) >= 50 for name in ("bare", "centred", "accumulated", "ranked"))


def test_only_what_an_observable_looks_at_is_shuffled():
    cube, theory = made(0)
    seen = []

    def spy(cube, theory):
        seen.append({str(name) for name in cube.data_vars if "draw" in cube[name].dims})
        return cube["gap"]

    Sample(cube, theory).shuffled(Shuffle("width", orders(0, 4, 4))).observe(spy)
    assert {"gap"} in seen
    assert all(names <= {"gap"} for names in seen)


def test_coordinates_theory_and_status_stay_where_they_are():
    cube, theory = made(0)
    sample = Sample(cube, theory).shuffled(Shuffle("width", orders(0, 4, 4)))
    for moved, same in sample.each({}):
        xr.testing.assert_identical(moved.drop_vars(["loss", "gap", "still"]), cube.drop_vars(["loss", "gap", "still"]))
        xr.testing.assert_identical(same, theory)
        assert not np.array_equal(moved["gap"], cube["gap"])


def test_an_observable_is_computed_once_for_all_draws_of_the_seeds():
    cube, theory = made(0)
    calls = []
    sample = Sample(cube, theory, {"counted": lambda cube, theory: calls.append(1) or cube["gap"]})
    for draws in (np.zeros((3, 4), int), LeaveOneOut(4), np.ones((2, 4), int)):
        average("counted").values(sample.drawn(draws))
    assert len(calls) == 2  # and once of one seed alone, to see that it mixes none


def test_a_seed_whose_infinities_cancel_has_no_mean_and_the_draws_without_it_have():
    cube = xr.Dataset({"x": (("seed", "step"), [[np.inf, -np.inf], [1.0, 2.0], [3.0, 4.0]])})
    found = average("x").values(Sample(cube, cube).drawn(np.array([[0, 1, 2], [1, 1, 2], [2, 2, 2]])))
    np.testing.assert_array_equal(found, [np.nan, 13 / 6, 3.5])
    np.testing.assert_array_equal(average("x").values(Sample(cube, cube).drawn(LeaveOneOut(3))), [2.5, np.nan, np.nan])


def test_leaving_one_out_lists_all_others():
    assert np.asarray(LeaveOneOut(4)).tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]
    assert len(LeaveOneOut(4)) == 4


NUMBERS = st.lists(st.sampled_from([1.0, 1.0, 2.0, 3.5, -4.0, np.nan, np.inf, -np.inf]), min_size=1, max_size=9)


@given(NUMBERS)
def test_a_median_is_numpy_s_with_ties_infinities_and_what_is_missing_left_out(values):
    cube = xr.Dataset({"x": ("seed", values)})
    found = average("x", by="median").values(Sample(cube, cube))[0]
    kept = [value for value in values if not np.isnan(value)]
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(found, np.median(kept) if kept else np.nan)


@given(NUMBERS)
def test_means_leave_out_what_is_missing_and_geometric_ones_what_has_no_logarithm(values):
    cube = xr.Dataset({"x": ("seed", values)})
    sample = Sample(cube, cube)
    kept = [value for value in values if not np.isnan(value)]
    positive = [value for value in kept if value > 0]
    with np.errstate(invalid="ignore"):
        check("mean", average("x").values(sample)[0], np.mean(kept) if kept else np.nan)
        log_mean = np.exp(np.mean(np.log(positive))) if positive else np.nan
        check("log mean", average("x", by="log mean").values(sample)[0], log_mean)


def test_runs_that_would_have_to_be_averaged_are_refused():
    cube, theory = made(0)
    own = statistic(lambda a: a.max(), "loss", words="", by="runs", keep=("width",))
    with pytest.raises(InputError, match="runs cannot be averaged over kind, step"):
        own.values(Sample(cube, theory))


def test_a_value_is_found_within_round_off():
    cube, _ = made(0)
    for where in ({"width": 0.3}, {"width": 0.30000000000000004}):
        part = select(cube, where)
        assert "width" not in part.dims
        xr.testing.assert_identical(part, cube.isel(width=2))
    assert select(cube, {"width": [0.3, 0.1]})["width"].values.tolist() == [0.1, 0.1 + 0.2]
    assert select(cube, {"width": (0.3, None)}).sizes["width"] == 2
    assert select(cube, {"width": (None, 0.3)}).sizes["width"] == 3
    assert select(cube, {"width": (0.2, 0.3)})["width"].values.tolist() == [0.2, 0.1 + 0.2]


def test_pairs_and_lists_keep_a_dimension_of_which_one_place_is_left_and_values_drop_it():
    cube, _ = made(0)
    assert select(cube, {"width": [0.1]}).sizes["width"] == 1
    assert select(cube, {"width": (None, 0.1)}).sizes["width"] == 1
    assert "width" not in select(cube, {"width": 0.1}).dims
    assert select(cube, {"width": (None, None)}).sizes["width"] == 4


def test_a_zipped_coordinate_selects_places_of_its_dimension():
    cube, _ = made(0)
    xr.testing.assert_identical(select(cube, {"power": 0.5}), cube.isel(kind=1))
    xr.testing.assert_identical(select(cube, {"name": "falls"}), cube.isel(kind=0))
    assert select(cube, {"name": ["falls", "grows"], "power": (0, None)}).sizes["kind"] == 1
    both = cube.assign_coords(even=("width", [True, False, True, False]))
    assert select(both, {"even": True})["width"].values.tolist() == [0.1, 0.1 + 0.2]
    assert select(both, {"even": False, "width": (0.3, None)})["width"].values.tolist() == 0.4


def test_a_fixed_value_is_a_coordinate_of_no_dimension_and_is_checked():
    cube = made(0)[0].assign_coords(n=40, dtype="float32")
    xr.testing.assert_identical(select(cube, {"n": 40, "dtype": "float32"}), cube)
    with pytest.raises(InputError, match='unknown value of n "50"'):
        select(cube, {"n": 50})


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"widht": 0.1}, 'where: unknown coordinate "widht"; did you mean "width"?'),
        ({"width": 0.25}, 'where: unknown value of width "0.25"; allowed: 0.1, 0.2, 0.30000000000000004, 0.4'),
        ({"width": 7}, 'where: unknown value of width "7"; allowed: 0.1, 0.2, 0.30000000000000004, 0.4'),
        ({"width": [0.1, 7]}, 'where: unknown value of width "7"'),
        ({"name": "fals"}, 'where: unknown value of name "fals"; did you mean "falls"?'),
        ({"width": (0.5, None)}, "where: width has no value from 0.5 to None; it has 0.1, 0.2"),
        ({"width": (0.21, 0.29)}, "where: width has no value from 0.21 to 0.29"),
    ],
)
def test_a_value_that_is_not_there_is_an_error_that_names_those_that_are(where, said):
    cube, theory = made(0)
    with pytest.raises(InputError, match=re.escape(said)):
        select(cube, where)
    with pytest.raises(InputError, match=re.escape(said)):
        average("gap", where=where).values(Sample(cube, theory))


@pytest.mark.parametrize(
    ("of", "said"),
    [
        ("gpa", 'of: unknown observable or variable "gpa"; did you mean "gap"?'),
        ("theory.los", 'theory: unknown prediction "los"; did you mean "loss"?'),
    ],
)
def test_a_name_that_is_not_there_is_an_error_with_the_nearest(of, said):
    with pytest.raises(InputError, match=re.escape(said)):
        average(of).values(Sample(*made(0), OBSERVABLES))
