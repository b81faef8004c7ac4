import numpy as np
import pytest

from dlatlas.errors import InputError
from dlatlas.training.stack import Stack
from dltheory.models.biased_score import LEVELS, biased_samples, distance_from_modes, two_mode_samples


def test_quantiles_of_the_law_itself_have_no_distance_from_it():
    rng = np.random.default_rng(0)
    x = np.sort(np.where(rng.random(400_000) < 0.5, 1.0, -1.0) * 2 + 0.5 * rng.standard_normal(400_000))
    quantiles = x[(LEVELS * 400_000).astype(int)]
    assert distance_from_modes(quantiles[:, None], np.array([0.25]), np.array([2.0]))[0] < 0.05


def test_without_bias_the_flow_makes_two_modes_of_noise_in_the_end():
    spread, modes = np.array([0.25]), np.array([2.0])
    found = distance_from_modes(two_mode_samples(spread, modes, np.zeros(1), 8.0), spread, modes)
    assert found[0] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("sampler", ["sde", "ode"])
def test_the_samples_moments_are_those_of_many_walkers(sampler):
    """Euler steps of 200,000 walkers with the exact score and its error."""
    shared = {"target": "gaussian", "sampler": sampler, "T": 1.0}
    stack = Stack([{**shared, "b": 0.3, "seed": 5}], shared, folder=None)
    found = biased_samples(stack)
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
        biased_samples(Stack([{**shared, "b": 0.3, "seed": 5}], shared, folder=None))
