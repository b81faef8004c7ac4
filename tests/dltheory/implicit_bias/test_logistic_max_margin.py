"""Logistic descent and the max margin: the study's statistics on cubes where the truth is known."""

import numpy as np
import pytest
import xarray as xr

from dlatlas.cubes.cube import with_fixed
from dltheory.implicit_bias.logistic_max_margin import STUDY
from dltheory.theory.late_descent import between_steps


def turned(w, by):
    """w with a sideways part proportional to a hyper-parameter, so that the limit direction depends on it."""
    side = xr.DataArray(np.eye(20)[1], dims="coordinate")
    return w + 0.3 * w[by] * np.sqrt((w**2).sum("coordinate")) * side


NAME = "logistic_max_margin"
OPPOSITES = {
    "norm slope": {"norm": lambda v: v**2},
    "risk slope": {"train_loss": np.sqrt},
    "angle exponent": {"misalignment": np.sqrt},
    "margin exponent": {"reached_margin": lambda v: 0.9 * v},
    "support identity": {"score": lambda v: v + 0.5},
    "one limit": {"weight": lambda v: turned(v, "start")},
    "step size": {"weight": lambda v: turned(v, "eta")},
    "validation loss": {"test_loss": lambda v: v**2},
}


@pytest.fixture(scope="module")
def ideal(smoke_cube) -> xr.Dataset:
    """The smoke cube with every measurement replaced by what the theory says at very late times."""
    cube = with_fixed(smoke_cube(NAME)).isel(seed=[0, 1, 2, 3] * 2).assign_coords(seed=range(8))
    cube = cube.drop_vars(["loss_trace", "peak", "peak_step", "diverged_at"])
    steps, noise = cube.sizes["step"], xr.DataArray(np.random.default_rng(0).uniform(0.97, 1.03, 8), dims="seed")
    log = xr.DataArray(np.geomspace(1, 90, steps), dims="step") * xr.ones_like(cube["norm"]) + np.log(cube["lr"])
    flow = cube["optimizer"] != "sgd"
    cube["clock"] = np.exp(log)
    theory = STUDY.theory(cube)
    tau, s = theory["tau"].where(theory["tau"] > 0, 1e-3), theory["clock"].where(theory["clock"] > 0.1, 0.1)
    poly = cube["loss"] == "poly_tail"
    gamma = cube["svm_margin"]
    cube["norm"] = xr.where(poly, tau**0.25, np.log(tau) / gamma) * noise
    cube["train_loss"] = xr.where(poly, tau**-0.5, 1 / tau) * noise
    cube["misalignment"] = xr.where(poly, 0.05, 0.5 / s**2) * noise
    cube["reached_margin"] = gamma * (1 - xr.where(poly, 0.3, 0.5 / s) * noise)
    cube["score"] = np.log(tau / cube["multiplier"].where(cube["multiplier"] > 0, 1.0)) + 0.1 * (noise - 1)
    cube["test_loss"] = cube["test_hinge"] * np.log(tau) * noise
    axis = xr.DataArray(np.eye(20), dims=("which", "coordinate"))
    along = axis[0] * s.where(flow, np.log(tau).where(tau > 2, 0.7)) / gamma
    cube["weight"] = along + axis[1] * cube["start"] * noise + axis[2] * noise
    return cube.transpose(*cube.sizes)


def test_the_theory_itself_is_supported(ideal, outcomes):
    found = outcomes(NAME, ideal)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", OPPOSITES)
def test_the_opposite_is_refuted(ideal, outcomes, claim):
    changed = {key: change(ideal[key]) for key, change in OPPOSITES[claim].items()}
    changed = {key: value.transpose(*ideal[key].dims) for key, value in changed.items()}
    assert outcomes(NAME, ideal.assign(changed), claim) == {claim: "refuted"}


def test_at_smoke_scale_the_risk_already_falls_as_one_over_t_and_nothing_diverges(smoke_cube, outcomes):
    cube = smoke_cube(NAME)
    assert np.all(cube["status"] == 0)
    assert outcomes(NAME, cube, "risk slope") == {"risk slope": "supported"}


def test_the_margin_reached_never_exceeds_that_of_the_support_vector_machine(smoke_cube):
    cube = smoke_cube(NAME)
    assert float((cube["reached_margin"] / cube["svm_margin"]).max()) < 1 + 1e-12
    assert float(cube["misalignment"].min()) >= 0


def test_between_steps_a_predictor_is_interpolated_in_ln_t():
    step, eta = np.array([0, 1, 10, 100, 1000]), np.array([0.1, 0.9])
    w = np.random.default_rng(0).standard_normal((2, 5, 3))
    cube = xr.Dataset({"weight": (("eta", "step", "coordinate"), w)}, {"eta": eta, "step": step})
    part = (np.log(1000 / 9) - np.log(100)) / np.log(10)
    for same_time, large in ((True, (1 - part) * w[1, 3] + part * w[1, 4]), (False, w[1, 4])):
        one, other = (v / np.linalg.norm(v) for v in (large, w[0, 4]))
        found = float(between_steps(cube, cube, same_time=same_time))
        assert found == pytest.approx(np.linalg.norm(one - other))
