"""Steps of one length follow the flow and keep its time."""

import math

import pytest
import torch

from dlatlas.optimizers.unit_speed_flow import UNIT_SPEED_FLOW


def test_it_follows_the_exact_flow_of_an_exponential_loss_to_late_times():
    a, lr = 2.0, 0.002  # dw/dt = a exp(-a w), so w = ln(1 + a^2 t) / a
    w = {"weight": torch.zeros(1, dtype=torch.float64), "clock": torch.zeros((), dtype=torch.float64)}
    for _ in range(10_000):
        gradients = {"weight": -a * torch.exp(-a * w["weight"]), "clock": torch.zeros(())}
        w, _ = UNIT_SPEED_FLOW.update(gradients, {}, w, {"lr": torch.tensor(lr, dtype=torch.float64)})
    assert float(w["weight"]) == pytest.approx(20.0)
    assert math.log(a * a * float(w["clock"])) == pytest.approx(40.0, abs=a * lr)


def test_every_step_has_the_same_length():
    torch.manual_seed(0)
    start = {"weight": torch.zeros(3), "clock": torch.tensor(1.0)}
    gradients = {"weight": torch.tensor([0.0, 3e-9, 4e-9]), "clock": torch.tensor(0.0)}
    moved, _ = UNIT_SPEED_FLOW.update(gradients, {}, start, {"lr": torch.tensor(0.5)})
    assert float(moved["weight"].norm()) == pytest.approx(0.5)
    assert float(moved["clock"]) == pytest.approx(1 + 0.5 / 5e-9)
