"""The published edge of stability of each rule on a quadratic, bracketed one per cent on either side."""

import pytest
import torch

from dlatlas.optimizers.adam import ADAM
from dlatlas.optimizers.momentum import MOMENTUM, NESTEROV
from dlatlas.optimizers.sgd import SGD
from dlatlas.optimizers.signsgd import SIGNSGD

LR, BETA = 0.1, 0.9

EDGES = {
    "gradient descent": (SGD, 2 / LR),
    "heavy ball": (MOMENTUM, (2 + 2 * BETA) / LR),
    "Nesterov": (NESTEROV, (2 + 2 * BETA) / ((1 + 2 * BETA) * LR)),
}


def run(rule, curvature, steps=3000, start=1e-3, **hyper):
    known = {"lr": LR, "momentum": BETA, "beta2": 0.999, "eps": 1e-8, **hyper}
    parameters = {"w": torch.tensor([start], dtype=torch.float64)}
    state = rule.init(parameters)
    for step in range(steps):
        gradients = {"w": curvature * parameters["w"]}
        parameters, state = rule.update(gradients, state, parameters, {**known, "step": torch.tensor(step + 1.0)})
    return abs(float(parameters["w"]))


@pytest.mark.parametrize("name", EDGES)
def test_the_edge_is_where_theory_puts_it(name):
    rule, edge = EDGES[name]
    assert run(rule, 0.99 * edge) < 1e-3
    assert not run(rule, 1.01 * edge) < 1e-3


def test_the_edges_are_the_published_numbers():
    """38/eta and 13.57/eta times 0.1 for beta = 0.9 (Cohen et al. 2021, section 2)."""
    assert EDGES["heavy ball"][1] * LR == pytest.approx(3.8)
    assert EDGES["Nesterov"][1] * LR == pytest.approx(1.357, abs=5e-4)


def test_adam_s_first_step_has_length_lr_whatever_the_gradient():
    for scale in (1e-4, 1.0, 1e4):
        moved = run(ADAM, scale, steps=1, start=1.0)
        assert moved == pytest.approx(1 - LR, rel=1e-3)


def test_adam_is_stable_up_to_38_over_eta_in_preconditioned_curvature():
    """(2 + 2 beta1) / ((1 - beta1) eta) with the second moment frozen (Cohen et al. 2022, arXiv 2207.14484)."""
    edge = (2 + 2 * BETA) / ((1 - BETA) * LR)
    frozen = {"beta2": 1.0 - 1e-12, "eps": 1.0}

    def highest(curvature):
        parameters = {"w": torch.tensor([1e-9], dtype=torch.float64)}
        state, seen = ADAM.init(parameters), 0.0
        for _ in range(400):
            gradients = {"w": curvature * parameters["w"]}
            # a late step: the bias corrections are one, and the second moment stays far below eps = 1 while w is small
            late = torch.tensor(1e15, dtype=torch.float64)
            hyper = {"lr": LR, "momentum": BETA, **frozen, "step": late}
            parameters, state = ADAM.update(gradients, state, parameters, hyper)
            seen = max(seen, abs(float(parameters["w"])))
        return seen

    assert highest(0.99 * edge) < 1e-7
    assert highest(1.01 * edge) > 1e-3


def test_signsgd_moves_every_coordinate_by_lr():
    parameters = {"w": torch.tensor([3.0, -1e-9, 0.0], dtype=torch.float64)}
    stepped, _ = SIGNSGD.update({"w": parameters["w"]}, {}, parameters, {"lr": LR})
    torch.testing.assert_close(parameters["w"] - stepped["w"], torch.tensor([LR, -LR, 0.0], dtype=torch.float64))
