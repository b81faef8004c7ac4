import numpy as np
import pytest
import xarray as xr

from dlatlas.training.stack import Stack
from dltheory.sampling import score_matching_wasserstein as page

NAME = "score_matching_wasserstein"


@pytest.fixture
def cube(smoke_cube):
    """The smoke cube itself, nearly exact, with its three seeds thrice: few to draw from."""
    small = smoke_cube(NAME)
    return xr.concat([small.isel(seed=np.arange(9) % 3)], "seed").assign_coords(seed=range(9))


def risen(cube, along, power):
    """The distance times a power of a coordinate, over its geometric mean."""
    factor = cube[along].where(cube[along] > 0, 0.01).astype(float)
    return {"distance": (cube["distance"] * factor**power).transpose(*cube["distance"].dims)}


def flow_risen(cube):
    factor = xr.where(cube["sampler"] == "ode", cube["T"], 1.0)
    return {"distance": (cube["distance"] * factor).transpose(*cube["distance"].dims)}


PLANTED = {
    "bounded": lambda cube: {"distance": 1.1 * cube["distance"]},
    "tight for Gaussian data": lambda cube: {"distance": 0.3 * cube["distance"]},
    "linear in the error": lambda cube: risen(cube, "b", 0.5),
    "the start is forgotten as e⁻²ᵀ": lambda cube: {
        "distance": (cube["distance"] * np.exp(cube["T"])).transpose(*cube["distance"].dims)
    },
    "the stochastic sampler forgets errors": flow_risen,
}


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, outcomes):
    found = outcomes(NAME, cube)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(cube, outcomes, claim):
    assert outcomes(NAME, cube.assign(PLANTED[claim](cube)), claim) == {claim: "refuted"}


@pytest.mark.parametrize("sampler", ["sde", "ode"])
def test_the_samples_moments_are_those_of_many_walkers(sampler):
    """Euler steps of 200,000 walkers with the exact score and its error."""
    shared = {"target": "gaussian", "sampler": sampler, "T": 1.0}
    stack = Stack([{**shared, "b": 0.3, "seed": 5}], shared, folder=None)
    found = page.solve(stack)
    chance = stack.generator(0, names=("target",)).uniform(size=3)
    mean, spread = -3 * chance[0] - 0.5, float(found["spread"][0])
    rng, h = np.random.default_rng(0), 1 / 400
    x = rng.standard_normal(200_000)
    for step in range(400):
        t = 1.0 - step * h
        w = 1 + (spread - 1) * np.exp(-2 * t)
        score = 0.3 - (x - mean * np.exp(-t)) / w
        x = x + h * (x + (2 if sampler == "sde" else 1) * score)
        x = x + (np.sqrt(2 * h) * rng.standard_normal(len(x)) if sampler == "sde" else 0)
    distance = np.hypot(x.mean() - mean, x.std() - np.sqrt(spread))
    assert found["distance"][0] == pytest.approx(distance, abs=0.02)


def test_quantiles_of_the_law_itself_have_no_distance_from_it():
    rng = np.random.default_rng(0)
    x = np.sort(np.where(rng.random(400_000) < 0.5, 1.0, -1.0) * 2 + 0.5 * rng.standard_normal(400_000))
    quantiles = x[((np.arange(page.QUANTILES) + 0.5) * 400_000 / page.QUANTILES).astype(int)]
    assert page._distance(quantiles[:, None], np.array([0.25]), np.array([2.0]), 0.0)[0] < 0.05


def test_the_figure_has_two_panels(smoke_cube):
    cube = smoke_cube(NAME)
    assert len(page.figure(cube, page.theory(cube), {}).axes) == 2
