import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlatlas.measures.lanczos import extreme_eigenvalues, ritz_pairs, start_vectors

KEYS = ["a", "b", "c"]


def with_spectra(*spectra, seed=0):
    rng = np.random.default_rng(seed)
    matrices = []
    for spectrum in spectra:
        Q = np.linalg.qr(rng.standard_normal((len(spectrum), len(spectrum))))[0]
        matrices.append(torch.from_numpy(Q * spectrum @ Q.T))
    return torch.stack(matrices)


def product(A):
    return lambda v: (A @ v.unsqueeze(-1)).squeeze(-1)


def test_a_full_krylov_space_gives_every_eigenvalue_of_the_dense_matrix():
    A = torch.randn(3, 50, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    A = A + A.mT
    found = extreme_eigenvalues(product(A), start_vectors(KEYS, 50), steps=50, top=50)
    dense = torch.linalg.eigvalsh(A).flip(-1)
    assert torch.allclose(found.values, dense, rtol=1e-10, atol=1e-10 * float(dense.abs().max()))
    assert (found.residuals < 1e-10 * dense.abs().max()).all()


def test_the_top_is_the_largest_in_algebraic_order_not_in_magnitude():
    A = with_spectra(np.array([-100.0, *np.linspace(-1, 2, 38), 3.0]))
    found = extreme_eigenvalues(product(A), start_vectors(["a"], 40), steps=40, top=2, bottom=1)
    assert torch.allclose(found.values, torch.tensor([[3.0, 2.0, -100.0]], dtype=torch.float64), rtol=1e-10)


def test_a_residual_is_honest_before_convergence():
    A = torch.randn(3, 80, 80, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    A = A + A.mT
    dense = torch.linalg.eigvalsh(A)
    seen = []
    for steps in (2, 5, 10, 20, 40, 80):
        found = extreme_eigenvalues(product(A), start_vectors(KEYS, 80), steps=steps, top=1)
        nearest = (dense - found.values).abs().amin(-1)
        assert (nearest <= found.residuals[:, 0] * (1 + 1e-9) + 1e-12).all()
        values, vectors = ritz_pairs(product(A), start_vectors(KEYS, 80), steps)
        exact = torch.linalg.vector_norm(product(A)(vectors[:, 0]) - values[:, :1] * vectors[:, 0], dim=-1)
        assert torch.allclose(found.residuals[:, 0], exact)
        seen.append(float(found.residuals.max()))
    assert seen[0] > 1
    assert seen[-1] < 1e-10


def test_the_basis_stays_orthonormal_where_the_plain_recursion_loses_it():
    A = with_spectra(np.array([1e6, 1e5, *np.linspace(0, 1, 98)]))
    _, vectors = ritz_pairs(product(A), start_vectors(["a"], 100), 60)
    assert torch.allclose(vectors[0] @ vectors[0].T, torch.eye(60, dtype=torch.float64), atol=1e-12)


def test_an_exhausted_krylov_space_is_no_special_case():
    low = np.array([5.0, 2.0, -1.0] + [0.0] * 27)
    A = with_spectra(low, np.linspace(-4, 7, 30), np.zeros(30))
    found = extreme_eigenvalues(product(A), start_vectors(KEYS, 30), steps=30, top=2, bottom=1)
    expected = torch.tensor([[5, 2, -1], [7, 7 - 11 / 29, -4], [0, 0, 0]], dtype=torch.float64)
    assert torch.allclose(found.values, expected, atol=1e-10)
    assert found.residuals.max() < 1e-9


def test_repeated_eigenvalues_are_found_as_often_as_they_occur():
    A = with_spectra(np.array([2.0] * 3 + [1.0] * 7))
    found = extreme_eigenvalues(product(A), start_vectors(["a"], 10), steps=10, top=4)
    assert torch.allclose(found.values, torch.tensor([[2.0, 2, 2, 1]], dtype=torch.float64), rtol=1e-10)


def test_one_by_one_matrices_and_more_wanted_than_there_are():
    A = torch.tensor([[[-3.0]], [[4.0]]], dtype=torch.float64)
    found = extreme_eigenvalues(product(A), start_vectors(KEYS[:2], 1), steps=40, top=2, bottom=2)
    assert found.values.tolist() == [[-3.0], [4.0]]


def test_a_run_with_nan_gives_nan_and_leaves_its_neighbours_alone():
    A = with_spectra(np.linspace(-1, 2, 20), np.linspace(-1, 5, 20), np.linspace(-3, 1, 20))
    healthy = extreme_eigenvalues(product(A), start_vectors(KEYS, 20), steps=20)
    A[1, 3, 4] = torch.nan
    found = extreme_eigenvalues(product(A), start_vectors(KEYS, 20), steps=20)
    assert found.values[1].isnan().all()
    assert found.residuals[1].isnan().all()
    assert torch.equal(found.values[[0, 2]], healthy.values[[0, 2]])


def test_a_start_vector_is_the_runs_own_wherever_it_stands():
    assert torch.equal(start_vectors(KEYS, 7)[2], start_vectors(["c"], 7)[0])
    assert not torch.equal(start_vectors(KEYS, 7)[0], start_vectors(KEYS, 7)[1])


@settings(max_examples=20, deadline=None)
@given(st.floats(-50, 50), st.floats(0.1, 10), st.integers(0, 1000))
def test_shifting_and_scaling_a_matrix_shifts_and_scales_its_eigenvalues(shift, scale, seed):
    A = with_spectra(np.linspace(-1, 2, 12), seed=seed)
    B = scale * A + shift * torch.eye(12, dtype=torch.float64)
    found = extreme_eigenvalues(product(B), start_vectors(["a"], 12), steps=12, top=1, bottom=1).values
    assert torch.allclose(found, torch.tensor([[2.0, -1]], dtype=torch.float64) * scale + shift, atol=1e-9)
