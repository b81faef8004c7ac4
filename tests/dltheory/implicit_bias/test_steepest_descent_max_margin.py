import numpy as np
import pytest
import xarray as xr

from dlatlas.optimizers.orders import ORDERS

NAME = "steepest_descent_max_margin"
STEPS = np.array([0, 150, 300, 1000, 2000, 4000, 10_000])


@pytest.fixture
def cube(smoke_cube):
    """Margins as the theory has them: 1 in the own norm but for the gap of the schedule, 0.8 in the others."""
    small = smoke_cube(NAME)
    rng = np.random.default_rng(0)
    t = xr.DataArray(np.maximum(STEPS, 2).astype(float), {"step": STEPS}, "step")
    spread = xr.DataArray(np.exp(0.05 * rng.standard_normal(6)), {"seed": range(6)}, "seed")
    kind = small[["optimizer", "norm", "loss", "decay", "start"]]
    fixed = kind["loss"] == "exponential"
    scaled = xr.where(kind["optimizer"] == "dual_acceleration", 3e3 / t**2, 50 / t)
    scaled = xr.where(kind["decay"] > 0, 3 * np.log(t) / t**0.6, scaled)
    gap = xr.where(fixed, 2 / np.log(t) ** 1.2, scaled) * spread
    geometry = xr.DataArray(list(ORDERS), {"geometry": list(ORDERS)}, "geometry")
    ratio = xr.where(geometry == kind["norm"], 1 - gap, 0.8 * spread / spread.max())
    growth = xr.where(kind["loss"] == "exponential", np.log(t) + 3, 0.1 * t) * spread.where(spread > 9, 1.0)
    ratio = ratio.where(ratio["step"] > 0)
    cube = xr.Dataset({"ratio": ratio * xr.ones_like(kind["start"]), "growth": growth * xr.ones_like(kind["start"])})
    cube = cube.assign_coords(small[["optimizer", "norm", "loss", "decay", "start"]].coords)
    cube.attrs = small.attrs
    return cube.assign(status=xr.zeros_like(cube["growth"].isel(step=0), dtype=np.int8))


def own_is(cube, value):
    return {"ratio": cube["ratio"].where(cube["geometry"] != cube["norm"], value).transpose(*cube["ratio"].dims)}


def later(cube, power):
    """The gap in the own norm multiplied by a power of t."""
    t = cube["step"].where(cube["step"] > 0, 1) / 1000
    slowed = 1 - (1 - cube["ratio"]) * t**power
    own = cube["geometry"] == cube["norm"]
    return {"ratio": xr.where(own, slowed, cube["ratio"]).transpose(*cube["ratio"].dims)}


PLANTED = {
    "own norm": lambda cube: own_is(cube, 0.9),
    "no other norm": lambda cube: {"ratio": cube["ratio"].clip(min=0.99)},
    "mirror descent": lambda cube: own_is(cube, 0.9),
    "1/t with steps divided by the loss": lambda cube: later(cube, 0.5),
    "1/t² with dual acceleration": lambda cube: later(cube, 0.7),
    "ln t / √t with decaying steps": lambda cube: later(cube, 0.4),
    "1/ln t with fixed steps": lambda cube: later(cube, 0.2),
    "norm grows as ln t": lambda cube: {"growth": 2 * cube["growth"]},
}


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, outcomes):
    found = outcomes(NAME, cube)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(cube, outcomes, claim):
    assert outcomes(NAME, cube.assign(PLANTED[claim](cube)), claim) == {claim: "refuted"}


def test_no_margin_exceeds_the_largest(smoke_cube):
    ratio = smoke_cube(NAME)["ratio"]
    assert float(ratio.max()) < 1 + 2e-4
    assert np.isnan(ratio.isel(step=0, start=0)).all()


def test_gradient_descent_and_its_margins_are_those_of_the_direct_formula(smoke_cube):
    """The ratio in l2 of plain NumPy descent on the data of one run."""
    from dlatlas.data.gaussian import gaussian_classes
    from dlatlas.identity.streams import stream
    from dlatlas.training.stack import Stack
    from dltheory.theory.hard_margin import hard_margin

    cube = smoke_cube(NAME)
    place = {"method": 2, "schedule": 2, "start": 0, "seed": 0}
    settings = {"inputs": 60, "n_train": 30, "n_test": 1, "margin": 0.1}
    stack = Stack([{**settings, "data": "gaussian_classes", "seed": int(cube["seed"][0])}], {}, folder=None)
    key = stack.key(0, ("data", "inputs", "margin", "n_test", "n_train"))
    data = gaussian_classes(folder=None, generator=stream(key, "data"), **settings)
    z, w = data.x * data.y, np.zeros(60)
    for _ in range(int(cube["step"][-1])):
        share = np.exp(-(z @ w - (z @ w).min()))
        w += (share / share.sum()) @ z / (z**2).sum(1).max()
    found = float(cube["ratio"].isel(place).isel(step=-1).sel(geometry="l2"))
    assert found == pytest.approx((z @ w).min() / np.linalg.norm(w) / hard_margin(z).margin, rel=1e-5)
