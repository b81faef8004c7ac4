import numpy as np
import pytest
import xarray as xr

NAME = "score_matching_wasserstein"


@pytest.fixture
def cube(smoke_cube):
    """The smoke cube itself, nearly exact, with its three seeds thrice: few to draw from."""
    small = smoke_cube(NAME)
    return xr.concat([small.isel(seed=np.arange(9) % 3)], "seed").assign_coords(seed=range(9))


FACTORS = {
    "bounded": lambda cube: 1.1,
    "tight for Gaussian data": lambda cube: 0.3,
    "linear in the error": lambda cube: cube["b"].clip(0.01) ** 0.5,
    "the start is forgotten as e⁻²ᵀ": lambda cube: np.exp(cube["T"]),
    "the stochastic sampler forgets errors": lambda cube: xr.where(cube["sampler"] == "ode", cube["T"], 1.0),
}


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, outcomes):
    found = outcomes(NAME, cube)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", FACTORS)
def test_the_opposite_of_a_claim_is_refuted(cube, outcomes, claim):
    planted = (cube["distance"] * FACTORS[claim](cube)).transpose(*cube["distance"].dims)
    assert outcomes(NAME, cube.assign(distance=planted), claim) == {claim: "refuted"}
