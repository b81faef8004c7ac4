import numpy as np
import pytest

from dlatlas.training.stack import Stack
from dltheory.models.reversed_samples import reversed_samples
from dltheory.theory.reverse_diffusion import saturated_kl


def test_an_error_of_the_score_leaves_its_limit():
    shared = {"target": "gaussian", "dim": 8, "horizon": 8.0, "step": 1 / 128}
    found = reversed_samples(Stack([{**shared, "sd": 2.0, "mean": 0.0, "error": 0.3, "seed": 3}], shared, folder=None))
    assert found["kl"] == pytest.approx(saturated_kl(2.0, 0.3), rel=0.05)
    assert np.isnan(found["weight"]).all()


@pytest.mark.parametrize(("sampler", "weight"), [("reverse", 0.8), ("langevin", 1.0)])
def test_only_the_reverse_process_finds_both_modes(sampler, weight):
    shared = {"target": "mixture", "sampler": sampler, "particles": 20_000, "horizon": 8.0, "step": 1 / 16}
    found = reversed_samples(Stack([{**shared, "error": 0.0, "seed": 3}], shared, folder=None))
    assert found["weight"] == pytest.approx(weight, abs=0.02)
    assert np.isnan(found["kl"]).all()
