"""Which variables of a cube an observable looks at, and how they are shuffled."""

import numpy as np
import pytest
import xarray as xr

from dlatlas.errors import InputError
from dlatlas.judging.sample import Sample, Shuffle

SIZE, SEEDS = 5, 4


@pytest.fixture
def sample():
    """Two variables along ``x`` and one along ``y``, of which nothing is said but their size."""
    rng = np.random.default_rng(0)
    parts = {name: (("x", "seed"), rng.standard_normal((SIZE, SEEDS))) for name in ("a", "b")}
    cube = xr.Dataset({**parts, "c": (("y", "seed"), rng.standard_normal((3, SEEDS)))}, {"seed": range(SEEDS)})
    orders = rng.permuted(np.tile(np.arange(SIZE), (2 * SEEDS, 1)), axis=1).reshape(2, SEEDS, SIZE)
    return Sample(cube, xr.Dataset()).shuffled(Shuffle("x", orders))


@pytest.mark.parametrize(
    "of",
    [
        lambda cube, theory: cube["a"] * cube["b"],
        lambda cube, theory: cube.a * cube.b,
        lambda cube, theory: cube["a"] * cube["b"] * cube.sizes["x"] / SIZE,
        lambda cube, theory: 3 * cube["a"] * cube["b"] / cube.sizes["y"],
    ],
    ids=["by name", "by attribute", "with a size of its own", "with a size of another"],
)
def test_an_observable_is_shuffled_however_it_asks_for_its_variables(sample, of):
    orders, cube = sample.shuffle.orders, sample.cube
    found = sample.observe(of).transpose("draw", "x", "seed").values
    for draw, seed in np.ndindex(2, SEEDS):
        order = orders[draw, seed]
        expected = cube["a"].values[order, seed] * cube["b"].values[order, seed]
        np.testing.assert_allclose(found[draw, :, seed], expected)


def test_an_observable_is_given_only_what_it_asks_for(sample):
    seen = []

    def of(cube, theory):
        seen.append(sorted(map(str, cube.data_vars)))
        return cube["a"] - cube["c"].mean("y")

    sample.observe(of)
    assert seen[:3] == [[], ["a"], ["a", "c"]]


@pytest.mark.parametrize(
    "of",
    [
        lambda cube, theory: cube["a"].mean("seed"),
        lambda cube, theory: cube["a"] - cube["a"].mean("seed"),
        lambda cube, theory: cube["a"].median(),
    ],
    ids=["averaged", "less the average", "one number"],
)
def test_an_observable_that_mixes_seeds_is_refused(sample, of):
    with pytest.raises(InputError, match="observable mixed: of one seed alone it is another"):
        Sample(sample.cube, sample.theory, {"mixed": of}).observe("mixed")


def test_a_prediction_that_has_no_seeds_mixes_none(sample):
    theory = xr.Dataset({"same": ("x", np.arange(5.0))})
    found = Sample(sample.cube, theory, {"of_theory": lambda cube, theory: theory["same"] ** 2}).observe("of_theory")
    np.testing.assert_array_equal(found, np.arange(5.0) ** 2)
