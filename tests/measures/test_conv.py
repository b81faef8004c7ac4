import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from dlatlas.errors import InputError
from dlatlas.measures import conv
from dlatlas.measures.zero_padding import zero_padded_matrix


def kernels(out=3, into=2, k=3, runs=2, seed=0):
    return torch.randn(runs, out, into, k, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("out", "into", "k", "n", "stride"),
    [(3, 2, 3, 8, 1), (2, 3, 3, 6, 1), (3, 2, 3, 6, 2), (5, 1, 3, 6, 3), (9, 2, 2, 4, 2), (2, 2, 5, 4, 1),
     (2, 2, 5, 4, 2), (1, 1, 9, 4, 1), (2, 1, 1, 3, 1), (2, 2, 4, 4, 4)],
)  # fmt: skip
def test_all_singular_values_by_fft_equal_those_of_the_dense_matrix(out, into, k, n, stride):
    K = kernels(out, into, k)
    dense = torch.linalg.svdvals(conv.circular_matrix(K, n, stride))
    found = conv.circular_singular_values(K, n, stride)
    assert found.shape == (2, (n // stride) ** 2 * min(out, into * stride**2))
    assert torch.allclose(found, dense, rtol=1e-10, atol=1e-12)
    assert torch.allclose(conv.circular_spectral_norm(K, n, stride), dense[:, 0], rtol=1e-12)


def test_the_dense_circular_matrix_is_torchs_convolution_of_the_wrapped_image():
    K, n = kernels(), 5
    x = torch.randn(2, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for stride in (1, 5):
        wrapped = torch.cat([torch.cat([x, x], 1)[:, : n + 2], torch.cat([x, x], 1)[:, : n + 2]], 2)[:, :, : n + 2]
        for r in range(2):
            expected = conv2d(wrapped[None], K[r], stride=stride).flatten()
            found = conv.circular_matrix(K, n, stride)[r] @ x.flatten()
            assert torch.allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_kernel_wider_than_the_image_is_wrapped_not_cropped():
    K = kernels(2, 2, 5)
    norm = conv.circular_spectral_norm(K, 4)
    cropped = torch.linalg.svdvals(torch.fft.fft2(K, [4, 4]).permute(0, 3, 4, 1, 2)).amax((1, 2, 3))
    assert torch.allclose(norm, torch.linalg.matrix_norm(conv.circular_matrix(K, 4), 2), rtol=1e-12)
    assert not torch.isclose(norm, cropped, rtol=1e-3).any()


def test_known_norms_an_identity_a_box_and_a_second_difference():
    point, box, difference = torch.zeros(3, 1, 1, 1, 3, 3)
    point[..., 1, 1] = 1
    box[...] = 1 / 9
    difference[0, 0, 0, 1] = torch.tensor([-1.0, 2.0, -1.0])
    assert conv.circular_singular_values(point, 6)[0].tolist() == pytest.approx([1.0] * 36, rel=1e-6)
    assert conv.circular_spectral_norm(box, 6).item() == pytest.approx(1, rel=1e-6)
    assert conv.circular_spectral_norm(difference, 6).item() == pytest.approx(4)
    assert conv.reshaped_kernel_norm(box).item() == pytest.approx(1 / 3, rel=1e-6)  # k R = 1: the bound is sharp


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([(3, 6, 1), (3, 6, 2), (3, 6, 3), (2, 4, 2), (1, 4, 1), (5, 5, 1)]), st.integers(0, 1000))
def test_the_norm_lies_between_the_reshaped_kernels_and_ceil_k_over_s_times_it(size, seed):
    k, n, stride = size
    K = kernels(3, 2, k, seed=seed)
    R = conv.reshaped_kernel_norm(K)
    for norm in (
        conv.circular_spectral_norm(K, n, stride),
        torch.linalg.matrix_norm(zero_padded_matrix(K, n, stride), 2),
    ):
        assert (norm >= R * (1 - 1e-9)).all()
        assert (norm <= -(-k // stride) * R * (1 + 1e-9)).all()


def test_the_frobenius_norm_is_that_of_the_taps_at_every_place():
    K = kernels()
    expected = 8 * torch.linalg.vector_norm(K.flatten(1), dim=-1)
    assert torch.allclose(torch.linalg.vector_norm(conv.circular_singular_values(K, 8), dim=-1), expected)


def test_a_stack_equals_one_by_one_and_a_diverged_run_is_alone():
    K = kernels(runs=3)
    stacked = conv.circular_singular_values(K, 6)
    for r in range(3):
        assert torch.allclose(conv.circular_singular_values(K[r : r + 1], 6)[0], stacked[r], rtol=1e-12)
    K[1] = torch.nan
    found = conv.circular_spectral_norm(K, 6)
    assert found[1].isnan()
    assert torch.equal(found[[0, 2]], stacked[[0, 2], 0])


def test_a_stride_that_does_not_divide_the_image_is_refused():
    with pytest.raises(InputError, match="divisor"):
        conv.circular_spectral_norm(kernels(), 8, 3)
    with pytest.raises(InputError, match="expected"):
        conv.circular_spectral_norm(kernels()[0], 8)
