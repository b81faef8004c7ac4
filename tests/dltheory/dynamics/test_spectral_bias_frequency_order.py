import numpy as np
import pytest
import xarray as xr

from dlatlas.cubes.cube import with_fixed
from dlatlas.judging.verdict import judge_claim
from dltheory.dynamics.spectral_bias_frequency_order import FREQUENCIES, STUDY

STEPS = np.unique(np.round(np.geomspace(1, 4e6, 400)))
SQUARE = 4.0 * np.array(FREQUENCIES) ** 2
BOTH = {"network": [0, 1]}
"""Where both layers are trained; there the planted times are exactly k squared."""


def theory(cube):
    found = STUDY.theory(cube)
    found["half"][BOTH] = SQUARE
    return found


@pytest.fixture
def cube(smoke_cube):
    """Waves that decay with the kernel's rates, seed by seed; four times as slowly where the target is large."""
    small = with_fixed(smoke_cube("spectral_bias_frequency_order"))
    spread = xr.DataArray(np.exp(0.02 * np.random.default_rng(0).standard_normal(8)), {"seed": range(8)}, "seed")
    moved = xr.DataArray([1.0, 4.0, 1.0, 1.0], dims="network")
    steps = xr.DataArray(STEPS, {"step": STEPS}, "step")
    left = 0.5 ** (steps / (theory(small)["half"] * spread * moved))
    cube = xr.Dataset({"left": left.expand_dims(width=small["width"].values)}, attrs=small.attrs)
    return cube.assign(status=xr.zeros_like(cube["left"].isel(step=0, frequency=0), dtype=np.int8))


def judged(cube, monkeypatch, *names):
    monkeypatch.setattr("dlatlas.judging.verdict.DRAWS", 59)
    monkeypatch.setattr("dlatlas.judging.verdict.SHUFFLES", 39)
    claims = [claim for claim in STUDY.claims if not names or claim.name in names]
    return {claim.name: judge_claim(claim, cube, theory(cube), STUDY)["verdict"] for claim in claims}


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, monkeypatch):
    found = judged(cube, monkeypatch)
    assert len(found) == 4
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize(
    ("claim", "power"),
    [("low frequencies first", -2.5), ("square of the frequency", 1.0), ("kernel times", 0.5),
     ("output layer only", -0.7)],
)  # fmt: skip
def test_times_that_grow_by_another_power_of_the_frequency_refute_it(cube, monkeypatch, claim, power):
    slowed = cube.assign(left=cube["left"] ** (cube["frequency"].astype(float) ** -power))
    assert judged(slowed, monkeypatch, claim) == {claim: "refuted"}


def test_the_time_to_half_is_that_of_the_exponential(cube):
    found = STUDY.observables["half"](cube, theory(cube)).isel(network=0, width=0)
    np.testing.assert_allclose(found.mean("seed"), SQUARE, rtol=0.05)


def test_half_of_each_wave_is_left_in_theory_when_half_is(smoke_cube):
    cube = with_fixed(smoke_cube("spectral_bias_frequency_order"))
    half = STUDY.theory(cube)["half"]
    then = STUDY.theory(cube.isel(step=[0]).assign_coords(step=[float(half[0, 2])]))
    assert float(then["left"][0, 2, 0]) == pytest.approx(0.5)
