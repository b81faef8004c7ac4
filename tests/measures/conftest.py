"""Small stacks to measure: three networks of one shape, with different weights."""

import pytest
import torch
from torch import nn
from torch.func import stack_module_state

from dlatlas.losses.cross_entropy import cross_entropy
from dlatlas.measures.trained import Trained


def networks(make, runs, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return [make() for _ in range(runs)]


def relu_net(bias=True):
    return nn.Sequential(nn.Linear(5, 7, bias=bias), nn.ReLU(), nn.Linear(7, 6, bias=bias), nn.ReLU(),
                         nn.Linear(6, 3, bias=bias))  # fmt: skip


@pytest.fixture
def stack():
    def build(make, runs=3, seed=0):
        parameters, buffers = stack_module_state(networks(make, runs, seed))
        return {k: v.detach() for k, v in parameters.items()}, buffers

    return build


@pytest.fixture
def trained(stack):
    def build(make=relu_net, runs=3, n=20, shared=True, **changes):
        g = torch.Generator().manual_seed(1)
        lead = (n,) if shared else (runs, n)
        parameters, buffers = stack(make, runs, seed=0)
        initial, _ = stack(make, runs, seed=1)
        fields = {
            "model": networks(make, 1)[0].to("meta"),
            "parameters": parameters,
            "initial": initial,
            "buffers": buffers,
            "x": torch.randn(*lead, 5, generator=g),
            "y": torch.randint(3, lead, generator=g),
            "x_test": torch.randn(*lead, 5, generator=g),
            "y_test": torch.randint(3, lead, generator=g),
            "loss": cross_entropy,
            "hyper": {},
            "keys": [f"run {i}" for i in range(runs)],
            "shared_data": shared,
        }
        return Trained(**(fields | changes))

    return build
