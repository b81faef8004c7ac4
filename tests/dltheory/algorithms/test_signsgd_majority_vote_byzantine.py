"""The theory's own witnesses are in tests/theory/test_majority_vote.py, the rule's in tests/optimizers."""

import json

import numpy as np
import pytest
import xarray as xr

from dlatlas.judging.verdict import judge_claim, judge_study
from dltheory.algorithms.signsgd_majority_vote_byzantine import DRAWS, STUDY, liars, theory
from dltheory.theory import majority_vote as vote

CLAIMS = {claim.name: claim for claim in STUDY.claims}
WORKERS, ATTACKS = np.array([5, 15, 45]), ("negate", "random_sign", "scale")
SHARE = np.array([0, 0.02, 0.2, 0.4, 0.45, 0.49, 0.51, 0.6, 1.0])
FIXED = {"d": 10, "lr": 0.03, "noise": 2.0, "steps": 2000, "start": 1.8, "curvature": 1.0, "trace_every": 20}


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    """A fifth of the bootstrap draws and permutations: these effects are large."""
    monkeypatch.setattr("dlatlas.judging.verdict.DRAWS", 99)
    monkeypatch.setattr("dlatlas.judging.verdict.SHUFFLES", 59)


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
        b = int(liars(SHARE[s], WORKERS[m]))
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


@pytest.fixture(scope="module")
def predicted(ideal) -> xr.Dataset:
    return theory(ideal)


def planted(cube, **changes):
    return cube.assign({name: (cube[name].dims, np.asarray(value)) for name, value in changes.items()})


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_supported_by_a_cube_made_by_its_theory(ideal, predicted, name):
    record = judge_claim(CLAIMS[name], ideal, predicted)
    assert record["verdict"] == "supported", record
    assert record["control"]["fails"]


def verdict(name, cube, theory):
    return judge_claim(CLAIMS[name], cube, theory)["verdict"]


def test_a_vote_that_errs_a_tenth_more_refutes_the_tail_and_its_collapse(ideal, predicted):
    wrong = planted(ideal, vote_error=np.clip(ideal["vote_error"].values + 0.1, 0, 1))
    assert verdict("vote error is the binomial tail", wrong, predicted) == "refuted"
    assert verdict("error collapses on (1-2b/M)√M S", wrong, predicted) == "refuted"


def test_a_floor_like_the_square_of_the_lead_refutes_both_floors_and_the_slow_down(ideal, predicted):
    lead = predicted["lead"].sel(attack="negate").values[:, None, None, :, None, None]
    tail = np.where(np.arange(100) >= 50, 1 / np.maximum(np.abs(lead), 0.1), 1.0)
    steep = planted(ideal, loss_trace=ideal["loss_trace"].values * tail)
    assert verdict("noise floor falls like 1/((1-2b/M)√M)", steep, predicted) == "refuted"
    assert verdict("noise floor is that of the chain", steep, predicted) == "refuted"


def test_coin_tossers_as_bad_as_negators_refute_that_they_count_as_absent(ideal, predicted):
    trace = ideal["loss_trace"].values.copy()
    trace[:, :, 1] = trace[:, :, 0]
    norm = ideal["weight_norm"].values.copy()
    assert verdict("coin tossers count as absent", planted(ideal, loss_trace=trace, weight_norm=norm), predicted) == (
        "refuted"
    )


def test_a_relaxation_that_does_not_see_the_lead_refutes_the_slow_down(ideal, predicted):
    trace = ideal["loss_trace"].values
    same = trace[..., -1:] + (trace[..., :1] - trace[..., -1:]) * np.exp(-np.arange(100) / 5)
    changed = planted(ideal, loss_trace=same)
    assert verdict("slow-down while the vote is a coin toss", changed, predicted) == "refuted"


def test_a_training_that_breaks_at_four_tenths_refutes_the_threshold(ideal, predicted):
    norm = ideal["weight_norm"].values.copy()
    norm[..., SHARE >= 0.4, :, 1] = 50.0
    assert verdict("training breaks at one half, not before", planted(ideal, weight_norm=norm), predicted) == "refuted"


def test_a_vote_broken_by_one_worker_refutes_its_survival(ideal, predicted):
    norm = ideal["weight_norm"].values.copy()
    norm[:, 0, 2, 1:, :, 1] = np.nan
    broken = planted(ideal, weight_norm=norm)
    assert verdict("scaled gradients do not break the vote", broken, predicted) == "refuted"


def test_gradients_thirty_times_larger_refute_the_bound(ideal, predicted):
    larger = planted(ideal, loss_trace=ideal["loss_trace"].values * 900)
    assert verdict("gradient norm obeys the theorem", larger, predicted) == "refuted"


def test_at_least_one_liar_stands_behind_every_positive_share():
    assert liars([0, 0.02, 0.2, 0.49, 0.51, 1], 5).tolist() == [0, 1, 1, 2, 3, 5]
    assert liars([0, 0.02, 0.2, 0.49, 0.51, 1], 45).tolist() == [0, 1, 9, 22, 23, 45]


def test_the_smoke_sweep_decides_the_threshold_and_the_bound(smoke_cube):
    record = judge_study(STUDY, smoke_cube("signsgd_majority_vote_byzantine"))
    found = {claim["name"]: claim for claim in record["claims"]}
    assert record["status"]["failed"] == 0
    assert found["training breaks at one half, not before"]["verdict"] == "supported"
    assert found["gradient norm obeys the theorem"]["verdict"] == "supported"
    assert found["scaled gradients do not break the vote"]["estimate"] == 1
    assert found["scaled gradients do not break the vote"]["control"]["estimate"] == 0
    assert found["vote error is the binomial tail"]["estimate"] == pytest.approx(1, abs=0.2)
