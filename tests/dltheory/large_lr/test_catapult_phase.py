"""The theory's own witnesses are in tests/dltheory/theory/test_catapult.py."""

import json

import numpy as np
import pytest
import xarray as xr

from dlatlas.judging.verdict import judge_study
from dltheory.large_lr.catapult_phase import STUDY
from dltheory.theory.catapult import catapult_map

NAME = "catapult_phase"
STEPS = 400
DIMS = ("network", "eta_lambda0", "seed")


@pytest.fixture(scope="module")
def ideal() -> xr.Dataset:
    """A cube as the map makes it, with a network linearised at the last place."""
    rng = np.random.default_rng(0)
    width, linearised = np.array([32, 128, 512, 2048, 512]), np.array([False] * 4 + [True])
    rates = np.array([1.0, 1.5, 1.9, 2.1, 2.5, 2.7, 3.1, 3.5, 4.1, 4.5])
    shape = (5, len(rates), 12)
    f = np.broadcast_to(rng.standard_normal((5, 1, 12)), shape)
    kernel = np.broadcast_to(2 + rng.standard_normal((5, 1, 12)) / np.sqrt(width)[:, None, None], shape)
    lr = rates[:, None] / kernel
    ended = catapult_map(f, kernel, lr, np.where(linearised, np.inf, width)[:, None, None], STEPS)
    data = {
        "output": ((*DIMS, "step"), np.stack([f, ended["f"]], axis=-1)),
        "kernel": ((*DIMS, "step"), np.stack([kernel, ended["kernel"]], axis=-1)),
        "peak": (DIMS, ended["peak"]),
        "peak_step": (DIMS, ended["peak_step"]),
        "lr": (DIMS, lr),
        "status": (DIMS, np.isnan(ended["f"]).astype(np.int8)),
    }
    coords = {
        "width": ("network", width),
        "linearised": ("network", linearised),
        "eta_lambda0": rates,
        "seed": np.arange(12),
        "step": [0, STEPS],
    }
    return xr.Dataset(data, coords, {"study": NAME, "fixed": json.dumps({"steps": STEPS})})


def late(values, before):
    """Values after the first step."""
    return before.where(before["step"] == 0, values).transpose(*before.dims)


def crash(cube):
    inside = (cube["eta_lambda0"] > 2) & (cube["eta_lambda0"] < 4)
    return {"output": cube["output"].where(~inside | (cube["step"] == 0), 1e9)}


def dropped(cube, part):
    first = cube["kernel"].isel(step=0, drop=True)
    return {"kernel": late(first * (1 - part), cube["kernel"])}


PLANTED = {
    "three phases": crash,
    "two-variable map": lambda cube: {"kernel": late(1.001 * cube["kernel"], cube["kernel"])},
    "flatter minimum": lambda cube: {"kernel": late(2.2 / cube["lr"], cube["kernel"])},
    "peak grows as n": lambda cube: {"peak": xr.full_like(cube["peak"], 3.0)},
    "peak after ln n steps": lambda cube: {"peak_step": xr.full_like(cube["peak_step"], 4)},
    "lazy drop is 1/n": lambda cube: dropped(cube, 0.01 * cube["output"].isel(step=0, drop=True) ** 2),
    "catapult drop is O(1)": lambda cube: dropped(cube, 1 / cube["width"]),
}


def test_a_cube_that_the_map_made_supports_every_claim(ideal, outcomes):
    found = outcomes(NAME, ideal)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(ideal, outcomes, claim):
    assert outcomes(NAME, ideal.assign(PLANTED[claim](ideal)), claim) == {claim: "refuted"}


def test_smoke_finds_the_phases_the_map_and_the_flatter_minimum(smoke_cube):
    record = judge_study(STUDY, smoke_cube(NAME))
    found = {claim["name"]: claim["verdict"] for claim in record["claims"]}
    assert "refuted" not in found.values()
    assert all(found[name] == "supported" for name in ("three phases", "two-variable map", "flatter minimum"))
    assert record["status"]["diverged"] > 0


def test_the_linearised_network_of_the_engine_is_a_geometric_series(smoke_cube):
    cube = smoke_cube(NAME)
    linear = cube.isel(network=int(np.flatnonzero(cube["linearised"].values)[0])).sel(eta_lambda0=[2.3, 2.5])
    output = np.log(np.abs(linear["output"].transpose("step", "eta_lambda0", "seed").values))
    growth = np.broadcast_to(np.log(np.abs(1 - linear["eta_lambda0"].values))[:, None], output.shape[1:])
    np.testing.assert_allclose(output[-1] - output[0], int(cube["step"][-1]) * growth, rtol=1e-6)
