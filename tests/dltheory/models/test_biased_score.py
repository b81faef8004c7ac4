import numpy as np
import pytest

from dltheory.models.biased_score import LEVELS, distance_from_modes, two_mode_samples


def test_quantiles_of_the_law_itself_have_no_distance_from_it():
    rng = np.random.default_rng(0)
    x = np.sort(np.where(rng.random(400_000) < 0.5, 1.0, -1.0) * 2 + 0.5 * rng.standard_normal(400_000))
    quantiles = x[(LEVELS * 400_000).astype(int)]
    assert distance_from_modes(quantiles[:, None], np.array([0.25]), np.array([2.0]))[0] < 0.05


def test_without_bias_the_flow_makes_two_modes_of_noise_in_the_end():
    spread, modes = np.array([0.25]), np.array([2.0])
    found = distance_from_modes(two_mode_samples(spread, modes, np.zeros(1), 8.0), spread, modes)
    assert found[0] == pytest.approx(0, abs=0.05)
