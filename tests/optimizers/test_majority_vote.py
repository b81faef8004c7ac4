"""The server's rules on hand-made gradients, and what each attack sends."""

import pytest
import torch

from dlatlas.optimizers.majority_vote import AGGREGATORS, MAJORITY_VOTE, sent


def received(g, b, attack, draws=None, scale=10.0):
    return sent(g, torch.tensor(float(b)), attack, g if draws is None else draws, scale)


def test_the_three_rules_on_five_workers():
    g = torch.tensor([[1.0, -3.0], [2.0, -1.0], [-9.0, -2.0], [0.5, 4.0], [0.1, 8.0]])
    assert AGGREGATORS["vote"](g).tolist() == [1.0, -1.0]
    assert AGGREGATORS["median"](g).tolist() == [0.5, -1.0]
    assert AGGREGATORS["mean"](g).tolist() == pytest.approx([-1.08, 1.2])


def test_only_the_first_b_workers_lie():
    g = torch.ones(5, 3)
    assert received(g, 2, "negate")[:, 0].tolist() == [-1, -1, 1, 1, 1]
    assert received(g, 1, "scale")[:, 0].tolist() == [-50, 1, 1, 1, 1]
    assert torch.equal(received(g, 0, "scale"), g)


def test_coin_tossers_keep_the_size_and_toss_each_coordinate():
    g, draws = torch.full((3, 4), 2.0), torch.tensor([[0.1, 0.9, 0.4, 0.6]] * 3)
    assert received(g, 1, "random_sign", draws)[0].tolist() == [-2, 2, -2, 2]


def test_one_scaled_gradient_turns_the_mean_of_any_number_of_workers_but_no_vote():
    for m in (5, 15, 45, 135):
        g = received(torch.ones(m, 1), 1, "scale")
        assert AGGREGATORS["mean"](g) < 0
        assert AGGREGATORS["vote"](g) == 1
        assert AGGREGATORS["median"](g) == 1


def test_a_hundredfold_gradient_of_the_right_sign_changes_no_vote():
    g = torch.randn(15, 6, generator=torch.Generator().manual_seed(0))
    boosted = g.clone()
    boosted[:4] *= 100
    assert torch.equal(AGGREGATORS["vote"](g), AGGREGATORS["vote"](boosted))


def test_the_update_steps_each_parameter_by_lr_and_gives_each_its_own_coins():
    parameters = {"a": torch.zeros(2), "b": torch.zeros(3, 1)}
    gradients = {"a": torch.ones(3, 2), "b": torch.ones(3, 3, 1)}
    words = {"aggregator": "vote", "attack": "random_sign", "workers": 3}
    draws = torch.tensor([[0.9, 0.1, 0.9, 0.1, 0.9]] * 3)
    hyper = {**words, "lr": 0.5, "adversaries": torch.tensor(3.0), "scale": 10.0, "draws": draws}
    stepped, state = MAJORITY_VOTE.update(gradients, {}, parameters, hyper)
    assert stepped["a"].tolist() == [-0.5, 0.5]
    assert stepped["b"].ravel().tolist() == [-0.5, 0.5, -0.5]
    assert state == {}
    assert MAJORITY_VOTE.draws(words, 5) == (3, 5)
    assert MAJORITY_VOTE.draws({**words, "attack": "negate"}, 5) == (3, 0)
