import dataclasses

import pytest
import torch
from torch.func import functional_call

from dlatlas.errors import InputError
from dlatlas.measures import trained as module
from dlatlas.measures.trained import Measure, evaluate


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


def measure(function, *dims):
    return Measure(function, dims, "1", "a thing", "nowhere")


def test_a_function_shared_by_an_estimate_and_its_error_is_called_once(trained):
    calls = []

    def both(t):
        calls.append(1)
        return {"value": torch.ones(3), "error": torch.zeros(3, 2)}

    found = evaluate({"value": measure(both), "error": measure(both, "layer")}, trained())
    assert len(calls) == 1
    assert found["value"].tolist() == [1, 1, 1]
    assert found["error"].shape == (3, 2)


def test_a_measure_that_breaks_its_word_is_named(trained):
    t = trained()
    with pytest.raises(InputError, match=r"measure a: expected \(run, layer\) with 3 runs, found \(3,\)"):
        evaluate({"a": measure(lambda t: torch.ones(3), "layer")}, t)
    with pytest.raises(InputError, match="found \\(1,\\)"):
        evaluate({"a": measure(lambda t: torch.ones(1))}, t)
    with pytest.raises(InputError, match="measure a: its function gives only b"):
        evaluate({"a": measure(lambda t: {"b": torch.ones(3)})}, t)


def test_a_measure_leaves_what_it_measures_alone(trained):
    from dlatlas.measures.registry import MEASURES

    t = trained()
    before = {k: v.clone() for k, v in t.parameters.items()}
    evaluate(MEASURES, t)
    assert all(torch.equal(before[k], v) for k, v in t.parameters.items())
    assert dataclasses.fields(t)
