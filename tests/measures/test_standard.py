"""What holds for every measure of the instrument, and what the standard ones are."""

import pytest
import torch
from torch import nn

from dlatlas.declare.registry import named
from dlatlas.losses.of_margin import logistic
from dlatlas.measures import jiang, kernels, norms, standard
from dlatlas.measures.measure import evaluate, measures_named

MEASURES = measures_named(named("measures", ("dlatlas",)))


def bias_free():
    return nn.Sequential(nn.Linear(5, 7, bias=False), nn.ReLU(), nn.Linear(7, 3, bias=False))


def test_every_measure_says_what_it_is():
    for name, measure in MEASURES.items():
        assert measure.units, name
        assert measure.long_name, name
        assert measure.source, name
        assert set(measure.coords) <= set(measure.dims), name


@pytest.mark.parametrize("shared", [True, False])
def test_every_measure_of_a_stack_equals_one_by_one(trained, shared):
    t = trained(shared=shared)
    stacked = evaluate(MEASURES, t)
    for r in range(3):
        own = slice(r, r + 1)
        data = {} if shared else {k: getattr(t, k)[own] for k in ("x", "y", "x_test", "y_test")}
        one = trained(
            shared=shared,
            parameters={k: v[own] for k, v in t.parameters.items()},
            initial={k: v[own] for k, v in t.initial.items()},
            keys=t.keys[own],
            **data,
        )
        for name, value in evaluate(MEASURES, one).items():
            assert value.dtype == torch.float64, name
            assert value.isfinite().all() or MEASURES[name].undefined, name
            assert torch.allclose(value[0], stacked[name][r], rtol=1e-9, atol=1e-12, equal_nan=True), name


def test_a_diverged_run_is_nan_in_every_measure_and_leaves_its_neighbours_alone(trained):
    t = trained()
    healthy = evaluate(MEASURES, t)
    broken = {k: v.clone() for k, v in t.parameters.items()}
    broken["2.weight"][1] = torch.nan
    found = evaluate(MEASURES, trained(parameters=broken))
    for name, value in found.items():
        by_layer = "layer" in MEASURES[name].dims
        assert (value[1, 1] if by_layer else value[1]).isnan().all(), name
        assert torch.allclose(value[[0, 2]], healthy[name][[0, 2]], rtol=1e-10, atol=1e-13, equal_nan=True), name


def test_at_initialisation_nothing_has_moved(trained):
    t = trained()
    found = evaluate(measures_named(["distance_from_init", "relative_distance_from_init", "ntk_change"]),
                     trained(initial=t.parameters))  # fmt: skip
    assert all(torch.equal(value, torch.zeros_like(value)) for value in found.values())


def test_margin_quantiles_are_those_of_the_margins_and_errors_their_signs(trained):
    found = evaluate(MEASURES, trained())
    assert torch.allclose(found["margin_quantiles"][:, 0], found["margins"].amin(-1))
    assert torch.allclose(found["margin_quantiles"][:, -1], found["margins"].amax(-1))
    assert torch.allclose(found["train_error"], (found["margins"] < 0).double().mean(-1))


def test_scaling_a_bias_free_net_leaves_its_normalised_margins_and_relative_measures(trained):
    t = trained(bias_free)
    scaled = trained(
        bias_free,
        parameters={k: 3 * v.double() for k, v in t.parameters.items()},
        initial={k: 3 * v.double() for k, v in t.initial.items()},
    )
    same = ["normalised_margin_quantiles", "stable_ranks", "relative_distance_from_init", "ntk_change", "train_error"]
    before, after = evaluate(MEASURES, t), evaluate(MEASURES, scaled)
    for name in same:
        assert torch.allclose(before[name], after[name], rtol=1e-9), name
    for name in ("margin_quantiles", "lipschitz_product", "spectral_complexity", "path_norm"):
        assert torch.allclose(9 * before[name], after[name], rtol=1e-9), name


def test_normalised_margins_are_the_papers_quotient(trained):
    t = trained()
    found = evaluate(MEASURES, t)
    size = torch.linalg.vector_norm(t.x.double())
    expected = found["margin_quantiles"] * 20 / (norms.spectral_complexity(t.weights()) * size)[:, None]
    assert torch.allclose(found["normalised_margin_quantiles"], expected, rtol=1e-12)


def permuted(t, trained, order):
    def permute(p):
        return p | {
            "0.weight": p["0.weight"][:, order],
            "0.bias": p["0.bias"][:, order],
            "2.weight": p["2.weight"][:, :, order],
        }

    return trained(parameters=permute(t.parameters), initial=permute(t.initial))


def test_permuting_the_neurons_changes_no_measure(trained):
    t = trained()
    drawn = {"top_hessian_residual", *(f"jiang_{number}" for number in {**jiang.FLATNESS, **jiang.MAGNITUDE})}
    before, after = evaluate(MEASURES, t), evaluate(MEASURES, permuted(t, trained, [3, 1, 6, 0, 5, 2, 4]))
    for name, value in before.items():
        if name not in drawn:
            assert torch.allclose(after[name], value, rtol=1e-6, atol=1e-9, equal_nan=True), name


def test_binary_networks_have_signed_margins_and_errors(trained):
    y = torch.tensor([1, -1] * 10)
    t = trained(lambda: nn.Linear(5, 1), y=y, y_test=y, loss=logistic)
    found = evaluate(MEASURES, t)
    expected = t.outputs().squeeze(-1) * y
    assert torch.equal(found["margins"], expected)
    assert torch.allclose(found["train_error"], (expected <= 0).double().mean(-1))
    assert torch.allclose(found["train_loss"], torch.log1p(torch.exp(-expected)).mean(-1))
    assert torch.equal(found["ntk_change"], torch.zeros(3))  # a linear model is lazy


def test_the_kernel_is_taken_on_at_most_32_examples(trained):
    t = trained(n=50)
    now = kernels.empirical_ntk(t.model, t.parameters, {}, t.x[:32])
    then = kernels.empirical_ntk(t.model, t.initial, {}, t.x[:32])
    assert torch.allclose(standard.ntk_change(t), kernels.kernel_distance(now, then))
