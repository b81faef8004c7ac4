"""Spectral margins: the study's statistics on cubes where the truth is known, and what smoke scale can decide."""

import numpy as np
import pytest
import torch
import xarray as xr

from dlatlas.judging.sample import Sample
from dlatlas.measures.norms import spectral_complexity
from dltheory.generalization.spectral_margin_distribution import STUDY
from dltheory.losses.stopped_loss import STOP

NAME = "spectral_margin_distribution"
SEEDS, STEPS, EXAMPLES, QUANTILES = 12, 7, 60, np.array([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])
COLUMNS = {
    "data": ["digits"] * 5 + ["mnist1d"] * 2,
    "label_noise": [0.0, 0.25, 0.5, 1.0, 1.0, 0.0, 1.0],
    "input_noise": [False] * 4 + [True] + [False] * 2,
}
COMPLEXITY = np.array([1.0, 2.0, 4.0, 8.0, 8.0, 2.0, 8.0])


@pytest.fixture
def ideal() -> xr.Dataset:
    """Raw margins alike, complexity growing with label noise, Lipschitz product in step with the excess risk."""
    rng = np.random.default_rng(0)
    lead, ramp = (7, SEEDS, STEPS), np.linspace(0, 1, STEPS)
    c, q = COMPLEXITY[:, None, None], np.array(COLUMNS["label_noise"])[:, None, None]
    wobble = rng.uniform(0.99, 1.01, lead)
    lipschitz = (1 + c * ramp) * wobble
    train_error = np.broadcast_to(0.9 * (ramp < 0.3), lead)
    test_error = train_error + (0.1 + 0.8 * q) * ramp * wobble
    margins = rng.normal(5, 0.5, (7, SEEDS, EXAMPLES))
    margin_quantiles = np.quantile(margins, QUANTILES, axis=-1).transpose(1, 2, 0)[:, :, None] * lipschitz[..., None]
    margin_quantiles /= lipschitz[:, :, -1:, None]
    normalised = margin_quantiles / c[..., None]
    step, condition, seed = "step", "condition", "seed"
    return xr.Dataset(
        {
            "lipschitz_product": ((condition, seed, step), lipschitz),
            "spectral_complexity": ((condition, seed, step), c * wobble),
            "data_norm": ((condition, seed, step), np.full(lead, float(EXAMPLES))),
            "train_loss": ((condition, seed, step), np.broadcast_to(np.geomspace(2, STOP, STEPS), lead)),
            "train_error": ((condition, seed, step), train_error),
            "test_error": ((condition, seed, step), test_error),
            "margins": ((condition, seed, "example"), margins),
            "margin_quantiles": ((condition, seed, step, "quantile"), margin_quantiles),
            "normalised_margin_quantiles": ((condition, seed, step, "quantile"), normalised),
            "scaled_quantile": ((condition, seed, step), 10 * margin_quantiles[..., 1]),
            "scaled_normalised_quantile": ((condition, seed, step), normalised[..., 1]),
            "status": ((condition, seed), np.zeros((7, SEEDS), np.int8)),
        },
        {name: (condition, values) for name, values in COLUMNS.items()} | {"quantile": QUANTILES},
        {"study": "spectral_margin_distribution"},
    )


OPPOSITES = {
    "random is nearer zero": lambda cube: {"spectral_complexity": xr.ones_like(cube["spectral_complexity"])},
    "raw margins tell less": lambda cube: {
        "margins": cube["margins"] / xr.where((cube["label_noise"] == 1) & ~cube["input_noise"], 8.0, 1.0)
    },
    "random labels are alike": lambda cube: {
        "spectral_complexity": cube["spectral_complexity"].where((cube["data"] == "digits") & ~cube["input_noise"], 1.0)
    },
    "Lipschitz tracks excess risk": lambda cube: {"lipschitz_product": 1 / cube["lipschitz_product"]},
    "the margin takes up the growth": lambda cube: {"margin_quantiles": xr.ones_like(cube["margin_quantiles"])},
    "order of test errors": lambda cube: {"normalised_margin_quantiles": 1 / cube["normalised_margin_quantiles"]},
    "invariance": lambda cube: {"scaled_normalised_quantile": 1.01 * cube["scaled_normalised_quantile"]},
}


def test_what_the_theory_says_is_supported(ideal, outcomes):
    found = outcomes(NAME, ideal)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", OPPOSITES)
def test_the_opposite_is_refuted(ideal, outcomes, claim):
    assert outcomes(NAME, ideal.assign(OPPOSITES[claim](ideal)), claim) == {claim: "refuted"}


def test_the_complexity_of_diagonal_layers_is_that_worked_by_hand():
    layers = [torch.diag(torch.tensor([3.0, 1.0]))[None], torch.diag(torch.tensor([2.0, 2.0]))[None]]
    by_hand = 3 * 2 * ((4 / 3) ** (2 / 3) + (4 / 2) ** (2 / 3)) ** 1.5
    assert float(spectral_complexity(layers)) == pytest.approx(by_hand)


def test_at_smoke_scale_scaling_a_layer_leaves_normalised_margins_and_all_runs_rest_at_one_loss(smoke_cube):
    cube = smoke_cube(NAME)
    sample = Sample(cube, STUDY.theory(cube), STUDY.observables)
    assert float(sample.observe("change").max()) < 1e-6
    assert sample.observe("raw_change").values == pytest.approx(9, rel=1e-5)
    assert np.allclose(cube["train_loss"].isel(step=-1), STOP)


def test_a_median_margin_that_ends_below_zero_takes_up_nothing(ideal):
    last = xr.DataArray(np.arange(STEPS) == STEPS - 1, dims="step")
    cube = ideal.assign(margin_quantiles=ideal["margin_quantiles"].where(~last, -1.0))
    with np.errstate(divide="ignore"):
        found = Sample(cube, STUDY.theory(cube), STUDY.observables).observe("margin_growth")
    assert (found == -np.inf).all()
