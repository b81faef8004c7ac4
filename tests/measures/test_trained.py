import pytest
import torch
from torch.func import functional_call

from dlatlas.errors import InputError
from dlatlas.measures import trained as module


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("split", ["train", "test"])
def test_outputs_are_each_networks_own_in_float64(trained, shared, split):
    t = trained(shared=shared)
    x = t.x if split == "train" else t.x_test
    found = t.outputs(split)
    assert found.shape == (3, 20, 3)
    assert found.dtype == torch.float64
    for r in range(3):
        one = {k: v[r].double() for k, v in t.parameters.items()}
        expected = functional_call(t.model, one, ((x if shared else x[r]).double(),))
        assert torch.allclose(found[r], expected, rtol=1e-12)
    assert t.stacked_targets(split).shape == (3, 20)


def test_runs_taken_in_turns_give_the_same_outputs(trained, monkeypatch):
    t = trained()
    together = t.outputs()
    monkeypatch.setattr(module, "ACTIVATION_NUMBERS", 1)
    assert torch.allclose(t.outputs(), together, rtol=1e-12)


def test_weights_are_the_matrices_in_order(trained):
    assert [tuple(w.shape) for w in trained().weights()] == [(3, 7, 5), (3, 6, 7), (3, 3, 6)]
    t = trained()
    assert torch.equal(t.initial_weights()[0], t.initial["0.weight"])


def test_no_data_is_said(trained):
    with pytest.raises(InputError, match="no test data"):
        trained(x_test=None).outputs("test")
    for nothing in (None, torch.empty(0)):
        with pytest.raises(InputError, match="no train data"):
            trained(x=nothing, y=nothing).outputs()
