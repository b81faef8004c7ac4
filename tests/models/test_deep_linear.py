from itertools import pairwise

import pytest
import torch
from torch.func import functional_call, grad

from dlatlas.models.deep_linear import DeepLinear


@pytest.mark.parametrize("factors", [1, 2, 4])
@pytest.mark.parametrize("start", ["balanced", "identical"])
def test_the_start_is_balanced_and_of_that_scale(factors, start):
    torch.manual_seed(0)
    model = DeepLinear(6, factors, 1e-2, start)
    weights = [factor.detach() for factor in model.factors]
    for one, other in pairwise(weights):
        torch.testing.assert_close(other.T @ other, one @ one.T, atol=1e-15, rtol=0)
    product = torch.linalg.multi_dot(weights[::-1]) if factors > 1 else weights[0]
    torch.testing.assert_close(torch.linalg.svdvals(product), torch.full((6,), 1e-2, dtype=torch.float64))


def test_the_output_is_the_product_where_the_mask_is_one():
    torch.manual_seed(0)
    model = DeepLinear(4, 3, 0.5).double()
    a, b, c = (factor.detach() for factor in model.factors)
    mask = (torch.rand(2, 4, 4) < 0.5).double()
    torch.testing.assert_close(model(mask).detach(), (mask * (c @ b @ a)).flatten(1))


def test_every_factor_has_a_gradient_also_under_functional_call():
    """A slice of a ParameterList would wrap what it is given in new parameters."""
    torch.manual_seed(0)
    model = DeepLinear(4, 3, 0.5).double()
    p = {name: value.detach().clone() for name, value in model.named_parameters()}
    slopes = grad(lambda q: functional_call(model, q, (torch.ones(1, 4, 4, dtype=torch.float64),)).sum())(p)
    assert all(slope.abs().max() > 0 for slope in slopes.values())
