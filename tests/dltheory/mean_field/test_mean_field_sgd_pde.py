import numpy as np
import pytest
import xarray as xr

from dlatlas.cubes.cube import with_fixed
from dltheory.mean_field import mean_field_sgd_pde as page

NAME = "mean_field_sgd_pde"


@pytest.fixture
def cube(smoke_cube):
    """Risks and outputs around the flow's with the bias 1/N and the spread sqrt(1/N + s) that the theory has."""
    small = with_fixed(smoke_cube(NAME))
    theory, rng = page.theory(small), np.random.default_rng(0)
    z = rng.standard_normal(200)
    z = xr.DataArray((z - z.mean()) / z.std(), {"seed": range(200)}, "seed")
    n, s = small["units"].astype(float), small["s"]
    field = small["scaling"] == "mean_field"
    sd = xr.where(field, 0.02 * np.sqrt(1 / n + s), 0.02)
    late = (small["time"] > 0).astype(float)
    risk = theory["flow"] + late * (xr.where(field, 0.2 / n, 0.2) + sd * z)
    output = late * sd * z * xr.ones_like(small["probe"])
    cube = xr.Dataset({"risk": risk, "output": output}, attrs=small.attrs)
    return cube.assign(status=xr.zeros_like(cube["risk"].isel(time=0), dtype=np.int8))


def spread(cube, name, power, along, least=0.0):
    """Deviations from the mean over seeds times a power of a coordinate, at steps of at least this."""
    middle, factor = cube[name].mean("seed"), cube[along].astype(float) ** power
    changed = xr.where(cube["s"] >= least, middle + (cube[name] - middle) * factor, cube[name])
    return {name: changed.transpose(*cube[name].dims)}


PLANTED = {
    "one curve": lambda cube: {"risk": cube["risk"] + 0.1},
    "spread in N": lambda cube: spread(cube, "risk", 0.3, "units"),
    "spread of the output": lambda cube: spread(cube, "output", 0.3, "units"),
    "bias in N": lambda cube: {"risk": cube["risk"] + 0.02 * (cube["time"] > 0)},
    "spread in the step": lambda cube: spread(cube, "risk", -0.3, "s"),
    "floor of the step": lambda cube: spread(cube, "risk", -0.4, "units", 0.1),
}


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, outcomes):
    found = outcomes(NAME, cube)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(cube, outcomes, claim):
    planted = cube.assign(PLANTED[claim](cube))
    assert outcomes(NAME, planted, claim) == {claim: "refuted"}


def test_a_run_is_the_plain_loop_over_examples(smoke_cube):
    from scipy.special import erf

    from dlatlas.training.stack import Stack
    from dltheory.theory.mean_field import excess_risk

    for scaling, scale, factor in (("mean_field", 1 / 8, 2.0), ("tangent", 8**-0.5, 2.0 * 8**-0.5)):
        run = {"scaling": scaling, "units": 8, "inputs": 5, "s": 0.1, "sd": 0.5, "teacher": 2.0, "height": 0.8}
        run |= {"noise": 0.3, "seed": 3}
        stack = Stack([run, {**run, "seed": 4}], {"units": 8, "inputs": 5, "s": 0.1}, folder=None)
        found = page.solve(stack)
        g = stack.generator(0)
        w, x, noise = 0.5 * g.standard_normal((8, 5)), g.standard_normal((20, 5)), g.standard_normal(20)
        for i in range(20):
            z = w @ x[i]
            off = 0.8 * erf(2 * x[i, 0] / np.sqrt(2)) + 0.3 * noise[i] - scale * erf(z / np.sqrt(2)).sum()
            w += factor * 0.1 * off * np.sqrt(2 / np.pi) * np.exp(-z * z / 2)[:, None] * x[i]
        assert found["risk"][0, -1] == pytest.approx(excess_risk(w[None], 2.0, 0.8, scale)[0])
        probe = np.array([1.0, 1.0, 0, 0, 0])
        assert found["output"][0, -1, 1] == pytest.approx(scale * erf(w @ probe / np.sqrt(2)).sum())
