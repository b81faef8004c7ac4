import numpy as np
import pytest
import torch
import xarray as xr
from threadpoolctl import threadpool_limits

from dlatlas.judging.verdict import judge_claim, judge_study
from dlatlas.measures.conv import circular_singular_values
from dltheory.representation import conv_layer_singular_values_fft as page

STUDY = page.STUDY
CLAIMS = {claim.name: claim for claim in STUDY.claims}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As in a job of the workflow; on a busy machine threads that spin make small matrices a hundred times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    """Enough to tell supported from refuted; the smallest p-value is 1/60."""
    monkeypatch.setattr("dlatlas.judging.verdict.DRAWS", 99)
    monkeypatch.setattr("dlatlas.judging.verdict.SHUFFLES", 59)


@pytest.fixture
def cube(smoke_cube):
    return smoke_cube("conv_layer_singular_values_fft")


def verdict_of(name, cube):
    return judge_claim(CLAIMS[name], cube, STUDY.theory(cube))["verdict"]


def test_the_blocks_written_out_as_the_papers_sum_have_the_layers_singular_values():
    n, m, k = 4, 2, 5
    kernel = np.random.default_rng(0).standard_normal((m, m, k, k))
    taps = np.arange(k)
    found = []
    for u in range(n):
        for v in range(n):
            waves = np.exp(2j * np.pi * (u * taps[:, None] + v * taps) / n)
            found.append(np.linalg.svd((kernel * waves).sum((2, 3)), compute_uv=False))
    spectrum = circular_singular_values(torch.from_numpy(kernel)[None], n)[0].numpy()
    assert np.allclose(np.sort(np.concatenate(found))[::-1], spectrum, rtol=1e-12)


def test_the_second_difference_has_a_gap_that_is_known_in_closed_form():
    """Eigenvalues 4 sin^2: the circular norm is 4 for even n, the zero-padded one 2 + 2 cos(pi / (n + 1))."""
    from dlatlas.measures.zero_padding import zero_padded_spectral_norm

    kernel = torch.zeros(1, 1, 1, 3, 3)
    kernel[..., 1, :] = torch.tensor([-1.0, 2.0, -1.0])
    gaps = []
    for n in (16, 32, 64):
        norm, _ = zero_padded_spectral_norm(kernel, n, keys=["a"], steps=80)
        assert norm.item() == pytest.approx(2 + 2 * np.cos(np.pi / (n + 1)), rel=1e-7)
        gaps.append(1 - norm.item() / 4)
    assert page.loglog_slope([16, 32, 64], gaps) == pytest.approx(-2, abs=0.1)


def test_the_fraction_of_border_rows_bounds_the_gap_of_the_spectrum(cube):
    """Mirsky: sum |sigma_i - sigma_i'| <= the nuclear norm of the difference <= its rank times its norm."""
    gap = cube["spectrum_gap"].sel(k=3)
    share = 1 - (1 - 2 / cube["n"]) ** 2
    assert (gap.fillna(0) <= 2 * share).all()


def test_the_kernels_of_a_run_are_the_same_for_every_image(cube):
    assert cube["reshaped"].std("n").max() < 1e-12
    assert np.ptp(cube["reshaped"].sel(k=3, m=2).isel(n=0).values) > 0.1


def test_the_smoke_sweep_supports_every_claim_but_those_it_is_too_small_for(cube):
    record = judge_study(STUDY, cube)
    outcomes = {claim["name"]: claim["verdict"] for claim in record["claims"]}
    assert outcomes["blocks give all"] == outcomes["reshaped kernel bounds"] == "supported"
    assert outcomes["reshaped kernel is far off"] == outcomes["spectrum gap as n⁻¹"] == "supported"
    assert "refuted" not in outcomes.values()
    assert all(claim["control"]["fails"] for claim in record["claims"])
    assert record["status"]["failed"] == record["status"]["missing"] == 0


def test_one_kernel_whose_spectrum_is_off_by_a_millionth_refutes_the_identity(cube):
    cube["dense"][..., -1, :] *= 1 + 1e-6
    assert verdict_of("blocks give all", cube) != "supported"
    cube["mismatch"][:] = 1e-9
    assert verdict_of("blocks give all", cube) == "refuted"


def test_norms_above_the_upper_bound_refute_the_bounds(cube):
    cube["norm"] = 1.01 * cube["k"] * cube["reshaped"] + 0 * cube["norm"]
    assert verdict_of("reshaped kernel bounds", cube) == "refuted"


def test_norms_at_the_reshaped_kernels_refute_that_it_is_far_off(cube):
    cube["norm"] = 1.02 * cube["reshaped"] + 0 * cube["norm"]
    assert verdict_of("reshaped kernel is far off", cube) == "refuted"


def test_a_gap_of_the_norm_like_the_catalogues_one_over_n_is_refuted(cube):
    noise = xr.DataArray(1 + 0.01 * np.random.default_rng(0).standard_normal(cube["seed"].size), dims="seed")
    for power, expected in ((1, "refuted"), (2, "supported")):
        norm = (cube["norm"] * (1 - 0.5 * noise / cube["n"].astype(float) ** power)).transpose(*cube["norm"].dims)
        assert verdict_of("top gap as n⁻²", cube.assign(padded_norm=norm)) == expected


def test_a_spectrum_that_closes_like_one_over_n_squared_is_refuted(cube):
    cube["spectrum_gap"] = cube["spectrum_gap"] / cube["n"]
    assert verdict_of("spectrum gap as n⁻¹", cube) == "refuted"


def test_the_figure_is_drawn_from_the_cube(cube):
    theory = STUDY.theory(cube)
    assert len(STUDY.figure(cube, theory, {}).axes) == 3
