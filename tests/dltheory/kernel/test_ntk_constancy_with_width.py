import numpy as np
import pytest
import xarray as xr

NAME = "ntk_constancy_with_width"


@pytest.fixture
def cube(smoke_cube):
    """What the theory says falls with width as it falls, and in mean-field scaling does not."""
    small = smoke_cube(NAME)
    rng = np.random.default_rng(0)
    width = np.array([64, 128, 256, 512, 1024, 2048, 4096] * 2 + [64, 128, 256, 512, 1024])
    field = np.repeat([False, True, False], [7, 7, 5])
    depth = np.repeat([1, 2], [14, 5])
    coords = {"width": ("network", width), "mean_field": ("network", field), "depth": ("network", depth)}
    seed = xr.DataArray(np.exp(0.05 * rng.standard_normal(20)), {"seed": range(20)}, "seed")
    end = xr.DataArray([np.nan, 1.0], {"step": [0, 50]}, "step")
    start = xr.DataArray([1.0, np.nan], {"step": [0, 50]}, "step")
    m = xr.DataArray(width.astype(float), dims="network")
    fall = xr.where(xr.DataArray(field, dims="network"), 1.0, m**-0.5) * seed
    every = xr.ones_like(small["activation"], dtype=float)
    link = xr.DataArray([1.0, 0.0], {"link": ["none", "sigmoid"]}, "link")
    found = {
        "kernel_gap": m**-0.5 * seed * start,
        "covariance_gap": seed * start * xr.ones_like(m),
        "kernel_drift": fall**1.8 * end,
        "weight_change": fall * end,
        "linear_gap": fall**1.4 * end,
        "limit_gap": fall * end,
        "hessian_norm": xr.where(link > 0, m**-0.5, 0.2) * seed * start,
    }
    cube = xr.Dataset({name: value * every for name, value in found.items()}, attrs=small.attrs).assign_coords(coords)
    return cube.assign(status=xr.zeros_like(cube["kernel_gap"].isel(step=0), dtype=np.int8))


def slowed(name, power=0.5):
    return lambda cube: {name: cube[name] * cube["width"].astype(float) ** power}


PLANTED = {
    "deterministic at the start": slowed("kernel_gap"),
    "fixed in training": slowed("kernel_drift", 0.8),
    "fixed with two hidden layers": slowed("kernel_drift", 0.8),
    "weights hardly move": slowed("weight_change"),
    "linear network": slowed("linear_gap"),
    "kernel regression": slowed("limit_gap"),
    "transition to linearity": slowed("hessian_norm"),
}


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, outcomes):
    found = outcomes(NAME, cube)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(cube, outcomes, claim):
    assert outcomes(NAME, cube.assign(PLANTED[claim](cube)), claim) == {claim: "refuted"}


def test_the_linearised_outputs_are_those_of_descent_on_the_linear_model(smoke_cube):
    """At the widest the network is nearly linear: both distances are far below the target's size 1."""
    cube = smoke_cube(NAME)
    last = cube.isel(step=-1)
    wide = (last["width"] == 512) & ~last["mean_field"]
    assert float(last["linear_gap"].where(wide).max()) < 0.1
    assert float(last["limit_gap"].where(wide).max()) < 0.5
    assert float(cube["kernel_drift"].isel(step=0).max()) == 0
    assert float(last["train_loss"].max()) < 0.5  # it learns; the target's mean square is 1
