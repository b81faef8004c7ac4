import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import nn
from torch.func import functional_call

from dlatlas.errors import InputError
from dlatlas.measures import jiang
from dlatlas.measures.conv import circular_matrix
from dlatlas.measures.measure import evaluate, measures_named
from dlatlas.models.conv_net import ConvNet

N = 20


def outputs_alone(t, run):
    own = {name: value[run] for name, value in {**t.parameters, **t.buffers}.items()}
    own = {name: value.double() if value.is_floating_point() else value for name, value in own.items()}
    return functional_call(t.model.to_empty(device="cpu"), own, (t.x.double(),)).detach().numpy()


@pytest.fixture
def right(trained):
    """Networks that are right on all examples but one, so that the tenth percentile of the margins is positive."""

    def build(make=None, x=None):
        t = trained(*([make] if make else []), n=N, **({} if x is None else {"x": x}))
        y = torch.stack([torch.from_numpy(outputs_alone(t, run).argmax(1)) for run in range(3)])
        y[:, 3] = (y[:, 3] + 1) % 3
        x = t.x.expand(3, *t.x.shape)
        return t, replace(t, x=x, y=y, shared_data=False)

    return build


def by_hand(t, alone, run, spectral_norms):
    """Every equation of one network from NumPy's norms, as printed."""
    W = [value[run].double().numpy() for value in t.parameters.values() if value.ndim >= 3]
    W0 = [value[run].double().numpy() for value in t.initial.values() if value.ndim >= 3]
    w, w0 = (np.concatenate([v[run].double().numpy().ravel() for v in p.values()]) for p in (t.parameters, t.initial))
    s, s_moved = spectral_norms(W), spectral_norms([a - b for a, b in zip(W, W0)])
    f, moved = [np.linalg.norm(a) for a in W], [np.linalg.norm(a - b) for a, b in zip(W, W0)]
    f_x, y = outputs_alone(alone, run), t.y[run].numpy()
    margins = sorted(row[c] - max(v for j, v in enumerate(row) if j != c) for row, c in zip(f_x, y))
    g, d, m = margins[N // 10 - 1], len(W), N
    squared = {name: value[run].double() ** 2 for name, value in t.parameters.items()}
    path = float(functional_call(t.model, squared, (torch.ones_like(t.x[run, :1]).double(),)).sum())
    S, F = np.prod(s) ** 2, np.prod(f) ** 2
    ratio, ratio_moved = (sum((a / b) ** 2 for a, b in zip(top, s)) for top in (f, moved))
    plain = {
        20: len(w), 22: 1 / g**2, 33: ratio, 40: np.square(moved).sum(), 41: np.square(s_moved).sum(),
        42: np.square(f).sum(), 43: path / g**2, 44: path, 100: w @ w, 101: (w - w0) @ (w - w0),
    }  # fmt: skip
    logged = {
        29: S * ratio_moved / g**2, 30: S * ratio / g**2, 31: S / g**2, 32: S, 34: d * (S / g**2) ** (1 / d),
        35: d * S ** (1 / d), 36: F / g**2, 37: F, 38: d * (F / g**2) ** (1 / d), 39: d * F ** (1 / d),
    }  # fmt: skip
    return {number: math.sqrt(v / m) for number, v in plain.items()} | {
        number: math.log(math.sqrt(v / m)) for number, v in logged.items()
    }


def test_every_equation_of_norms_and_margins_as_printed(right):
    alone, t = right()
    found = evaluate(measures_named([f"jiang_{number}" for number in jiang.NORMS]), t)
    for run in range(3):
        expected = by_hand(t, alone, run, lambda W: [np.linalg.norm(a, 2) for a in W])
        assert {f"jiang_{number}" for number in expected} == set(found)
        for number, value in expected.items():
            assert float(found[f"jiang_{number}"][run]) == pytest.approx(value, rel=1e-9), number


def conv_net():
    return ConvNet(inputs=25, width=3, depth=2, outputs=3)


def test_equations_from_129_on_take_the_norm_of_the_convolution_as_a_matrix_on_its_image(right):
    alone, t = right(conv_net, torch.randn(N, 25, generator=torch.Generator().manual_seed(2)))
    found = evaluate(measures_named([f"jiang_{number}" for number in (*jiang.NORMS, *jiang.OPERATORS)]), t)

    def operators(W):
        matrices = [circular_matrix(torch.from_numpy(a)[None], 5)[0].numpy() if a.ndim == 4 else a for a in W]
        return [np.linalg.norm(a, 2) for a in matrices]

    for run in range(3):
        expected = by_hand(t, alone, run, operators)
        for number in jiang.OPERATORS:
            assert float(found[f"jiang_{number}"][run]) == pytest.approx(expected[number - 100], rel=1e-9), number
        as_matrices = by_hand(t, alone, run, lambda W: [np.linalg.norm(a.reshape(len(a), -1), 2) for a in W])
        for number, value in as_matrices.items():
            assert float(found[f"jiang_{number}"][run]) == pytest.approx(value, rel=1e-9), number


def test_moving_scale_between_layers_of_a_relu_net_leaves_products_margins_and_paths(right):
    _, t = right(lambda: nn.Sequential(nn.Linear(5, 7, bias=False), nn.ReLU(), nn.Linear(7, 3, bias=False)))
    first, last = t.parameters
    moved = replace(t, parameters={first: t.parameters[first] * 4, last: t.parameters[last] / 4})
    names = [f"jiang_{number}" for number in (22, *range(30, 40), 43, 44)]
    before, after = (evaluate(measures_named(names), each) for each in (t, moved))
    for name in names:
        assert torch.allclose(before[name], after[name], rtol=1e-9), name
    others = [f"jiang_{number}" for number in (29, 40, 42, 100, 101)]
    before, after = (evaluate(measures_named(others), each) for each in (t, moved))
    for name in others:
        assert not torch.isclose(before[name], after[name], rtol=1e-3).any(), name


def test_a_network_that_is_wrong_on_a_tenth_has_no_measure_that_divides_by_the_margin(trained):
    t = trained()
    found = evaluate(measures_named([f"jiang_{number}" for number in jiang.NORMS]), t)
    for number, each in jiang.NORMS.items():
        assert found[f"jiang_{number}"].isnan().all() == each.margin, number
        assert bool(getattr(jiang, f"jiang_{number}").undefined) == each.margin


@pytest.fixture
def sign(trained):
    """f = w x at x = 1 with w = 1 and label 1: noise s makes it wrong with probability Phi(-1/s)."""
    one = {"weight": torch.full((4, 1, 1), 1.0)}
    return trained(
        lambda: nn.Linear(1, 1, bias=False), runs=4, x=torch.ones(5, 1), y=torch.ones(5, 1), parameters=one,
        initial={"weight": torch.zeros(4, 1, 1)},
    )  # fmt: skip


@pytest.mark.parametrize("magnitude", [False, True])
def test_the_noise_a_sign_bears_is_that_of_its_tail(sign, magnitude):
    draws = 400
    sigma = jiang.bearable_noise(sign, magnitude=magnitude, draws=draws, halvings=9)
    wrong = norm.cdf(-1 / sigma.numpy())
    assert abs(wrong.mean() - jiang.DROP) < 4 * math.sqrt(0.1 * 0.9 / (4 * draws))
    assert len(set(sigma.tolist())) == 4  # each run has its own noise


def test_noise_in_proportion_to_weights_does_not_mind_their_scale(sign):
    scaled = replace(sign, parameters={"weight": 50 * sign.parameters["weight"]})
    a, b = (jiang.bearable_noise(t, magnitude=True, draws=40) for t in (sign, scaled))
    assert torch.allclose(a, b, atol=1e-4)
    assert torch.equal(jiang.bearable_noise(scaled, draws=40), torch.full((4,), 2.0).double() - 2**-15)


def test_pac_bayes_measures_by_hand(right, monkeypatch):
    _, t = right()
    sigma = torch.tensor([0.1, 0.3, 0.7], dtype=torch.float64)
    monkeypatch.setattr(jiang, "bearable_noise", lambda trained, magnitude=False: sigma)
    found = {**jiang.of_flatness(t), **jiang.of_magnitude(t)}
    for run, s in enumerate(sigma.tolist()):
        w, w0 = (
            np.concatenate([v[run].double().numpy().ravel() for v in p.values()]) for p in (t.parameters, t.initial)
        )
        for plain, by_size, reference in ((48, 56, w - w0), (49, 57, w)):
            bound = reference @ reference / (4 * s**2) + math.log(N / s) + 10
            assert float(found[f"jiang_{plain}"][run]) == pytest.approx(math.sqrt(bound / N))
            top = 1e-6 + (s**2 + 1) * (reference @ reference) / len(w)
            bound = sum(math.log(top / (1e-6 + s**2 * c**2)) for c in w - w0) / 4 + math.log(N / s) + 10
            assert float(found[f"jiang_{by_size}"][run]) == pytest.approx(math.sqrt(bound / N))
        assert float(found["jiang_53"][run]) == float(found["jiang_61"][run]) == pytest.approx(1 / (s * N**0.5))


def test_a_study_without_training_data_is_told_so(trained):
    with pytest.raises(InputError, match="this study keeps no train data"):
        jiang.of_norms(trained(x=None))
