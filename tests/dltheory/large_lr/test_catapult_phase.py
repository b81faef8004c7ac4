"""The theory's own witnesses are in tests/theory/test_catapult.py."""

import json

import numpy as np
import pytest
import xarray as xr

from dlatlas.judging.verdict import judge_claim, judge_study
from dltheory.large_lr.catapult_phase import STUDY, theory
from dltheory.theory.catapult import catapult_map

CLAIMS = {claim.name: claim for claim in STUDY.claims}
STEPS = 400
DIMS = ("network", "eta_lambda0", "seed")


@pytest.fixture
def fewer_draws(monkeypatch):
    """A fifth of the bootstrap draws and permutations: these effects are large."""
    monkeypatch.setattr("dlatlas.judging.verdict.DRAWS", 99)
    monkeypatch.setattr("dlatlas.judging.verdict.SHUFFLES", 39)


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
    return xr.Dataset(data, coords, {"study": "catapult_phase", "fixed": json.dumps({"steps": STEPS})})


def verdict(name: str, cube: xr.Dataset, predicted: xr.Dataset) -> str:
    return judge_claim(CLAIMS[name], cube, predicted)["verdict"]


@pytest.mark.usefixtures("fewer_draws")
@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_holds_on_a_cube_that_the_map_made(name, ideal):
    assert verdict(name, ideal, theory(ideal)) == "supported"


def _crash(cube):
    inside = (cube["eta_lambda0"] > 2) & (cube["eta_lambda0"] < 4)
    cube["output"] = cube["output"].where(~inside | (cube["step"] == 0), 1e9)


def _miss(cube):
    cube["kernel"] = cube["kernel"].where(cube["step"] == 0, cube["kernel"] * 1.001)


def _sharp(cube):
    cube["kernel"] = cube["kernel"].where(cube["step"] == 0, 2.2 / cube["lr"])


def _flat_peak(cube):
    cube["peak"] = xr.full_like(cube["peak"], 3.0)


def _early_peak(cube):
    cube["peak_step"] = xr.full_like(cube["peak_step"], 4)


def _same_drop(cube):
    first = cube["kernel"].isel(step=0, drop=True)
    drop = 0.01 * cube["output"].isel(step=0, drop=True) ** 2
    cube["kernel"] = cube["kernel"].where(cube["step"] == 0, first * (1 - drop))


def _vanishing_drop(cube):
    first = cube["kernel"].isel(step=0, drop=True)
    cube["kernel"] = cube["kernel"].where(cube["step"] == 0, first * (1 - 1 / cube["width"]))


@pytest.mark.usefixtures("fewer_draws")
@pytest.mark.parametrize(
    ("name", "plant"),
    [
        ("three phases", _crash),
        ("two-variable map", _miss),
        ("flatter minimum", _sharp),
        ("peak grows as n", _flat_peak),
        ("peak after ln n steps", _early_peak),
        ("lazy drop is 1/n", _same_drop),
        ("catapult drop is O(1)", _vanishing_drop),
    ],
)
def test_the_opposite_planted_in_the_cube_is_refuted(name, plant, ideal):
    cube, predicted = ideal.copy(deep=True), theory(ideal)
    plant(cube)
    assert verdict(name, cube, predicted) == "refuted"


@pytest.mark.usefixtures("fewer_draws")
def test_smoke_finds_the_phases_the_map_and_the_flatter_minimum(smoke_cube):
    record = judge_study(STUDY, smoke_cube("catapult_phase"))
    found = {claim["name"]: claim["verdict"] for claim in record["claims"]}
    assert "refuted" not in found.values()
    assert all(found[name] == "supported" for name in ("three phases", "two-variable map", "flatter minimum"))
    assert record["status"]["diverged"] > 0


def test_the_linearised_network_of_the_engine_is_a_geometric_series(smoke_cube):
    cube = smoke_cube("catapult_phase")
    linear = cube.isel(network=int(np.flatnonzero(cube["linearised"].values)[0])).sel(eta_lambda0=[2.3, 2.5])
    output = np.log(np.abs(linear["output"].transpose("step", "eta_lambda0", "seed").values))
    growth = np.broadcast_to(np.log(np.abs(1 - linear["eta_lambda0"].values))[:, None], output.shape[1:])
    np.testing.assert_allclose(output[-1] - output[0], int(cube["step"][-1]) * growth, rtol=1e-6)
