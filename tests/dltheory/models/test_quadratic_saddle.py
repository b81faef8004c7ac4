"""Walkers at a saddle: bridges against fine paths, times against theory and against small Euler steps."""

import numpy as np
import pytest

from dlatlas.training.stack import Stack
from dltheory.models.quadratic_saddle import escape, escapes, first_passage, odds, shares
from dltheory.theory import saddle_escape


def go(beta, lam=1.0, d=2, walkers=4000, share=None, step=0.1, horizon=60.0, seed=0, start=None):
    start = np.zeros((d, walkers)) if start is None else start
    share = np.ones(len(start)) if share is None else share
    options = {"beta": beta, "lam": lam, "share": share, "step": step, "horizon": horizon}
    return escape(np.random.default_rng(seed), start, **options)


@pytest.mark.parametrize("end", [0.4, -0.3])
def test_bridges_cross_as_often_and_as_early_as_fine_paths_do(end):
    # A Brownian bridge of variance 1 from 0.8 below a level to ``end`` below it, on 1000 points; the level is moved
    # by the overshoot of a discrete path (0.5826 standard deviations of a step).
    rng, before, n = np.random.default_rng(1), 0.8, 1000
    walk = np.cumsum(rng.standard_normal((2500, n)) / np.sqrt(n), axis=1)
    part = np.arange(1, n + 1) / n
    path = walk - part * walk[:, -1:] + part * (before - end)
    over = path >= before - 0.5826 / np.sqrt(n)
    crossed, when = over.any(1), (over.argmax(1) + 1) / n
    assert crossed.mean() == pytest.approx(odds(np.array([before]), np.array([end]), 1.0)[0], abs=0.035)
    size = 20_000
    square, coin = rng.standard_normal(size) ** 2, rng.random(size)
    drawn = first_passage(np.full(size, before), np.full(size, end), np.ones(size), square, coin)
    for moment in (1, 2):
        assert (drawn**moment).mean() == pytest.approx((when[crossed] ** moment).mean(), abs=0.025)


@pytest.mark.parametrize(("beta", "lam"), [(10.0, 0.1), (10.0, 1.0), (1e5, 0.5)])
def test_mean_exit_times_are_the_exact_ones(beta, lam):
    times = lam * go(beta, lam, walkers=20_000, horizon=60 / lam)[0]
    error = times.std() / np.sqrt(len(times))
    assert abs(times.mean() - saddle_escape.mean_exit_time(beta * lam)) < 4 * error


def euler(b, d, walkers, dt=0.002, seed=5):
    """Mean time until x_1^2 = 1 + x_2^2 + ..., by small Euler steps and a level moved by the overshoot of a walk."""
    rng, x, total, now = np.random.default_rng(seed), np.zeros((d, walkers), np.float32), 0.0, 0.0
    sign, sd = np.where(np.arange(d) == 0, 1, -1)[:, None], np.sqrt(2 * dt / b)
    while x.shape[1]:
        x = x + sign * x * np.float32(dt) + np.float32(sd) * rng.standard_normal(x.shape, np.float32)
        now += dt
        kept = (x[1:] ** 2).sum(0)
        nearer = 0.5826 * sd * np.sqrt(1 + kept / (1 + kept))
        over = np.abs(x[0]) >= np.sqrt(1 + kept) - nearer
        total += now * over.sum()
        x = x[:, ~over]
    return total / walkers


def test_the_fall_of_f_in_five_hot_dimensions_takes_as_long_as_by_small_euler_steps():
    times = go(4.0, d=5, walkers=10_000)[1]
    assert times.mean() == pytest.approx(euler(4.0, 5, 2500), rel=0.035)


@pytest.mark.parametrize("d", [2, 20])
def test_the_fall_of_f_is_later_by_the_stable_directions(d):
    exits, falls = go(100.0, d=d, walkers=8000)
    expected = saddle_escape.mean_fall_time(100.0, d) - saddle_escape.mean_exit_time(100.0)
    assert (falls - exits).mean() == pytest.approx(expected, abs=0.004)
    assert np.all(falls >= exits)


def test_noise_keeps_its_trace_and_the_unstable_share_sets_the_time():
    for share in (shares(6, 1, 1), shares(6, 16, 1), shares(6, 1, 16), shares(2, 4, 1)):
        assert share.sum() == pytest.approx(len(share))
    assert shares(6, 16, 1)[0] == 1 / 16
    assert shares(6, 1, 16)[:2] == pytest.approx([1, 1 / 16])
    slow = go(1e6, d=6, share=shares(6, 64, 1))[1].mean()
    assert slow == pytest.approx(saddle_escape.mean_exit_time(64e6), abs=0.08)


def test_without_noise_the_stable_manifold_keeps_its_walkers_and_a_nudge_is_an_exact_time():
    start = np.zeros((3, 2))
    start[1:] = 0.7
    exits, falls = go(np.inf, start=start)
    assert np.isnan(exits).all()
    assert np.isnan(falls).all()
    start[0] = [1e-6, -1e-3]
    exits, falls = go(np.inf, lam=0.5, start=start)
    assert exits == pytest.approx(np.log([1e6, 1e3]) / 0.5, abs=0.01)
    assert falls == pytest.approx(exits, abs=0.01)


def test_walkers_that_do_not_leave_in_time_are_not_numbers():
    assert 0.2 < np.isnan(go(1e4, horizon=5.0)[0]).mean() < 0.8


def test_half_the_step_gives_the_same_times():
    coarse, fine = (go(1e3, walkers=30_000, step=step, seed=step > 0.07)[0] for step in (0.1, 0.05))
    assert coarse.mean() == pytest.approx(fine.mean(), abs=4 * coarse.std() * np.sqrt(2 / len(coarse)) + 1e-3)


@pytest.mark.parametrize(("nudge", "time"), [(1e-6, np.log(1e6)), (1e-3, np.log(1e3)), (0.0, np.nan)])
def test_without_noise_a_start_leaves_at_the_logarithm_of_its_distance_from_the_stable_manifold(nudge, time):
    shared = {"d": 20, "withheld": 1.0, "withheld_stable": 1.0, "noise": False, "nudge": nudge, "walkers": 3}
    shared |= {"step": 0.1, "horizon": 20.0}
    found = escapes(Stack([{**shared, "lam": 0.5, "beta": 10.0, "seed": 1}], shared, folder=None))
    assert found["exit"][0] == pytest.approx(time, abs=0.01, nan_ok=True)
    assert found["still"][0] == np.isnan(time)
