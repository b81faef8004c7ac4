import numpy as np
import pytest
import xarray as xr

from dltheory.dynamics import spectral_bias_frequency_order as page

NAME = "spectral_bias_frequency_order"
STEPS = np.unique(np.round(np.geomspace(1, 4e6, 400)))


@pytest.fixture
def cube(smoke_cube):
    """Waves that decay with the kernel's rates (k squared exactly where both layers are trained), seed by seed."""
    small = smoke_cube(NAME)
    rng = np.random.default_rng(0)
    spread = xr.DataArray(np.exp(0.02 * rng.standard_normal(8)), dims="seed")
    half = page.theory(small)["half"].copy()
    half[{"network": [0, 1]}] = 4.0 * np.array(page.FREQUENCIES) ** 2
    moved = xr.DataArray([1.0, 4.0, 1.0, 1.0], dims="network")  # where the target is large
    left = np.exp(-np.log(2) * xr.DataArray(STEPS, dims="step") / (half * spread * moved))
    coords = {name: small[name] for name in ("width", "harmonics", "outer_only", "scale", "frequency")}
    left = left.expand_dims(width=small["width"].values).assign_coords({**coords, "step": STEPS, "seed": range(8)})
    cube = xr.Dataset({"left": left.drop_vars("half", errors="ignore")}, attrs=small.attrs)
    return cube.assign(status=xr.zeros_like(cube["left"].isel(step=0, frequency=0), dtype=np.int8))


def judged(cube, monkeypatch, *names):
    from dlatlas.judging.verdict import judge_claim

    monkeypatch.setattr("dlatlas.judging.verdict.DRAWS", 59)
    monkeypatch.setattr("dlatlas.judging.verdict.SHUFFLES", 39)
    theory = page.theory(cube)
    theory["half"][{"network": [0, 1]}] = 4.0 * np.array(page.FREQUENCIES) ** 2
    claims = [claim for claim in page.STUDY.claims if not names or claim.name in names]
    return {claim.name: judge_claim(claim, cube, theory)["verdict"] for claim in claims}


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, monkeypatch):
    found = judged(cube, monkeypatch)
    assert set(found.values()) == {"supported"}, found


def slowed(cube, power):
    """Waves whose times are multiplied by a power of their frequency."""
    k = cube["frequency"].astype(float)
    left = cube["left"] ** (k**-power)
    return cube.assign(left=left.transpose(*cube["left"].dims))


PLANTED = {
    "low frequencies first": -2.5,
    "square of the frequency": 1.0,
    "kernel times": 0.5,
    "output layer only": -0.7,
}


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(cube, monkeypatch, claim):
    assert judged(slowed(cube, PLANTED[claim]), monkeypatch, claim) == {claim: "refuted"}


def test_the_time_to_half_is_that_of_the_exponential(cube):
    found = page.with_times(cube)["half"].isel(network=0, width=0)
    expected = 4.0 * np.array(page.FREQUENCIES) ** 2
    np.testing.assert_allclose(found.mean("seed"), expected, rtol=0.05)


def test_a_wave_that_is_never_halved_has_no_time(cube):
    still = cube.assign(left=cube["left"].where(cube["frequency"] != 16, 0.9))
    assert np.isnan(page.with_times(still)["half"].sel(frequency=16)).all()


def test_the_figure_has_two_panels(smoke_cube):
    cube = smoke_cube(NAME)
    assert len(page.figure(cube, page.theory(cube), {}).axes) == 2
