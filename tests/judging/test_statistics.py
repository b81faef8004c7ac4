"""Each statistic against a cube whose answer is known."""

import math

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from dlatlas.errors import InputError
from dlatlas.judging.statistics import (
    agreement,
    average,
    deviation,
    exponent,
    extreme,
    loglog_slope,
    order,
    rank_correlation,
    select,
    slope,
)

WIDTHS, RATES, SEEDS = np.array([8, 32, 128, 512]), np.array([0.1, 0.3, 1.0]), np.arange(5)
POWER = xr.DataArray([-1.0, 0.5], dims="kind")


@pytest.fixture
def cube():
    """``gap = rate × width^power`` with a factor that is 1 on average over seeds; ``kind`` is zipped with ``power``."""
    factor = xr.DataArray([0.8, 0.9, 1.0, 1.1, 1.2], dims="seed")
    width, rate = xr.DataArray(WIDTHS, dims="width"), xr.DataArray(RATES, dims="rate")
    gap = rate * width**POWER * factor
    coords = {"width": WIDTHS, "rate": RATES, "seed": SEEDS, "power": ("kind", POWER.values),
              "even": ("kind", [True, False])}  # fmt: skip
    return xr.Dataset({"gap": gap}, coords)


@pytest.fixture
def theory(cube):
    """The truth for one kind, twice that for the other."""
    factor = xr.DataArray([1.0, 2.0], dims="kind")
    return (cube[["gap"]].mean("seed") * factor).assign_coords(cube.drop_vars("gap").drop_dims("seed").coords)


def test_a_selection_takes_values_lists_and_ranges_of_any_coordinate(cube):
    assert select(cube, {"even": True})["gap"].dims == cube.isel(kind=0)["gap"].dims
    assert select(cube, {"width": [8, 512]}).sizes["width"] == 2
    assert select(cube, {"width": (32, None)})["width"].values.tolist() == [32, 128, 512]
    assert select(cube, {"rate": (None, 0.3), "power": 0.5})["gap"].shape == (2, 4, 5)
    assert select(cube, {"width": [8]}).sizes["width"] == 1
    with pytest.raises(InputError, match="widht"):
        select(cube, {"widht": 8})


def test_a_single_value_of_a_selection_that_is_nowhere_leaves_nothing(cube):
    assert select(cube, {"width": 9})["gap"].size == 0
    assert math.isnan(average(cube, cube, of="gap", where={"width": 9}))


@pytest.mark.parametrize(("kind", "power"), [(True, -1.0), (False, 0.5)])
@pytest.mark.parametrize("by", ["mean", "median", "log mean"])
def test_an_exponent_is_that_of_the_power_law(cube, theory, kind, power, by):
    found = exponent(cube, theory, of="gap", along="width", where={"even": kind}, by=by)
    assert found == pytest.approx(power)
    assert exponent(cube, theory, of="gap", along="rate", where={"even": kind}) == pytest.approx(1)
    both = exponent(cube, theory, of=lambda cube, theory: cube["gap"] ** 2, along="width", where={"even": kind})
    assert both == pytest.approx(2 * power)


def test_agreement_counts_settings_or_runs(cube, theory):
    assert agreement(cube, theory, of="gap", tolerance=0.01) == 0.5
    assert agreement(cube, theory, of="gap", tolerance=0.01, where={"even": True}) == 1
    one = {"even": True}
    assert agreement(cube, theory, of="gap", tolerance=0.15, where=one, average=False) == pytest.approx(0.6)
    cube["gap"][{"seed": 2}] = np.nan
    assert agreement(cube, theory, of="gap", tolerance=0.15, where=one, average=False) == pytest.approx(0.4)


def test_deviation_is_relative_to_the_theory(cube, theory):
    assert deviation(cube, theory, of="gap", where={"even": False}) == pytest.approx(0.5)
    assert deviation(cube, theory, of="gap", worst=True) == pytest.approx(0.5)
    assert deviation(cube, theory, of="gap") == pytest.approx(0.25)


def test_extremes_are_over_runs_or_over_means(cube, theory):
    where = {"even": True}
    assert extreme(cube, theory, of="gap", end="largest", where=where) == pytest.approx(1.2 / 8)
    assert extreme(cube, theory, of="gap", end="largest", where=where, average=True) == pytest.approx(1 / 8)
    assert extreme(cube, theory, of="gap", end="smallest", where=where) == pytest.approx(0.8 * 0.1 / 512)


def test_an_average_of_truth_values_is_their_share(cube, theory):
    assert average(cube, theory, of=lambda cube, theory: cube["rate"] > 0.2) == pytest.approx(2 / 3)
    assert average(cube, theory, of="gap", where={"even": True, "rate": 1.0, "width": 8}) == pytest.approx(1 / 8)


def test_order_is_spearman_s(cube, theory):
    assert order(cube, theory, of="gap", along="width", where={"even": True}) == pytest.approx(-1)
    assert order(cube, theory, of="gap", along="rate") == pytest.approx(1)
    mixed = cube["gap"].mean(("seed", "rate", "kind")).values
    expected = stats.spearmanr(WIDTHS, mixed).statistic
    assert order(cube, theory, of="gap", along="width") == pytest.approx(expected)


def test_slopes_are_least_squares():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=30), rng.normal(size=30)
    assert slope(x, y) == pytest.approx(np.polyfit(x, y, 1)[0])
    assert loglog_slope([1, 10, 100], [5, 0.5, 0.05]) == pytest.approx(-1)
    assert loglog_slope([1, 10, 100, 1000], [5, np.nan, 0.05, -1]) == pytest.approx(-1)
    assert math.isnan(slope([1, 1], [2, 3]))
    assert math.isnan(slope([1], [2]))


def test_rank_correlation_is_spearman_s_without_the_nans():
    assert rank_correlation([1, 2, 3, np.nan], [1, 8, 27, 0]) == pytest.approx(1)
    assert math.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))


def test_the_geometric_mean_is_that_and_leaves_out_what_has_no_logarithm():
    cube = xr.Dataset({"loss": ("seed", [1.0, 100.0, 0.0])})
    assert average(cube, cube, of="loss", by="log mean") == pytest.approx(10)
    assert average(cube, cube, of="loss") == pytest.approx(101 / 3)
    assert average(cube, cube, of="loss", by="median") == 1
