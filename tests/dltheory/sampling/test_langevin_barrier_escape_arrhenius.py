"""The theory's own witnesses are in tests/theory/test_saddle_escape.py, those of the walkers in tests/models."""

import numpy as np
import pytest
import xarray as xr

from dltheory.models.quadratic_saddle import TIMES
from dltheory.sampling.langevin_barrier_escape_arrhenius import STUDY
from dltheory.theory import saddle_escape

NAME = "langevin_barrier_escape_arrhenius"
SETTINGS = STUDY.parameters["setting"].choices
LAM, BETA = np.array([0.1, 1.0]), np.geomspace(10, 1e6, 6)
DIMS = ("setting", "lam", "beta", "seed")


@pytest.fixture(scope="module")
def ideal() -> xr.Dataset:
    """A cube as the theory makes it, with a sampling error of half a percent."""
    seeds, sizes = 6, (len(SETTINGS), len(LAM), len(BETA))
    parts = {"4": 4.0, "16": 16.0, "64": 64.0}
    unstable, stable = (
        np.array([parts.get(name.removeprefix(kind), 1.0) for name in SETTINGS]) for kind in ("unstable", "stable")
    )
    d = np.where(np.array(SETTINGS) == "plane", 2, 20)
    b = LAM[:, None] * BETA
    exits = np.stack([saddle_escape.mean_exit_time(b * part) for part in unstable])
    falls = np.stack([saddle_escape.mean_fall_time(b * part, dim) for part, dim in zip(unstable, d)])
    still = np.zeros(sizes)
    left = np.stack([saddle_escape.limit_law(TIMES, b[..., None] * part) for part in unstable])
    for name, time in (("noiseless", np.nan), ("nudged", np.log(1e6))):
        place = SETTINGS.index(name)
        exits[place] = falls[place] = time
        still[place], left[place] = np.isnan(time), time <= TIMES
    jitter = 1 + 0.005 * np.random.default_rng(0).standard_normal((*sizes, seeds))
    data = {
        "exit": (DIMS, exits[..., None] * jitter),
        "fall": (DIMS, falls[..., None] * jitter),
        "still": (DIMS, np.repeat(still[..., None], seeds, -1)),
        "status": (DIMS, np.zeros((*sizes, seeds), np.int8), {"flag_meanings": "ok diverged failed missing"}),
        "left": ((*DIMS, "time"), np.repeat(left[..., None, :], seeds, -2)),
    }
    coords = {"setting": list(SETTINGS), "lam": LAM, "beta": BETA, "seed": np.arange(seeds), "time": TIMES}
    coords |= {"d": ("setting", d), "withheld": ("setting", unstable), "withheld_stable": ("setting", stable)}
    coords["noise"] = ("setting", ~np.isin(SETTINGS, ["noiseless", "nudged"]))
    return xr.Dataset(data, coords, {"study": NAME, "scale": "none"})


def test_every_claim_is_supported_by_a_cube_made_by_its_theory(ideal, outcomes):
    assert set(outcomes(NAME, ideal).values()) == {"supported"}


FALSE = {
    "times a twentieth too long": ("the mean time is the exact one", "exit", lambda time: 1.06 * time),
    "a time that grows as log beta": ("it grows as log β / 2λ", "exit", lambda time: 2 * time),
    "a step more in 20 dimensions": (
        "dimension does not matter",
        "fall",
        lambda time: time * xr.where(time["setting"] == "twenty", 1.05, 1.0),
    ),
    "noise that helps whatever its direction": (
        "noise along stable directions is wasted",
        "fall",
        lambda time: xr.ones_like(time) * time.sel(setting="twenty", drop=True),
    ),
    "rounding that pushes one run in six off": (
        "gradient descent stays",
        "still",
        lambda still: still * xr.where(still["seed"] == 0, 0.0, 1.0) * 0.9,
    ),
    "the law of a barrier": (
        "law",
        "left",
        lambda left: (1 - np.exp(-left["time"] / 7.0)) * xr.ones_like(left),
    ),
}


@pytest.mark.parametrize("what", FALSE)
def test_a_claim_falls_by(what, ideal, outcomes):
    claim, name, change = FALSE[what]
    assert outcomes(NAME, ideal.assign({name: change(ideal[name])}), claim) == {claim: "refuted"}


@pytest.mark.parametrize(("kind", "low", "high"), [(np.float32, 14, 24), (np.float64, 34, 46)])
def test_in_other_coordinates_rounding_lets_gradient_descent_out_as_the_page_says(kind, low, high):
    rng, times = np.random.default_rng(0), []
    for _ in range(4):
        axes = np.linalg.qr(rng.standard_normal((20, 20)))[0]
        curvature = np.where(np.arange(20) == 0, -1.0, 1.0)
        hessian, x = ((axes * curvature) @ axes.T).astype(kind), axes[:, 1].astype(kind)
        steps = 0
        while abs(axes[:, 0] @ x) < 1 and steps < 6000:
            x = x - kind(0.01) * (hessian @ x)
            steps += 1
        times.append(0.01 * steps)
    assert low < np.mean(times) < high
