"""The theory's own witnesses are in tests/theory/test_kramers.py, the walkers' in tests/models/test_double_well.py."""

import numpy as np
import pytest
import xarray as xr

from dlatlas.judging.verdict import judge_claim, judge_study
from dltheory.sampling.langevin_escape_kramers import STUDY, theory
from dltheory.theory.exponential_law import lilliefors_p
from dltheory.theory.kramers import mean_exit_time, mean_exit_time_tube

CLAIMS = {claim.name: claim for claim in STUDY.claims}
BETA = np.array([0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
SHAPES = {"line": (1, 8.0, 8.0), "plane": (2, 8.0, 4.0), "five": (5, 8.0, 4.0)}


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    """A fifth of the bootstrap draws and permutations: these effects are large."""
    monkeypatch.setattr("dlatlas.judging.verdict.DRAWS", 99)
    monkeypatch.setattr("dlatlas.judging.verdict.SHUFFLES", 59)


@pytest.fixture(scope="module")
def ideal() -> xr.Dataset:
    """A cube as the theory makes it: independent waits with the exact mean, exponential where the barrier is high."""
    rng, seeds, walkers = np.random.default_rng(0), 8, 1000
    mean = np.array([[mean_exit_time_tube(b, *shape) for b in BETA] for shape in SHAPES.values()])
    tops = np.array([mean_exit_time(b, target=0.0) / mean_exit_time(b) for b in BETA])
    peak = np.where(BETA < 3, 2.0, 1.0)[:, None, None, None]
    wait = mean[..., None, None, None] * rng.gamma(peak, 1 / peak, (3, len(BETA), seeds, walkers, 2))
    start = rng.uniform(-2, 1, (3, len(BETA), seeds, 20))
    dims = ("landscape", "beta", "seed")
    data = {
        "wait": ((*dims, "walker", "passage"), wait),
        "top": ((*dims, "walker"), wait[..., 0] * tops[:, None, None]),
        "p_value": ((*dims, "passage"), lilliefors_p(np.moveaxis(wait, -1, -2))),
        "start": ((*dims, "ball"), start),
        "end": ((*dims, "ball"), np.sign(start)),
        "status": (dims, np.zeros(start.shape[:3], np.int8), {"flag_meanings": "ok diverged failed missing"}),
    }
    columns = np.array(list(SHAPES.values())).T
    coords = {"landscape": list(SHAPES), "beta": BETA, "seed": np.arange(seeds)}
    coords |= {name: ("landscape", column) for name, column in zip(("d", "k_well", "k_saddle"), columns)}
    coords["d"] = ("landscape", columns[0].astype(int))
    return xr.Dataset(data, coords, {"study": "ideal", "scale": "none"})


@pytest.fixture(scope="module")
def predicted(ideal) -> xr.Dataset:
    return theory(ideal)


@pytest.fixture
def verdict(predicted):
    return lambda name, cube: judge_claim(CLAIMS[name], cube, predicted)["verdict"]


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_supported_by_a_cube_made_by_its_theory(ideal, predicted, name):
    record = judge_claim(CLAIMS[name], ideal, predicted)
    assert record["verdict"] == "supported", record
    assert record["control"]["fails"]


def planted(cube, **changes):
    return cube.assign({name: (cube[name].dims, np.asarray(value)) for name, value in changes.items()})


def test_waits_a_quarter_longer_refute_the_exact_mean_and_the_constants(ideal, verdict):
    longer = planted(ideal, wait=ideal["wait"].values * 1.3)
    assert verdict("mean wait is the exact one", longer) == "refuted"
    assert verdict("Kramers' constant", longer) == "refuted"
    assert verdict("Eyring's determinants", longer) == "refuted"


def test_a_barrier_a_fifth_higher_refutes_the_arrhenius_slope(ideal, verdict):
    higher = planted(ideal, wait=ideal["wait"].values * np.exp(0.2 * BETA)[:, None, None, None])
    assert verdict("Arrhenius slope", higher) == "refuted"


def test_transverse_directions_that_do_not_count_refute_the_determinants(ideal, verdict):
    flat = planted(ideal, wait=np.broadcast_to(ideal["wait"].values[:1], ideal["wait"].shape))
    assert verdict("Eyring's determinants", flat) == "refuted"
    assert verdict("Kramers' constant", flat) == "supported"


def test_a_top_reached_after_a_third_of_the_way_refutes_the_half(ideal, verdict):
    assert verdict("half to reach the top", planted(ideal, top=ideal["top"].values * 0.66)) == "refuted"


def test_waits_of_two_stages_refute_the_exponential_law(ideal, verdict):
    staged = ideal["wait"].values.mean((-2, -1), keepdims=True) * np.random.default_rng(1).gamma(
        2.0, 0.5, ideal["wait"].shape
    )
    p = lilliefors_p(np.moveaxis(staged, -1, -2))
    assert verdict("waits are exponential", planted(ideal, wait=staged, p_value=p)) == "refuted"


def test_a_second_wait_that_repeats_half_of_the_first_refutes_independence(ideal, verdict):
    wait = ideal["wait"].values.copy()
    wait[..., 1] = (wait[..., 0] + wait[..., 1]) / 2
    assert verdict("waits are independent", planted(ideal, wait=wait)) == "refuted"


def test_a_tenth_of_the_starts_in_the_other_basin_refutes_that_gradient_descent_stays(ideal, verdict):
    end = ideal["end"].values.copy()
    end[..., ::10] *= -1
    assert verdict("gradient descent stays", planted(ideal, end=end)) == "refuted"


def test_the_smoke_sweep_decides_what_few_walkers_can(smoke_cube):
    cube = smoke_cube("langevin_escape_kramers")
    record = judge_study(STUDY, cube)
    found = {claim["name"]: claim for claim in record["claims"]}
    assert record["status"]["ok"] == record["runs"]
    assert found["gradient descent stays"]["verdict"] == "supported"
    assert found["mean wait is the exact one"]["estimate"] == pytest.approx(1.0, abs=0.06)
    assert all(claim["verdict"] != "refuted" for claim in found.values())
    assert np.isfinite(cube["wait"].values).all()
