import pytest
import torch

from dlatlas.declare.registry import named
from dlatlas.errors import InputError
from dlatlas.measures.measure import Measure, evaluate, family, measure, measures_named


def test_a_misspelt_measure_is_told_the_nearest():
    assert list(measures_named(["test_loss", "margins"])) == ["test_loss", "margins"]
    with pytest.raises(InputError, match=r'y: unknown measure "spectral_norm"; did you mean "spectral_norms"'):
        measures_named(["spectral_norm"], where="y")


def test_a_function_of_a_stack_becomes_a_measure_that_can_still_be_called(trained):
    @measure("number of runs", "run", "this test", ("layer",), undefined="never")
    def runs(t):
        return torch.full((len(t.keys), 2), float(len(t.keys)))

    assert (runs.long_name, runs.units, runs.source, runs.dims) == ("number of runs", "run", "this test", ("layer",))
    assert (runs.at, runs.undefined) == ("checkpoints", "never")
    assert runs(trained()).tolist() == [[3.0, 3.0]] * 3


def test_a_family_shares_its_function_and_each_member_says_what_it_is(trained):
    def both(t):
        return {"value": torch.ones(3), "error": torch.zeros(3)}

    value, error = family(both, {"long_name": "a value", "units": "m"}, {"long_name": "its error", "at": "final"})
    assert value.function is error.function is both
    assert (value.long_name, value.units, value.at) == ("a value", "m", "checkpoints")
    assert (error.long_name, error.units, error.at) == ("its error", "1", "final")
    assert evaluate({"error": error}, trained())["error"].tolist() == [0, 0, 0]


def declared(function, *dims):
    return Measure(function, dims, "1", "a thing", "nowhere")


def test_a_function_shared_by_an_estimate_and_its_error_is_called_once(trained):
    calls = []

    def both(t):
        calls.append(1)
        return {"value": torch.ones(3), "error": torch.zeros(3, 2)}

    found = evaluate({"value": declared(both), "error": declared(both, "layer")}, trained())
    assert len(calls) == 1
    assert found["value"].tolist() == [1, 1, 1]
    assert found["error"].shape == (3, 2)


def test_a_measure_that_breaks_its_word_is_named(trained):
    t = trained()
    with pytest.raises(InputError, match=r"measure a: expected \(run, layer\) with 3 runs, found \(3,\)"):
        evaluate({"a": declared(lambda t: torch.ones(3), "layer")}, t)
    with pytest.raises(InputError, match="found \\(1,\\)"):
        evaluate({"a": declared(lambda t: torch.ones(1))}, t)
    with pytest.raises(InputError, match="measure a: its function gives only b"):
        evaluate({"a": declared(lambda t: {"b": torch.ones(3)})}, t)


def test_a_measure_leaves_what_it_measures_alone(trained):
    t = trained()
    before = {k: v.clone() for k, v in t.parameters.items()}
    evaluate(measures_named(named("measures", ("dlatlas",))), t)
    assert all(torch.equal(before[k], v) for k, v in t.parameters.items())
