"""The vote's error by enumeration and Monte Carlo, the lattice walk by simulation, limits by their rates."""

from itertools import product

import numpy as np
import pytest
from scipy.special import ndtr

from dltheory.theory import majority_vote as vote


@pytest.mark.parametrize("attack", ["negate", "random_sign"])
@pytest.mark.parametrize("adversaries", [0, 1, 2, 3, 5])
def test_the_error_is_the_sum_over_all_outcomes_of_five_workers(adversaries, attack):
    p = ndtr(0.4)
    q = 0.5 if attack == "random_sign" else 1 - p
    right = np.array([q] * adversaries + [p] * (5 - adversaries))
    wrong = 0.0
    for outcome in product((0, 1), repeat=5):
        chance = np.where(outcome, right, 1 - right).prod()
        wrong += chance if sum(outcome) < 2.5 else 0.0
    assert vote.vote_error(5, adversaries, 0.4, attack) == pytest.approx(wrong, rel=1e-12)


def test_the_error_agrees_with_votes_held():
    rng, draws = np.random.default_rng(0), 20_000
    for m, b, snr in ((15, 4, 0.2), (45, 20, 0.5), (5, 3, 0.3)):
        signs = np.sign(snr + rng.standard_normal((draws, m)))
        signs[:, :b] *= -1
        p = vote.vote_error(m, b, snr)
        assert abs((signs.sum(1) < 0).mean() - p) < 4 * np.sqrt(p * (1 - p) / draws)


def test_the_published_gap_to_the_central_limit_at_five_workers():
    # The audit by Monte Carlo: 0.0309 against the limit with its full variance 0.0183 at M = 5, S = 1, no adversaries.
    p = ndtr(1.0)
    limit = ndtr(-np.sqrt(5) * (p - 0.5) / np.sqrt(p * (1 - p)))
    assert vote.vote_error(5, 0, 1.0) == pytest.approx(0.0309, abs=3e-4)
    assert limit == pytest.approx(0.0183, abs=5e-5)


def test_the_error_tends_to_the_gaussian_law_of_the_lead():
    gap = [abs(float(vote.vote_error(m, m // 5, 1 / np.sqrt(m)) - vote.gaussian_vote_error(vote.lead(m, m // 5),
           1 / np.sqrt(m)))) for m in (15, 55, 205, 805)]  # fmt: skip
    slope = np.polyfit(np.log([15, 55, 205, 805]), np.log(gap), 1)[0]
    assert -1.3 < slope < -0.7


def test_a_swap_of_honest_workers_and_adversaries_swaps_right_and_wrong():
    snr = np.linspace(0, 1, 5)
    assert np.allclose(vote.vote_error(15, 4, snr) + vote.vote_error(15, 11, snr), 1)


def test_all_coin_tossers_make_a_coin_of_the_vote():
    assert np.allclose(vote.vote_error(15, 15, np.linspace(0, 2, 5), "random_sign"), 0.5)


def test_the_lattice_walk_is_that_of_simulated_votes():
    rng, runs, steps, lr, noise = np.random.default_rng(1), 4000, 60, 0.1, 2.0
    w = np.full(runs, 1.0)
    for _ in range(steps):
        g = w[:, None] + noise * rng.standard_normal((runs, 5))
        g[:, :1] *= -1
        w = w - lr * np.sign(np.sign(g).sum(1))
    exact = vote.descent(5, 1, "negate", start=np.array([1.0]), steps=steps, lr=lr, noise=noise)
    sample = w**2 / 2
    assert exact[0] == pytest.approx(0.5)
    assert abs(sample.mean() - exact[-1]) < 4 * sample.std() / np.sqrt(runs)


def test_the_walk_settles_on_the_small_step_floor():
    # (lr, lead) with lead S << 1 and many steps inside the well.
    lead = float(vote.lead(45, 18))
    path = vote.descent(45, 18, "negate", start=np.array([0.3]), steps=3000, lr=0.01, noise=3.0)
    assert path[-2:].mean() == pytest.approx(float(vote.floor(lead, 0.01, 3.0)), rel=0.03)


def test_probability_is_kept_and_a_majority_of_adversaries_climbs():
    path = vote.descent(5, 3, "negate", start=np.array([0.5]), steps=400, lr=0.05, noise=1.0)
    assert np.all(np.diff(path[::40]) > 0)


def test_the_bound_with_the_papers_choices_is_the_papers_bound():
    # N = K^2, batches of K: sigma -> sigma / sqrt(K), lr = sqrt(gap / (L1 K)) give 3/2 sqrt(L1 gap / K) +
    # 2 sigma1 / (lead sqrt K), below 2/sqrt(K) (sqrt(L1 gap) + sigma1 / lead): the theorem's right-hand side, squared.
    k, d, gap, sigma, h, lead = 100, 20, 11.0, 2.0, 1.0, 1.3
    found = vote.gradient_bound(
        lead, gap=gap, steps=k, lr=np.sqrt(gap / (d * h * k)), noise=sigma / np.sqrt(k), d=d, curvature=h
    )
    assert found == pytest.approx(1.5 * np.sqrt(d * h * gap / k) + 2 * d * sigma / (lead * np.sqrt(k)))
    assert found**2 <= 4 / k * (np.sqrt(d * h * gap) + d * sigma / lead) ** 2
