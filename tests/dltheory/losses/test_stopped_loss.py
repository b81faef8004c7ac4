"""The cross-entropy at which training rests."""

import torch
from torch.func import grad, vmap

from dlatlas.losses.cross_entropy import cross_entropy
from dltheory.losses.stopped_loss import STOP, cross_entropy_stopped


def test_above_the_stop_it_is_the_cross_entropy_with_its_gradient():
    torch.manual_seed(0)
    f, y = torch.randn(6, 4), torch.randint(4, (6,))
    assert torch.equal(cross_entropy_stopped(f, y), cross_entropy(f, y))
    assert torch.equal(grad(cross_entropy_stopped)(f, y), grad(cross_entropy)(f, y))


def test_below_the_stop_nothing_moves_and_a_neighbour_in_the_stack_does():
    y = torch.arange(4)
    f = torch.stack([20 * torch.eye(4), torch.eye(4)])
    slopes = vmap(grad(cross_entropy_stopped), in_dims=(0, None))(f, y)
    assert torch.all(slopes[0] == 0)
    assert torch.all(slopes[1] != 0)
    assert cross_entropy_stopped(f[0], y) == STOP
