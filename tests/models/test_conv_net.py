import math

import pytest
import torch

from dlatlas.models.conv_net import ConvNet, shifted_products


def test_it_is_shifted_with_its_image_away_from_the_border():
    torch.manual_seed(0)
    net = ConvNet(inputs=144, width=4, depth=2)
    image = torch.zeros(1, 12, 12)
    image[0, 4:7, 4:7] = torch.randn(3, 3)
    moved = image.roll((1, -1), (1, 2))
    torch.testing.assert_close(net(image.reshape(1, -1)), net(moved.reshape(1, -1)))
    assert not torch.allclose(net(image.reshape(1, -1)), net(image.roll(5, 1).reshape(1, -1)), atol=1e-4)


def test_it_is_the_sum_over_patches_that_it_says():
    torch.manual_seed(1)
    net = ConvNet(inputs=9, width=2, depth=1, outputs=3, activation="tanh").double().requires_grad_(False)
    x = torch.randn(9, dtype=torch.float64)
    conv = net.convolutions[0]
    image = {divmod(i, 3): float(x[i]) for i in range(9)}
    mean = []
    for channel in range(2):
        sums = [
            sum(
                float(conv.weight[channel, 0, 1 + a, 1 + b]) * image.get((i + a, j + b), 0.0)
                for a in (-1, 0, 1)
                for b in (-1, 0, 1)
            )
            for i, j in image
        ]
        mean.append(sum(math.tanh(value) for value in sums) / 9)
    expected = net.readout.weight @ torch.tensor(mean, dtype=torch.float64)
    torch.testing.assert_close(net(x[None])[0], expected)


def test_an_image_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match="expected the size of a square image, found 65"):
        ConvNet(inputs=65)


@pytest.mark.parametrize(("channels", "size"), [(1, 3), (2, 5)])
def test_shifted_images_make_the_convolution_and_its_gradient(channels, size):
    torch.manual_seed(2)
    layer = torch.nn.Conv2d(channels, 4, size, padding=size // 2).double()
    x = torch.randn(3, channels, 6, 7, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(shifted_products(x, layer), layer(x))
    weights = (x, layer.weight, layer.bias)
    for one, other in zip(
        torch.autograd.grad(shifted_products(x, layer).square().sum(), weights),
        torch.autograd.grad(layer(x).square().sum(), weights),
    ):
        torch.testing.assert_close(one, other)
