import pytest
import torch
from torch.nn.functional import conv2d

from dlatlas.measures.conv import circular_spectral_norm
from dlatlas.measures.zero_padding import zero_padded_matrix, zero_padded_spectral_norm

K = torch.randn(2, 3, 2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
KEYS = ["a", "b"]


@pytest.mark.parametrize(("stride", "padding"), [(1, 1), (2, 1), (1, 0), (2, 0), (1, 2)])
def test_the_dense_matrix_is_torchs_convolution(stride, padding):
    x = torch.randn(2, 5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    M = zero_padded_matrix(K, 5, stride, padding)
    for r in range(2):
        expected = conv2d(x[None], K[r], stride=stride, padding=padding).flatten()
        assert torch.allclose(M[r] @ x.flatten(), expected, atol=1e-12)


@pytest.mark.parametrize(("n", "stride", "padding"), [(6, 1, None), (7, 2, None), (6, 1, 0), (3, 1, 1)])
def test_the_norm_without_the_matrix_equals_the_dense_one(n, stride, padding):
    norm, residual = zero_padded_spectral_norm(K, n, keys=KEYS, steps=72, stride=stride, padding=padding)
    dense = torch.linalg.matrix_norm(zero_padded_matrix(K, n, stride, padding), 2)
    assert torch.allclose(norm, dense, rtol=1e-10)
    assert residual.max() < 1e-6 * dense.max()


def test_few_steps_come_from_below_with_an_honest_residual():
    values = torch.linalg.svdvals(zero_padded_matrix(K, 8))
    for steps in (3, 6, 12):
        norm, residual = zero_padded_spectral_norm(K, 8, keys=KEYS, steps=steps)
        assert (norm <= values[:, 0] * (1 + 1e-12)).all()
        assert ((values - norm[:, None]).abs().amin(-1) <= residual).all()


def test_zeros_at_the_border_only_take_away():
    norm, _ = zero_padded_spectral_norm(K, 6, keys=KEYS)
    assert (norm <= circular_spectral_norm(K, 8) * (1 + 1e-12)).all()


def test_one_by_one_kernels_know_no_border():
    point = K[..., :1, :1]
    assert torch.allclose(
        zero_padded_spectral_norm(point, 5, keys=KEYS)[0], torch.linalg.matrix_norm(point[..., 0, 0], 2), rtol=1e-10
    )
