import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlatlas.errors import InputError
from dlatlas.measures import margins

OUTPUTS = torch.tensor([[[3.0, 1.0, 0.0], [1.0, 4.0, 2.0], [0.0, 0.0, 5.0]]])


def test_margins_by_hand_and_a_wrong_example_keeps_its_sign():
    assert margins.margins(OUTPUTS, torch.tensor([0, 1, 0])).tolist() == [[2.0, 2.0, -5.0]]
    assert margins.margins(OUTPUTS, torch.eye(3)[[0, 1, 0]]).tolist() == [[2.0, 2.0, -5.0]]


def test_margins_equal_a_loop_over_runs_examples_and_classes():
    outputs = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(0))
    y = torch.randint(5, (4, 6), generator=torch.Generator().manual_seed(1))
    found = margins.margins(outputs, y)
    for r in range(4):
        for n in range(6):
            others = [float(outputs[r, n, j]) for j in range(5) if j != y[r, n]]
            assert float(found[r, n]) == pytest.approx(float(outputs[r, n, y[r, n]]) - max(others), rel=1e-6)


def test_binary_margins_are_y_f_whatever_the_shape():
    f, y = torch.tensor([[2.0, -3.0], [0.5, 1.0]]), torch.tensor([1, -1])
    expected = [[2.0, 3.0], [0.5, -1.0]]
    assert margins.margins(f, y).tolist() == expected
    assert margins.margins(f[..., None], y[:, None].float()).tolist() == expected
    assert margins.binary_margins(f, y.expand(2, 2)).tolist() == expected


def test_labels_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="-1 and 1"):
        margins.margins(torch.zeros(1, 2), torch.tensor([0, 1]))
    with pytest.raises(InputError, match="0 to 2"):
        margins.margins(OUTPUTS, torch.tensor([0, 1, 3]))


def test_quantiles_of_eleven_equally_spaced_margins():
    margin = torch.stack([torch.arange(11.0), -torch.arange(11.0)])[:, torch.randperm(11)]
    found = margins.margin_quantiles(margin, (0.0, 0.1, 0.25, 0.5, 1.0))
    assert found.tolist() == [[0, 1, 2.5, 5, 10], [-10, -9, -7.5, -5, 0]]


def test_the_margin_of_a_line_is_its_distance_to_the_nearest_point():
    x = torch.tensor([[3.0, 4.0], [-6.0, -8.0]])
    w = torch.tensor([[3.0, 4.0], [30.0, 40.0], [-3.0, -4.0]])
    assert margins.linear_margin(w, x, torch.tensor([1, -1])).tolist() == [5.0, 5.0, -10.0]


@given(st.floats(0.01, 100), st.integers(0, 1000))
def test_scaling_the_network_scales_its_margins(scale, seed):
    outputs = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    y = torch.tensor([0, 1, 2, 1, 0])
    found = margins.margins(scale * outputs, y)
    assert torch.allclose(found, scale * margins.margins(outputs, y), rtol=1e-12)


@given(st.permutations(range(3)), st.integers(0, 1000))
def test_relabelling_the_classes_changes_no_margin(order, seed):
    outputs = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(seed))
    y = torch.tensor([0, 1, 2, 1, 0])
    inverse = torch.argsort(torch.tensor(order))
    assert torch.equal(margins.margins(outputs[..., order], inverse[y]), margins.margins(outputs, y))


def test_normalised_margins_are_margins_over_complexity_and_mean_size_by_hand():
    found = margins.normalised_margins(
        torch.tensor([[2.0, -1.0], [2.0, 1.0]]), torch.tensor([2.0, 1.0]), torch.tensor(4.0)
    )
    assert found.tolist() == [[0.5, -0.25], [1.0, 0.5]]
