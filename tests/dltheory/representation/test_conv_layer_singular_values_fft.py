import numpy as np
import pytest
import torch
import xarray as xr
from threadpoolctl import threadpool_limits

from dlatlas.judging.statistics import fitted_slope
from dlatlas.measures.conv import circular_singular_values

NAME = "conv_layer_singular_values_fft"
PLANTED = {
    "blocks give all": lambda cube: {"mismatch": cube["mismatch"] + 1e-9},
    "reshaped kernel bounds": lambda cube: {"norm": 1.01 * cube["k"] * cube["reshaped"] + 0 * cube["norm"]},
    "reshaped kernel is far off": lambda cube: {"norm": 1.02 * cube["reshaped"] + 0 * cube["norm"]},
    "top gap as n⁻²": lambda cube: {"padded_norm": cube["norm"] * (1 - gap(cube, 1))},
    "spectrum gap as n⁻¹": lambda cube: {"spectrum_gap": cube["spectrum_gap"] / cube["n"]},
}


def gap(cube, power):
    """A gap of the norm that closes with that power of the image's side, noisy by 1 % a seed."""
    noise = xr.DataArray(1 + 0.01 * np.random.default_rng(0).standard_normal(cube["seed"].size), dims="seed")
    return 0.5 * noise / cube["n"].astype(float) ** power


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As in a job of the workflow; on a busy machine threads that spin make small matrices a hundred times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture
def cube(smoke_cube):
    return smoke_cube(NAME)


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
    assert fitted_slope(np.log([16, 32, 64]), np.log(gaps)) == pytest.approx(-2, abs=0.1)


def test_the_fraction_of_border_rows_bounds_the_gap_of_the_spectrum(cube):
    """Mirsky: sum |sigma_i - sigma_i'| <= the nuclear norm of the difference <= its rank times its norm."""
    gap = cube["spectrum_gap"].sel(k=3)
    share = 1 - (1 - 2 / cube["n"]) ** 2
    assert (gap.fillna(0) <= 2 * share).all()


def test_the_kernels_of_a_run_are_the_same_for_every_image(cube):
    assert cube["reshaped"].std("n").max() < 1e-12
    assert np.ptp(cube["reshaped"].sel(k=3, m=2).isel(n=0).values) > 0.1


def test_the_smoke_sweep_supports_every_claim_but_those_it_is_too_small_for(cube, outcomes):
    found = outcomes(NAME, cube)
    assert "refuted" not in found.values()
    assert found.pop("top gap as n⁻²") in ("supported", "undecided")
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(cube, outcomes, claim):
    planted = {name: values.transpose(*cube[name].dims) for name, values in PLANTED[claim](cube).items()}
    assert outcomes(NAME, cube.assign(planted), claim) == {claim: "refuted"}


def test_a_gap_of_the_norm_like_one_over_n_squared_is_supported(cube, outcomes):
    claim = "top gap as n⁻²"
    norm = (cube["norm"] * (1 - gap(cube, 2))).transpose(*cube["norm"].dims)
    assert outcomes(NAME, cube.assign(padded_norm=norm), claim) == {claim: "supported"}


def test_one_kernel_whose_spectrum_is_off_by_a_millionth_is_seen(cube, outcomes):
    claim = "blocks give all"
    cube["dense"][..., -1, :] *= 1 + 1e-6
    assert outcomes(NAME, cube, claim) != {claim: "supported"}
