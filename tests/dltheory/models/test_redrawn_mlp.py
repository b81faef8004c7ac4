import pytest
import torch

from dlatlas.declare.lab import load_study
from dlatlas.training.build import build
from dlatlas.training.stack import Stack

STUDY = load_study("dltheory.overparametrization.bias_variance_versus_width")
DESIGN = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)]  # seed, sample, start


@pytest.fixture
def built(prepared_data):
    """Four runs of a nested design."""
    defaults = {name: parameter.default for name, parameter in STUDY.all_parameters().items()}
    fixed = {**defaults, "model": "redrawn_mlp", "data": "redrawn_digits", "optimizer": "momentum", "tests": 50}
    things = {
        "model": "dltheory.models.redrawn_mlp:RedrawnMLP",
        "data": "dltheory.data.redrawn_digits:redrawn_digits",
        "loss": "dlatlas.losses.squared:half_mse",
        "optimizer": "dlatlas.optimizers.momentum:MOMENTUM",
    }
    runs = [{**fixed, "seed": seed, "sample": sample, "start": start} for seed, sample, start in DESIGN]
    return build(Stack(runs, fixed, prepared_data, things=things))


def test_every_start_on_every_training_set_has_weights_of_its_own(built):
    first = built.parameters["net.layers.0.weight"]
    assert len({weights.numpy().tobytes() for weights in first}) == len(DESIGN)
    assert first.std().item() == pytest.approx(0.41 * (2 / 64) ** 0.5, rel=0.05)


def test_starts_share_a_training_set_and_training_sets_a_test_set(built):
    x, tests = built.of_runs("x"), built.of_runs("x_test")
    assert torch.equal(x[0], x[1])
    assert not torch.equal(x[0], x[2])
    assert torch.equal(tests[0], tests[2])
    assert not torch.equal(tests[0], tests[3])


def test_it_computes_what_a_perceptron_does(built):
    weights = {name: value[0] for name, value in built.parameters.items()}
    x = built.of_runs("x")[0]
    hidden = torch.relu(x @ weights["net.layers.0.weight"].T + weights["net.layers.0.bias"])
    expected = hidden @ weights["net.layers.1.weight"].T + weights["net.layers.1.bias"]
    torch.testing.assert_close(torch.func.functional_call(built.model, weights, (x,)), expected)
