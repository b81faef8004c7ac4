import math

import torch
from torch.func import functional_call, jvp

from dltheory.models.two_layer_linear import TwoLayerLinear

X = torch.tensor([[0.3, -1.2], [2.0, 0.5]], dtype=torch.float64)


def test_the_output_is_the_formula_of_the_paper():
    net = TwoLayerLinear(inputs=2, width=5, seed=1)
    u, v = net.u.detach(), net.v.detach()
    by_hand = torch.stack([sum(v[i] * (u[i] @ x) for i in range(5)) / math.sqrt(5) for x in X])
    torch.testing.assert_close(net(X)[:, 0], by_hand)


def test_a_network_and_its_linearisation_start_from_the_same_weights_and_outputs():
    net, linear = (TwoLayerLinear(inputs=2, width=7, linearised=flag, seed=3) for flag in (False, True))
    assert torch.equal(net.u, linear.u)
    assert torch.equal(net.v, linear.v)
    torch.testing.assert_close(net(X), linear(X))
    assert not torch.equal(net.u, TwoLayerLinear(inputs=2, width=7, seed=4).u)


def test_the_linearisation_is_the_first_order_taylor_expansion():
    net, linear = (TwoLayerLinear(inputs=2, width=6, linearised=flag, seed=0) for flag in (False, True))
    start = {name: value.detach() for name, value in net.named_parameters()}
    step = {name: torch.randn(value.shape, dtype=torch.float64) for name, value in start.items()}
    value, slope = jvp(lambda p: functional_call(net, p, (X,)), (start,), (step,))
    moved = {name: start[name] + step[name] for name in start}
    torch.testing.assert_close(functional_call(linear, moved, (X,)), value + slope)
