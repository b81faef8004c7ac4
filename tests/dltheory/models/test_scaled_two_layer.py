import torch

from dltheory.models.scaled_two_layer import ScaledTwoLayer

X = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def moved(net: ScaledTwoLayer) -> ScaledTwoLayer:
    with torch.no_grad():
        net.w += 0.1
        net.a += 0.2
    return net


def test_the_output_is_zero_at_initialisation_at_every_scale():
    for p in (0.0, 0.5, 1.0):
        assert torch.equal(ScaledTwoLayer(inputs=3, width=8, scale_exponent=p)(X), torch.zeros(4, 1).double())


def test_the_output_is_the_scaled_difference_to_the_initial_sum():
    net = moved(ScaledTwoLayer(inputs=3, width=8, scale_exponent=0.5))
    by_hand = [
        sum(net.a[i] * torch.tanh(net.w[i] @ x) - net.a0[i] * torch.tanh(net.w0[i] @ x) for i in range(8)) / 8**0.5
        for x in X
    ]
    torch.testing.assert_close(net(X)[:, 0], torch.stack(by_hand))


def test_networks_that_differ_in_the_scale_alone_start_from_the_same_weights():
    one, two = (ScaledTwoLayer(inputs=3, width=8, scale_exponent=p, seed=5) for p in (0.0, 1.0))
    assert torch.equal(one.w, two.w)
    torch.testing.assert_close(moved(two)(X), 8 * moved(one)(X))


def test_paired_units_cancel_without_any_centring():
    net = ScaledTwoLayer(inputs=3, width=8, symmetric=True)
    torch.testing.assert_close(torch.tanh(X @ net.w.T) @ net.a, torch.zeros(4).double(), atol=1e-15, rtol=0)


def test_random_features_are_linear_in_the_parameters():
    net = ScaledTwoLayer(inputs=3, width=8, features_only=True)
    output = moved(net)(X)
    torch.testing.assert_close(output, net.scale * (torch.tanh(X @ net.w0.T) @ (net.a - net.a0)).unsqueeze(-1))
    gradient = torch.autograd.grad(net(X).sum(), net.w)[0]
    assert torch.equal(gradient, torch.zeros_like(gradient))
