"""The theory's own witnesses are in tests/theory/test_kramers.py, the walkers' in tests/models/test_double_well.py."""

import numpy as np
import pytest
import xarray as xr

from dltheory.theory.exponential_law import lilliefors_p
from dltheory.theory.kramers import mean_exit_time, mean_exit_time_tube

NAME = "langevin_escape_kramers"
BETA = np.array([0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
SHAPES = {"line": (1, 8.0, 8.0), "plane": (2, 8.0, 4.0), "five": (5, 8.0, 4.0)}


@pytest.fixture(scope="module")
def ideal() -> xr.Dataset:
    """A cube as the theory makes it: independent waits with the exact mean, exponential where the barrier is high."""
    rng, seeds, walkers = np.random.default_rng(0), 8, 1000
    mean = np.array([[mean_exit_time_tube(b, *shape) for b in BETA] for shape in SHAPES.values()])
    tops = np.array([mean_exit_time(b, target=0.0) / mean_exit_time(b) for b in BETA])
    peak = np.where(BETA < 3, 2.0, 1.0)[:, None, None, None]
    wait = mean[..., None, None, None] * rng.gamma(peak, 1 / peak, (3, len(BETA), seeds, walkers, 2))
    start = rng.uniform(-2, 1, (3, len(BETA), seeds, 20))
    dims = ("landscape", "beta", "seed")
    data = {
        "wait": ((*dims, "walker", "passage"), wait),
        "top": ((*dims, "walker"), wait[..., 0] * tops[:, None, None]),
        "p_value": ((*dims, "passage"), lilliefors_p(np.moveaxis(wait, -1, -2))),
        "start": ((*dims, "ball"), start),
        "end": ((*dims, "ball"), np.sign(start)),
        "status": (dims, np.zeros(start.shape[:3], np.int8), {"flag_meanings": "ok diverged failed missing"}),
    }
    columns = np.array(list(SHAPES.values())).T
    coords = {"landscape": list(SHAPES), "beta": BETA, "seed": np.arange(seeds)}
    coords |= {name: ("landscape", column) for name, column in zip(("d", "k_well", "k_saddle"), columns)}
    coords["d"] = ("landscape", columns[0].astype(int))
    coords |= {"passage": [0, 1], "ball": np.arange(20)}
    return xr.Dataset(data, coords, {"study": NAME, "scale": "none"})


def test_every_claim_is_supported_by_a_cube_made_by_its_theory(ideal, outcomes):
    found = outcomes(NAME, ideal)
    assert set(found.values()) == {"supported"}, found


def times(name, factor):
    return lambda cube: {name: cube[name] * factor}


def higher(cube):
    return {"wait": cube["wait"] * np.exp(0.2 * cube["beta"])}


def as_in_one_dimension(cube):
    return {"wait": cube["wait"] * 0 + cube["wait"].sel(landscape="line", drop=True)}


def of_two_stages(cube):
    shape = np.random.default_rng(1).gamma(2.0, 0.5, cube["wait"].shape)
    staged = cube["wait"].mean(("walker", "passage")) * xr.DataArray(shape, dims=cube["wait"].dims)
    return {"wait": staged, "p_value": (cube["p_value"].dims, lilliefors_p(np.moveaxis(staged.values, -1, -2)))}


def remembered(cube):
    return {"wait": cube["wait"].where(cube["passage"] == 0, cube["wait"].mean("passage"))}


def pushed_over(cube):
    return {"end": cube["end"].where(cube["ball"] % 10 > 0, -cube["end"])}


FALSE = {
    "waits a third longer": ("mean wait is the exact one", times("wait", 1.3)),
    "a constant a third larger": ("Kramers' constant", times("wait", 1.3)),
    "determinants a third larger": ("Eyring's determinants", times("wait", 1.3)),
    "a barrier a fifth higher": ("Arrhenius slope", higher),
    "transverse directions that do not count": ("Eyring's determinants", as_in_one_dimension),
    "a top reached after a third of the way": ("half to reach the top", times("top", 0.66)),
    "waits of two stages": ("waits are exponential", of_two_stages),
    "a second wait that repeats half of the first": ("waits are independent", remembered),
    "a tenth of the starts in the other basin": ("gradient descent stays", pushed_over),
}


@pytest.mark.parametrize("what", FALSE)
def test_a_claim_falls_by(what, ideal, outcomes):
    claim, change = FALSE[what]
    assert outcomes(NAME, ideal.assign(change(ideal)), claim) == {claim: "refuted"}


def test_transverse_directions_that_do_not_count_leave_the_constant_of_one_dimension(ideal, outcomes):
    cube = ideal.assign(as_in_one_dimension(ideal))
    assert outcomes(NAME, cube, "Kramers' constant") == {"Kramers' constant": "supported"}


def test_a_smoke_sweep_decides_what_few_walkers_can(smoke_cube, outcomes):
    found = outcomes(NAME, smoke_cube(NAME))
    assert found["gradient descent stays"] == "supported"
    assert "refuted" not in found.values()
