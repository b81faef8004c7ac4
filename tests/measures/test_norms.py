import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlatlas.errors import InputError
from dlatlas.measures import norms


def weights(seed=0, runs=3, widths=(4, 5, 3, 2)):
    g = torch.Generator().manual_seed(seed)
    pairs = itertools.pairwise(widths)
    return [torch.randn(runs, out, into, generator=g, dtype=torch.float64) for into, out in pairs]


def test_norms_of_a_diagonal_layer_by_hand():
    W = torch.diag(torch.tensor([3.0, -4.0]))[None]
    assert norms.frobenius_norms([W]).item() == pytest.approx(5)
    assert norms.spectral_norms([W]).item() == pytest.approx(4)
    assert norms.stable_ranks([W]).item() == pytest.approx(25 / 16)
    assert norms.two_one_norms([W]).item() == pytest.approx(7)
    assert norms.lipschitz_product([W, W]).item() == pytest.approx(16)


def test_norms_equal_numpys_one_by_one():
    W = weights()
    for r in range(3):
        for l, layer in enumerate(W):
            assert norms.frobenius_norms(W)[r, l] == pytest.approx(np.linalg.norm(layer[r]))
            assert norms.spectral_norms(W)[r, l] == pytest.approx(np.linalg.norm(layer[r], 2))
            two_one = np.linalg.norm(layer[r].T, axis=0).sum()  # columns of A^T
            assert norms.two_one_norms(W)[r, l] == pytest.approx(two_one)


def test_the_two_one_norm_sums_over_units_not_over_inputs():
    one_unit = torch.ones(1, 1, 9)  # a single unit with nine inputs: sqrt 9, not 9
    assert norms.two_one_norms([one_unit]).item() == pytest.approx(3)
    assert norms.two_one_norms([one_unit.mT]).item() == pytest.approx(9)


def test_spectral_complexity_is_the_papers_formula():
    W, M = weights(0), weights(1)
    for r in range(3):
        s = [np.linalg.norm(A[r], 2) for A in W]
        b = [np.linalg.norm(A[r].T - B[r].T, axis=0).sum() for A, B in zip(W, M)]
        expected = np.prod(s) * sum((b / s) ** (2 / 3) for b, s in zip(b, s)) ** 1.5
        assert norms.spectral_complexity(W, M)[r] == pytest.approx(expected)


def test_spectral_complexity_of_identities_is_d_l_to_three_halves():
    eye = torch.eye(6)[None]
    assert norms.spectral_complexity([eye] * 4).item() == pytest.approx(6 * 4**1.5)


def test_a_zero_layer_has_zero_complexity_and_no_nan():
    W = weights()
    W[1] = torch.zeros_like(W[1])
    assert norms.spectral_complexity(W).tolist() == [0, 0, 0]


def test_distance_from_initialisation():
    W, M = weights(0), weights(1)
    assert torch.equal(norms.distances(W, W), torch.zeros(3, 3))
    assert norms.distances(W, M)[1, 2] == pytest.approx(float((W[2][1] - M[2][1]).square().sum().sqrt()))


def test_the_total_norm_counts_biases_and_scalars():
    parameters = {"W": torch.full((2, 2, 2), 1.0), "b": torch.full((2, 2), 2.0), "s": torch.tensor([2.0, 0.0])}
    assert norms.total_norm(parameters).tolist() == pytest.approx([4.0, 12**0.5])


def test_the_path_norm_is_the_sum_over_every_path():
    W1, W2, W3 = W = weights()
    for r in range(3):
        paths = itertools.product(range(4), range(5), range(3), range(2))
        total = sum(float(W1[r, j, i] * W2[r, k, j] * W3[r, m, k]) ** 2 for i, j, k, m in paths)
        assert norms.squared_path_norm(W)[r] == pytest.approx(total)
        assert norms.path_norm(W)[r] == pytest.approx(total**0.5)


def test_the_path_norm_with_biases_is_the_network_of_squares_at_ones():
    W = weights()
    b = [w[:, :, 0] + 1 for w in W]
    for r in range(3):
        flow = torch.ones(4, dtype=torch.float64)
        for w, bias in zip(W, b):
            flow = torch.relu(w[r] ** 2 @ flow + bias[r] ** 2)
        assert norms.squared_path_norm(W, b)[r] == pytest.approx(float(flow.sum()))


