import numpy as np
import pytest
import xarray as xr

NAME = "linear_regions_count"


@pytest.fixture
def cube(smoke_cube):
    """The smoke cube with the counts that theory has, and more seeds: six networks are too few to decide."""
    cube = smoke_cube(NAME)
    cube = cube.isel(seed=np.tile(np.arange(6), 4)).assign_coords(seed=range(24))
    rng = np.random.default_rng(0)
    spread = cube["seed"].copy(data=1 + 0.03 * rng.standard_normal(24))
    units, deep = cube["neurons"].astype(float), (cube["depth"] >= 4)
    step = xr.ones_like(cube["breaks"])
    breaks = 0.27 * units * (1 - 0.3 * deep) * spread * step
    regions = 0.03 * units**2 * spread * step
    angle = cube["angle"] * 0 + 0.27
    planted = {"breaks": breaks, "regions": regions, "angle": angle}
    return cube.assign({name: value.transpose(*cube[name].dims) for name, value in planted.items()})


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, outcomes):
    found = outcomes(NAME, cube)
    assert set(found.values()) == {"supported"}, found


PLANTED = {
    "one layer": lambda cube: {"breaks": 1.2 * cube["breaks"]},
    "linear on lines": lambda cube: {"breaks": cube["breaks"] * cube["neurons"] ** 0.5},
    "quadratic on planes": lambda cube: {"regions": cube["regions"] * cube["neurons"] ** 0.5},
    "depth does not multiply": lambda cube: {"breaks": cube["breaks"] * 2.0 ** cube["depth"]},
    "also after training": lambda cube: {"breaks": 20 * cube["breaks"]},
    "sawtooth is fragile": lambda cube: {"sawtooth": cube["sawtooth"] + 500},
}


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(cube, outcomes, claim):
    planted = {name: value.transpose(*cube[name].dims) for name, value in PLANTED[claim](cube).items()}
    assert outcomes(NAME, cube.assign(planted), claim) == {claim: "refuted"}
