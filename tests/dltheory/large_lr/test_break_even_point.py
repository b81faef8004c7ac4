import numpy as np
import pytest
import xarray as xr

from dltheory.large_lr import break_even_point as page

NAME = "break_even_point"


@pytest.fixture
def cube(smoke_cube):
    """Curvature that grows from 3 to its edge, 2/eta or marginal with batches, or to 12 at most."""
    small = smoke_cube(NAME)
    rng = np.random.default_rng(0)
    steps = [0.02, 0.15, 0.2, 0.25, 0.3, 0.4]
    eta, batch = xr.DataArray(steps, {"lr": steps}, "lr"), small["batch"].astype(float)
    seed = xr.DataArray(np.exp(0.02 * rng.standard_normal(6)), {"seed": range(6)}, "seed")
    share = xr.DataArray([0.0, 0.5, 1.0], {"step": [0, 10, 200]}, "step")
    factor = (200 - batch) / (batch * 199)
    top = xr.where(eta < 0.1, 12.0, 2 / eta * (0.9 + 0.05 * np.log10(batch / 20))) * seed
    sharp = 3 + (top - 3) * share
    marginal = xr.where((factor > 0) & (eta > 0.1), top * (2 / eta - top) / factor, 0.0).clip(min=0)
    variance = marginal * share  # as large as makes a step marginal
    first = (1 + 4 * share / eta.clip(min=0.15) * (batch / 200) ** 0.2) * seed
    rank = xr.DataArray([1.0, 0.5, 0.2, 0.05], {"rank": list(page.RANKS)}, "rank")
    later = xr.where(rank["rank"] == 10, rank * (1 + 4 * share * eta**0.5), rank)
    cube = xr.Dataset(
        {"sharpness": sharp, "curvature_variance": variance * xr.ones_like(seed), "covariance": first * later},
        attrs=small.attrs,
    )
    return cube.assign(status=xr.zeros_like(cube["sharpness"].isel(step=0), dtype=np.int8))


def times(cube, name, power, along, late=True):
    """A variable times a power of a coordinate, from the first step on."""
    factor = cube[along].astype(float) ** power
    changed = xr.where(cube["step"] > 0, cube[name] * factor, cube[name])
    return {name: changed.transpose(*cube[name].dims)}


def conditioned(cube):
    tenth = (cube["rank"] == 10) & (cube["step"] > 0)
    return {"covariance": xr.where(tenth, cube["covariance"] * cube["lr"] ** -0.8, cube["covariance"]).transpose(
        *cube["covariance"].dims)}  # fmt: skip


PLANTED = {
    "full batch stops at 2/η": lambda cube: {"sharpness": 2 * cube["sharpness"]},
    "curvature falls with the step": lambda cube: times(cube, "sharpness", 1.2, "lr"),
    "covariance falls with the step": lambda cube: times(cube, "covariance", 1.2, "lr"),
    "smaller batches stop earlier": lambda cube: times(cube, "sharpness", -0.3, "batch"),
    "covariance falls with smaller batches": lambda cube: times(cube, "covariance", -0.5, "batch"),
    "better conditioned": conditioned,
    "until marginal": lambda cube: {"sharpness": 0.2 * cube["sharpness"]},
}


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, outcomes):
    found = outcomes(NAME, cube)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(cube, outcomes, claim):
    assert outcomes(NAME, cube.assign(PLANTED[claim](cube)), claim) == {claim: "refuted"}


def test_the_distance_from_the_edge_is_that_at_the_largest_curvature():
    cube = xr.Dataset(
        {"sharpness": ("step", [0.1, 4.0, 2.0]), "curvature_variance": ("step", [9.0, 16.0, 7.0])},
        {"batch": 4, "lr": 0.2, "n_train": 12},
    )
    edge = 10 / (1 + 8 / 44)  # the spread is 1
    assert float(page.off_edge(cube, page.theory(cube))) == pytest.approx(abs(4 / edge - 1))


def test_the_eigenvalue_is_known_well_enough(smoke_cube):
    cube = smoke_cube(NAME)
    known = (cube["residual"] / cube["sharpness"]).where(cube["status"] == 0)
    assert float(known.quantile(0.9)) < 0.02
    assert float(cube["covariance"].min()) > -1e-6