def test_a_kernel_counts_as_its_reshaped_matrix():
    kernel = torch.randn(2, 3, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    expected = torch.linalg.matrix_norm(kernel.double().reshape(2, 3, 18), 2)
    assert torch.allclose(norms.spectral_norms({"conv": kernel})[:, 0], expected)


def test_a_diverged_run_gives_nan_and_leaves_its_neighbours_alone():
    W = weights()
    alone = norms.spectral_complexity(W)
    W[1][1] = torch.inf
    found = norms.spectral_complexity(W)
    assert found[1].isnan()
    assert torch.equal(found[[0, 2]], alone[[0, 2]])


def test_what_is_not_a_weight_is_refused():
    with pytest.raises(InputError, match=r"b: expected \(run, out, in"):
        norms.spectral_norms({"b": torch.zeros(3, 4)})
    with pytest.raises(InputError, match="found none"):
        norms.spectral_norms([])
    with pytest.raises(InputError, match="layer 1"):
        norms.path_norm(weights()[::-1])
    with pytest.raises(InputError, match="bias for each of 3"):
        norms.path_norm(weights(), [torch.zeros(3, 5)])
    with pytest.raises(InputError, match="expected shapes"):
        norms.distances(weights(), weights()[:2])


def rescaled(W, b, c):
    W, b = list(W), list(b)
    W[0], b[0], W[1] = c * W[0], c * b[0], W[1] / c
    return W, b


RESCALING_LAWS = {
    "path_norm": lambda W, b: norms.path_norm(W, b),
    "lipschitz_product": lambda W, b: norms.lipschitz_product(W),
    "product of Frobenius norms": lambda W, b: norms.frobenius_norms(W).prod(-1),
    "stable_ranks": lambda W, b: norms.stable_ranks(W),
    "spectral_complexity": lambda W, b: norms.spectral_complexity(W),
}
OTHERS = {
    "layer_norms": lambda W, b: norms.frobenius_norms(W),
    "two_one_norms": lambda W, b: norms.two_one_norms(W),
    "weight_norm": lambda W, b: norms.total_norm([*W, *b]),
}


def biases(W):
    return [w[:, :, 0] + 1 for w in W]


@pytest.mark.parametrize("name", RESCALING_LAWS)
@given(st.floats(0.05, 20), st.integers(0, 100))
def test_rescaling_two_relu_layers_against_each_other_changes_no(name, c, seed):
    W = weights(seed)
    law = RESCALING_LAWS[name]
    assert torch.allclose(law(*rescaled(W, biases(W), c)), law(W, biases(W)), rtol=1e-10)


@pytest.mark.parametrize("name", OTHERS)
def test_rescaling_does_change(name):
    W = weights()
    law = OTHERS[name]
    assert not torch.allclose(law(*rescaled(W, biases(W), 2.0)), law(W, biases(W)), rtol=0.01)


@pytest.mark.parametrize("name", [*RESCALING_LAWS, *OTHERS])
@given(st.permutations(range(5)), st.integers(0, 100))
def test_permuting_the_neurons_of_a_layer_changes_no(name, order, seed):
    law = (RESCALING_LAWS | OTHERS)[name]
    W = weights(seed)
    b = biases(W)
    permuted = [W[0][:, order], W[1][:, :, order], W[2]], [b[0][:, order], b[1], b[2]]
    assert torch.allclose(law(*permuted), law(W, b), rtol=1e-12)


@given(st.integers(0, 100))
def test_rotating_the_inputs_changes_no_norm(seed):
    W = weights(seed)
    g = torch.Generator().manual_seed(seed + 1)
    Q = torch.linalg.qr(torch.randn(4, 4, generator=g, dtype=torch.float64)).Q
    rotated = [W[0] @ Q, *W[1:]]
    for name, law in (RESCALING_LAWS | OTHERS).items():
        assert torch.allclose(law(rotated, biases(W)), law(W, biases(W)), rtol=1e-10), name
