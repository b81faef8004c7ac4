"""The theory's own witnesses are in tests/dltheory/theory/test_majority_vote.py, the rule's in tests/optimizers."""

import json

import numpy as np
import pytest
import xarray as xr

from dlatlas.judging.verdict import judge_study
from dltheory.algorithms.signsgd_majority_vote_byzantine import DRAWS, STUDY
from dltheory.theory import majority_vote as vote

NAME = "signsgd_majority_vote_byzantine"
WORKERS, ATTACKS = np.array([5, 15, 45]), ("negate", "random_sign", "scale")
SHARE = np.array([0, 0.02, 0.2, 0.4, 0.45, 0.49, 0.51, 0.6, 1.0])
FIXED = {"d": 10, "lr": 0.03, "noise": 2.0, "steps": 2000, "start": 1.8, "curvature": 1.0, "trace_every": 20}


@pytest.fixture(scope="module")
def ideal() -> xr.Dataset:
    """A cube as the theory makes it: binomial counts of errors, the exact mean loss with a little noise."""
    rng, seeds = np.random.default_rng(0), 10
    start = 1.8 * np.arange(1, 11) / 10
    shape = (3, 3, 3, len(SHARE), seeds)
    snr = np.broadcast_to(start / 2, (*shape, 2, 10)).copy()
    error, trace = np.full(snr.shape, np.nan), np.full((*shape, 100), np.nan)
    norm = np.full((*shape, 2), np.linalg.norm(start))
    for m, a, s in np.ndindex(3, 3, len(SHARE)):
        b = int(vote.liars(SHARE[s], WORKERS[m]))
        settings = {"start": start, "steps": 2000, "lr": 0.03, "noise": 2.0}
        path = vote.descent(int(WORKERS[m]), b, ATTACKS[a], **settings)
        chance = vote.vote_error(int(WORKERS[m]), b, start / 2, ATTACKS[a])
        error[m, 0, a, s] = rng.binomial(DRAWS, np.broadcast_to(chance, (seeds, 2, 10))) / DRAWS
        trace[m, 0, a, s] = path[:2000:20] * (1 + 0.02 * rng.standard_normal((seeds, 1)))
        norm[m, 0, a, s, :, 1] = np.sqrt(2 * path[-1])
        norm[m, 1:, a, s, :, 1] = np.nan if ATTACKS[a] == "scale" and b else 0.1
    dims = ("workers", "aggregator", "attack", "share", "seed")
    data = {
        "snr": ((*dims, "step", "coordinate"), snr),
        "vote_error": ((*dims, "step", "coordinate"), error),
        "loss_trace": ((*dims, "trace_step"), trace),
        "weight_norm": ((*dims, "step"), norm),
        "status": (dims, np.zeros(shape, np.int8), {"flag_meanings": "ok diverged failed missing"}),
    }
    coords = {"workers": WORKERS, "aggregator": ["vote", "mean", "median"], "attack": list(ATTACKS), "share": SHARE}
    coords |= {"seed": np.arange(seeds), "step": [0, 2000], "trace_step": np.arange(100) * 20}
    return xr.Dataset(data, coords, {"study": "ideal", "scale": "none", "fixed": json.dumps(FIXED)})


def planted(cube, **changes):
    return cube.assign({name: (cube[name].dims, np.asarray(value)) for name, value in changes.items()})


def relaxed(cube):
    """The same loss late in every run, reached at one pace."""
    trace = cube["loss_trace"].values
    return trace[..., -1:] + (trace[..., :1] - trace[..., -1:]) * np.exp(-np.arange(100) / 5)


def steeper(cube):
    """Late losses that fall like the square of the lead."""
    lead = np.maximum(np.abs(vote.lead(WORKERS[:, None], vote.liars(SHARE, WORKERS[:, None]))), 0.1)
    return cube["loss_trace"].values * np.where(np.arange(100) >= 50, 1 / lead[:, None, None, :, None, None], 1.0)


def with_norm(cube, place, value):
    norm = cube["weight_norm"].values.copy()
    norm[place] = value
    return planted(cube, weight_norm=norm)


def negated(cube):
    """Coin tossers as bad as negators."""
    trace = cube["loss_trace"].values.copy()
    trace[:, :, 1] = trace[:, :, 0]
    return trace


PLANTED = {
    "vote error is the binomial tail": lambda cube: planted(cube, vote_error=np.clip(cube["vote_error"] + 0.1, 0, 1)),
    "error collapses on (1-2b/M)√M S": lambda cube: planted(cube, vote_error=np.clip(cube["vote_error"] + 0.1, 0, 1)),
    "noise floor is that of the chain": lambda cube: planted(cube, loss_trace=steeper(cube)),
    "noise floor falls like 1/((1-2b/M)√M)": lambda cube: planted(cube, loss_trace=steeper(cube)),
    "coin tossers count as absent": lambda cube: planted(cube, loss_trace=negated(cube)),
    "slow-down while the vote is a coin toss": lambda cube: planted(cube, loss_trace=relaxed(cube)),
    "training breaks at one half, not before": lambda cube: with_norm(
        cube, (..., SHARE >= 0.4, slice(None), 1), 50.0),
    "scaled gradients do not break the vote": lambda cube: with_norm(
        cube, (slice(None), 0, 2, slice(1, None), slice(None), 1), np.nan),
    "gradient norm obeys the theorem": lambda cube: planted(cube, loss_trace=900 * cube["loss_trace"]),
}  # fmt: skip


def test_a_cube_as_the_theory_has_it_supports_every_claim(ideal, outcomes):
    found = outcomes(NAME, ideal)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(ideal, outcomes, claim):
    assert outcomes(NAME, PLANTED[claim](ideal), claim) == {claim: "refuted"}


def test_at_least_one_liar_stands_behind_every_positive_share():
    assert vote.liars([0, 0.02, 0.2, 0.49, 0.51, 1], 5).tolist() == [0, 1, 1, 2, 3, 5]
    assert vote.liars([0, 0.02, 0.2, 0.49, 0.51, 1], 45).tolist() == [0, 1, 9, 22, 23, 45]


def test_the_smoke_sweep_decides_the_threshold_and_the_bound(smoke_cube):
    record = judge_study(STUDY, smoke_cube("signsgd_majority_vote_byzantine"))
    found = {claim["name"]: claim for claim in record["claims"]}
    assert record["status"]["failed"] == 0
    assert found["training breaks at one half, not before"]["verdict"] == "supported"
    assert found["gradient norm obeys the theorem"]["verdict"] == "supported"
    assert found["scaled gradients do not break the vote"]["estimate"] == 1
    assert found["scaled gradients do not break the vote"]["control"]["estimate"] == 0
    assert found["vote error is the binomial tail"]["estimate"] == pytest.approx(1, abs=0.2)
