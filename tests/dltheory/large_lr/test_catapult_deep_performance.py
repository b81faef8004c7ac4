import numpy as np
import pytest
import xarray as xr

from dlatlas.cubes.cube import with_fixed
from dltheory.large_lr.catapult_deep_performance import STUDY
from dltheory.measures.curvature_over_start import GUESS, trains

NAME = "catapult_deep_performance"
OBSERVABLES, THEORY = STUDY.observables, STUDY.theory
RATES = [0.5, 0.71, 1.0, 1.41, 1.9, 2.7, 3.8, 5.4, 7.6, 9.5, 11.0, 13.0, 16.0]
STEPS = [0, 1, 4, 20, 75, 300]


@pytest.fixture
def cube(smoke_cube):
    """Networks whose curvature falls to 1.9/eta and whose error is least at 7.6, linearised ones that diverge at 2."""
    small = smoke_cube(NAME)
    rng = np.random.default_rng(0)
    rate = xr.DataArray(RATES, {"eta_lambda0": RATES}, "eta_lambda0")
    step = xr.DataArray(STEPS, {"step": STEPS}, "step")
    twin = xr.DataArray([False, True], {"linearised": [False, True]}, "linearised")
    noise = 0.01 * rng.standard_normal((len(RATES), 8))
    seed = xr.DataArray(noise, {"eta_lambda0": RATES, "seed": range(8)}, ("eta_lambda0", "seed"))
    alive = xr.where(twin, rate < 2, rate < 12)
    learnt = 1 - np.exp(-rate * step / 20)
    curvature = 1 + (np.minimum(0.95, 1.9 / rate) * (1 + seed) - 1) * learnt
    error = 0.9 - learnt * (0.7 + 0.15 * np.exp(-(np.log(rate / 7.6) ** 2))) + 0.1 * seed
    ones = xr.ones_like(seed * alive)
    loss = xr.where(alive | (step == 0), 1 - learnt, np.nan)
    cube = xr.Dataset(
        {
            "curvature": (curvature * ones).where(alive & ~twin),
            "test_error": (error * ones).where(alive | (step == 0)),
            "train_loss": loss * ones,
            "status": xr.where(alive, 0, 1).astype(np.int8) * ones.astype(np.int8),
        },
        attrs=small.attrs,
    )
    return with_fixed(cube)


def worse_beyond(cube):
    return {"test_error": cube["test_error"].where(cube["eta_lambda0"] < 2, cube["test_error"] + 0.3)}


PLANTED = {
    "flatter than 2/η": lambda cube: {"curvature": cube["curvature"] * 1.2},
    "falls as 1/η": lambda cube: {"curvature": cube["curvature"] * cube["eta_lambda0"]},
    "flat below 2": lambda cube: {"curvature": cube["curvature"] / cube["eta_lambda0"]},
    "trains up to 12/λ₀": lambda cube: {"train_loss": cube["train_loss"].where(cube["eta_lambda0"] < 5)},
    "best at equal steps": worse_beyond,
    "best at equal time": worse_beyond,
}


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, outcomes):
    found = outcomes(NAME, cube)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(cube, outcomes, claim):
    assert outcomes(NAME, cube.assign(PLANTED[claim](cube)), claim) == {claim: "refuted"}


def test_equal_time_is_read_off_where_all_runs_have_gone_as_far(cube):
    """Of a variable that is ln(eta t), every run gives that of the smallest step at the end."""
    log_time = np.log(cube["eta_lambda0"] * cube["step"].clip(min=1))
    cube = cube.assign(curvature=log_time * xr.ones_like(cube["test_error"]))
    found = OBSERVABLES["flow"](cube, THEORY(cube))
    np.testing.assert_allclose(found.values, np.log(0.5 * 300), rtol=1e-12)


def test_a_run_that_diverges_later_still_has_a_value_at_equal_time(cube):
    late = cube.where((cube["step"] < 300) | (cube["eta_lambda0"] < 2))
    networks = OBSERVABLES["timed_error"](late, THEORY(cube)).isel(linearised=0, eta_lambda0=slice(6, 10))
    assert float(networks.max()) < GUESS - 0.05


def test_dead_networks_have_not_trained_and_lost_ones_guess(cube):
    dead = cube.assign(train_loss=xr.where(cube["eta_lambda0"] > 4, 0.5, cube["train_loss"]))
    assert not trains(dead, None).isel(linearised=0, eta_lambda0=slice(7, None)).values.any()
    assert (OBSERVABLES["last_error"](cube, None).isel(eta_lambda0=-1) == GUESS).values.all()


def test_curvature_is_known_well_and_left_out_of_linearised_networks(smoke_cube):
    cube = smoke_cube(NAME)
    plain = cube.sel(linearised=False).isel(step=[-1])
    assert float((plain["residual"] / plain["curvature"]).where(trains(plain, None)).quantile(0.9)) < 0.02
    assert cube["curvature"].sel(linearised=True).isnull().all()
