import numpy as np
import pytest
import xarray as xr

from dlatlas.errors import InputError
from dlatlas.training.stack import Stack
from dltheory.sampling.score_matching_wasserstein import solve

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


@pytest.mark.parametrize("sampler", ["sde", "ode"])
def test_the_samples_moments_are_those_of_many_walkers(sampler):
    """Euler steps of 200,000 walkers with the exact score and its error."""
    shared = {"target": "gaussian", "sampler": sampler, "T": 1.0}
    stack = Stack([{**shared, "b": 0.3, "seed": 5}], shared, folder=None)
    found = solve(stack)
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


def test_two_modes_have_no_stochastic_sampler():
    shared = {"target": "two_modes", "sampler": "sde", "T": 1.0}
    with pytest.raises(InputError, match="two modes are followed by the flow alone"):
        solve(Stack([{**shared, "b": 0.3, "seed": 5}], shared, folder=None))
