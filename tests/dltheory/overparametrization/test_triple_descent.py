from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from threadpoolctl import threadpool_limits

from dlatlas.judging.verdict import judge_claim, judge_study
from dlatlas.training.stack import Stack
from dltheory.overparametrization import triple_descent as page

STUDY = page.STUDY
CLAIMS = {claim.name: claim for claim in STUDY.claims}
N = [10, 14, 20, 28, 40, 50, 63, 80, 100, 120, 150, 200, 270, 350, 420, 500, 600, 700, 1000, 1500]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As in a job of the workflow; on a busy machine threads that spin make small matrices a hundred times slower."""
    import scipy.linalg  # noqa: F401  only threads of loaded libraries can be limited

    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    """Enough to tell supported from refuted; the smallest p-value is 1/60."""
    monkeypatch.setattr("dlatlas.judging.verdict.DRAWS", 99)
    monkeypatch.setattr("dlatlas.judging.verdict.SHUFFLES", 59)


@pytest.fixture(scope="module")
def ideal():
    """The laptop cube as the theory has it, with 5 % of noise a seed, and the theory."""
    rng = np.random.default_rng(0)
    coords = {"activation": ("features", ["abs", "relu", "tanh", "linear", "tanh"]),
              "members": ("features", [1, 1, 1, 1, 10]), "noise": [0.0, 0.5, 5.0], "ridge": [1e-8, 1e-2, 0.1, 1.0],
              "n": N, "seed": range(12)}  # fmt: skip
    empty = xr.Dataset({}, coords, {"fixed": '{"d":50,"p":500}', "study": "triple_descent"})
    theory = STUDY.theory(empty.assign(features=("features", range(5))).drop_vars("features"))
    error = theory["error"] * xr.DataArray(np.exp(0.05 * rng.standard_normal(12)), dims="seed")
    error = error * np.exp(0.02 * rng.standard_normal(error.shape))
    n = xr.DataArray(N, dims="n")
    lowest = xr.DataArray([500, 500, 500, 50, 500], dims="features")
    smallest = (np.log(n / lowest) ** 2 + 1e-4).expand_dims(noise=3, ridge=4, seed=12)
    cube = empty.assign(error=error, smallest=smallest, status=xr.zeros_like(error, dtype=np.int8))
    return cube, theory.drop_vars("seed", errors="ignore")


def verdict_of(name, cube, theory):
    return judge_claim(CLAIMS[name], cube, theory)["verdict"]


def where(cube, **setting):
    chosen = xr.ones_like(cube["error"], dtype=bool)
    for name, value in setting.items():
        chosen = chosen & (cube[name] == value)
    return chosen


def planted(ideal, source, **target):
    """The ideal cube in which one setting has the errors of another one."""
    cube, theory = ideal
    donor = cube["error"].isel(features=source.get("features", 2))
    donor = donor.sel({name: value for name, value in source.items() if name != "features"})
    return cube.assign(
        error=xr.where(where(cube, **target), donor, cube["error"]).transpose(*cube["error"].dims)
    ), theory


def test_a_cube_as_the_theory_has_it_supports_every_claim(ideal):
    outcomes = {name: verdict_of(name, *ideal) for name in CLAIMS}
    assert set(outcomes.values()) == {"supported"}, outcomes


def test_without_a_peak_at_d_two_peaks_at_once_is_refuted(ideal):
    cube = planted(ideal, {"features": 1}, activation="tanh", members=1)
    assert verdict_of("two peaks at once", *cube) == "refuted"


def test_without_a_peak_at_p_two_peaks_at_once_is_refuted(ideal):
    cube = planted(ideal, {"features": 3}, activation="tanh", members=1)
    assert verdict_of("two peaks at once", *cube) == "refuted"


def test_a_linear_activation_with_both_peaks_refutes_one_peak_at_each_end(ideal):
    assert verdict_of("one peak at each end", *planted(ideal, {"features": 2}, activation="linear")) == "refuted"


def test_a_relu_peak_above_that_of_tanh_refutes_growth_with_r(ideal):
    assert verdict_of("linear peak grows with r", *planted(ideal, {"features": 3}, activation="relu")) == "refuted"


def test_a_linear_peak_without_noise_refutes_that_noise_makes_it(ideal):
    cube = planted(ideal, {"noise": 5.0}, activation="tanh", noise=0.0)
    assert verdict_of("noise makes the linear peak", *cube) == "refuted"


def test_a_ridge_that_removes_both_peaks_or_none_is_refuted(ideal):
    for like in (1.0, 1e-8):
        cube = planted(ideal, {"ridge": like}, activation="tanh", ridge=1e-2)
        assert verdict_of("ridge spares the linear peak", *cube) == "refuted"


def test_an_ensemble_that_acts_like_less_noise_is_refuted(ideal):
    cube = planted(ideal, {"noise": 0.5, "features": 2}, activation="tanh", members=10)
    assert verdict_of("ensembling spares the linear peak", *cube) == "refuted"


def test_errors_a_quarter_above_the_theory_are_refuted(ideal):
    cube, theory = ideal
    assert verdict_of("theory gives the curves", cube.assign(error=1.25 * cube["error"]), theory) == "refuted"


def test_eigenvalues_lowest_elsewhere_are_refuted(ideal):
    cube, theory = ideal
    assert verdict_of("smallest eigenvalue", cube.assign(smallest=1 / cube["smallest"]), theory) == "refuted"


def test_a_failed_run_is_left_out(ideal):
    cube, theory = ideal
    cube = cube.assign(error=cube["error"].where(cube["seed"] != 3))
    assert verdict_of("two peaks at once", cube, theory) == "supported"


def test_the_solver_is_plain_ridge_regression_and_averages_its_members():
    run = {
        "n": 30,
        "d": 6,
        "p": 20,
        "activation": "tanh",
        "members": 3,
        "tests": 50,
        "noise": 2.0,
        "ridge": 0.3,
        "seed": 4,
    }
    stack = Stack([run, {**run, "ridge": 0.1}], {k: run[k] for k in STUDY.shape}, folder=SimpleNamespace())
    found = STUDY.solve(stack)
    data, noise, features = (stack.generator(0, name, names=("d", "p")) for name in ("data", "noise", "features"))
    teacher, unseen, x = data.standard_normal(6), data.standard_normal((50, 6)), data.standard_normal((30, 6))
    teacher /= np.linalg.norm(teacher)
    y = x @ teacher + np.sqrt(2) * noise.standard_normal(30)
    outputs = []
    for _ in range(3):
        F = features.standard_normal((20, 6)) / np.sqrt(6)
        Z = np.tanh(x @ F.T) / np.sqrt(20)
        padded = np.vstack([Z, np.sqrt(0.3) * np.eye(20)])
        weights = np.linalg.lstsq(padded, np.concatenate([y, np.zeros(20)]), rcond=None)[0]
        outputs.append(np.tanh(unseen @ F.T) / np.sqrt(20) @ weights)
        if len(outputs) == 1:
            assert found["weight_norm"][0] == pytest.approx(np.linalg.norm(weights))
            assert found["smallest"][0] == pytest.approx(np.linalg.svd(Z, compute_uv=False)[-1] ** 2)
    assert found["error"][0] == pytest.approx(np.mean((np.mean(outputs, 0) - unseen @ teacher) ** 2))


def test_the_smoke_sweep_is_too_small_for_heights_but_not_for_the_ends(smoke_cube):
    cube = smoke_cube("triple_descent")
    record = judge_study(STUDY, cube)
    outcomes = {claim["name"]: claim["verdict"] for claim in record["claims"]}
    assert outcomes["one peak at each end"] == outcomes["smallest eigenvalue"] == "supported"
    heights = [name for name in outcomes if name != "theory gives the curves"]
    assert all(outcomes[name] != "refuted" for name in heights)
    assert record["status"]["failed"] == record["status"]["missing"] == 0
    assert len(STUDY.figure(cube, STUDY.theory(cube), {}).axes) == 2
