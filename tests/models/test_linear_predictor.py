"""The linear predictor starts where it is told."""

import pytest
import torch

from dlatlas.models.linear_predictor import LinearPredictor


def test_it_is_linear_and_starts_at_the_given_distance_in_the_given_dimensions():
    torch.manual_seed(0)
    model = LinearPredictor(inputs=6, dimension=2, start=3.0).double()
    weight = model.weight.detach()
    assert float(weight.norm()) == pytest.approx(3.0)
    assert torch.all(weight[0, 2:] == 0)
    x = torch.randn(4, 6, dtype=torch.float64)
    assert torch.allclose(model(x), x @ weight.T)


def test_the_clock_has_no_part_in_the_output():
    model = LinearPredictor(inputs=3, dimension=3, start=1.0).double()
    model(torch.ones(2, 3, dtype=torch.float64)).sum().backward()
    assert model.clock.grad is None


def test_start_zero_is_the_origin():
    assert torch.all(LinearPredictor(inputs=3, dimension=2, start=0.0).weight == 0)
