"""The theory's own witnesses are in tests/theory/test_lazy.py."""

import numpy as np
import pytest
import xarray as xr

from dlatlas.judging.verdict import judge_claim
from dltheory.kernel.lazy_vs_mean_field_scaling import STUDY, theory

CLAIMS = {claim.name: claim for claim in STUDY.claims}
DIMS = ("width", "seed", "setting")
SETTINGS = {
    "scale_exponent": [0.0, 0.25, 0.5, 0.75, 1.0, 0.5, 0.75, 1.0, 0.0, 0.5],
    "symmetric": [False] * 5 + [True] * 3 + [False] * 2,
    "features_only": [False] * 8 + [True] * 2,
}


@pytest.fixture
def fewer_draws(monkeypatch):
    """A fifth of the bootstrap draws and permutations: these effects are large."""
    monkeypatch.setattr("dlatlas.judging.verdict.DRAWS", 99)
    monkeypatch.setattr("dlatlas.judging.verdict.SHUFFLES", 39)


@pytest.fixture(scope="module")
def ideal() -> xr.Dataset:
    """A cube in which every law holds, with a few per cent of noise."""
    rng = np.random.default_rng(0)
    coords = {name: ("setting", np.array(values)) for name, values in SETTINGS.items()}
    cube = xr.Dataset(coords={**coords, "width": 2 ** np.arange(6, 12), "seed": np.arange(6), "step": [0, 100]})
    n, p = cube["width"].astype(float), cube["scale_exponent"]
    noise = xr.DataArray(np.exp(0.03 * rng.standard_normal((6, 6, 10))), dims=DIMS)
    alpha = n**p
    gap = (0.5 / alpha**2).where((p <= 0.5) | cube["symmetric"], 0.5 / (alpha * n**0.5))
    still = xr.where(cube["features_only"], 0.0, 1.0)
    for name, value in (("unit_change", 2 / alpha * still), ("ntk_change", gap * still), ("linear_gap", gap)):
        cube[name] = (value * noise).expand_dims(step=cube["step"]).transpose(*DIMS, "step")
    kernel = 0.18 * noise
    better = xr.where(cube["features_only"], 1.0, 0.4 + 0.6 * xr.where(p > 0, 1 - 1 / alpha, 0.0))
    cube["kernel_test_loss"] = kernel.expand_dims(step=cube["step"]).transpose(*DIMS, "step")
    cube["test_loss"] = (kernel * better).expand_dims(step=cube["step"]).transpose(*DIMS, "step")
    decay = xr.DataArray(np.exp(-0.2 * np.arange(40)), coords={"trace_step": range(40)}, dims="trace_step")
    cube["loss_trace"] = (0.5 * noise * decay).transpose(*DIMS, "trace_step")
    cube["lr"] = (0.5 * n ** (1 - 2 * p) * xr.ones_like(noise)).transpose(*DIMS)
    cube["status"] = xr.zeros_like(noise).astype(np.int8)
    return cube.assign_attrs(study="lazy_vs_mean_field_scaling")


def verdict(name: str, cube: xr.Dataset) -> str:
    return judge_claim(CLAIMS[name], cube, theory(cube), STUDY)["verdict"]


@pytest.mark.usefixtures("fewer_draws")
@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_holds_on_a_cube_made_to_its_laws(name, ideal):
    assert verdict(name, ideal) == "supported"


def _tilted(variable, power):
    def plant(cube):
        cube[variable] = cube[variable] * (cube["width"].astype(float) / 64) ** power

    return plant


def _steeper(cube):
    alpha = cube["width"].astype(float) ** cube["scale_exponent"]
    cube["linear_gap"] = cube["linear_gap"] / alpha


def _slow(cube):
    p = cube["scale_exponent"].values
    steps = np.arange(40) * np.exp(-1.5 * p)[:, None]  # the larger alpha, the slower on the clock of the loss / alpha^2
    cube["loss_trace"] = cube["loss_trace"] * 0 + xr.DataArray(
        0.5 * np.exp(-0.2 * steps), dims=("setting", "trace_step")
    )


def _no_better(cube):
    cube["test_loss"] = cube["kernel_test_loss"] * 0.98


@pytest.mark.usefixtures("fewer_draws")
@pytest.mark.parametrize(
    ("name", "plant"),
    [
        ("units, tangent kernel", _tilted("unit_change", 0.5)),
        ("units, mean field", _tilted("unit_change", -0.5)),
        ("kernel, tangent kernel", _tilted("ntk_change", 0.5)),
        ("kernel, mean field", _tilted("ntk_change", -0.5)),
        ("linear, tangent kernel", _tilted("linear_gap", 0.5)),
        ("not linear, mean field", _tilted("linear_gap", -0.5)),
        ("distance 1/α at fixed N", _steeper),
        ("time 1/α² on the plain loss", _slow),
        ("mean field beats the kernel", _no_better),
    ],
)
def test_the_opposite_planted_in_the_cube_is_refuted(name, plant, ideal):
    cube = ideal.copy(deep=True)
    plant(cube)
    assert verdict(name, cube) == "refuted"


def test_random_features_are_their_own_linearisation_and_do_not_depend_on_the_scale(smoke_cube):
    """The closed-form twin against networks trained by the engine."""
    cube = smoke_cube("lazy_vs_mean_field_scaling")
    features = cube.isel(setting=np.flatnonzero(cube["features_only"].values), step=-1)
    assert float(features["linear_gap"].max()) < 1e-10
    assert float(features["unit_change"].max()) == 0
    one, two = (features["test_loss"].isel(setting=i).values for i in (0, 1))
    np.testing.assert_allclose(one, two, rtol=1e-10)
