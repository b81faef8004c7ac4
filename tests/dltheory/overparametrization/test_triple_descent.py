import numpy as np
import pytest
import xarray as xr
from threadpoolctl import threadpool_limits

from dlatlas.cubes.cube import with_fixed
from dlatlas.training.stack import Stack
from dltheory.overparametrization import triple_descent as page

NAME = "triple_descent"
N = [10, 14, 20, 28, 40, 50, 63, 80, 100, 120, 150, 200, 270, 350, 420, 500, 600, 700, 1000, 1500]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As in a job of the workflow; on a busy machine threads that spin make small matrices a hundred times slower."""
    import scipy.linalg  # noqa: F401  only threads of loaded libraries can be limited

    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def ideal():
    """The laptop cube as the theory has it, with 5 % of noise a seed."""
    rng = np.random.default_rng(0)
    coords = {"activation": ("features", ["abs", "relu", "tanh", "linear", "tanh"]),
              "members": ("features", [1, 1, 1, 1, 10]), "noise": [0.0, 0.5, 5.0], "ridge": [1e-8, 1e-2, 0.1, 1.0],
              "n": N, "seed": range(12)}  # fmt: skip
    empty = xr.Dataset({}, coords, {"fixed": '{"d":50,"p":500}', "study": NAME})
    error = page.theory(with_fixed(empty))["error"].drop_vars(["d", "p"])
    error = error * xr.DataArray(np.exp(0.05 * rng.standard_normal(12)), dims="seed")
    error = error * np.exp(0.02 * rng.standard_normal(error.shape))
    lowest = xr.DataArray([500, 500, 500, 50, 500], dims="features")
    smallest = (np.log(empty["n"] / lowest) ** 2 + 1e-4).expand_dims(noise=3, ridge=4, seed=12)
    return empty.assign(error=error, smallest=smallest, status=xr.zeros_like(error, dtype=np.int8))


def swapped(cube, source, **target):
    """Errors in which one setting has those of another one."""
    donor = cube["error"].isel(features=source.get("features", 2))
    donor = donor.sel({name: value for name, value in source.items() if name != "features"})
    there = xr.ones_like(cube["error"], dtype=bool)
    for name, value in target.items():
        there = there & (cube[name] == value)
    donor = donor.drop_vars(("activation", "members", *(name for name in ("noise", "ridge") if name in source)))
    return {"error": xr.where(there, donor, cube["error"]).transpose(*cube["error"].dims)}


TANH = {"activation": "tanh", "members": 1}
OPPOSITE = [
    ("two peaks at once", lambda cube: swapped(cube, {"features": 1}, **TANH)),
    ("two peaks at once", lambda cube: swapped(cube, {"features": 3}, **TANH)),
    ("one peak at each end", lambda cube: swapped(cube, {"features": 2}, activation="linear")),
    ("linear peak grows with r", lambda cube: swapped(cube, {"features": 3}, activation="relu")),
    ("noise makes the linear peak", lambda cube: swapped(cube, {"noise": 5.0}, activation="tanh", noise=0.0)),
    ("ridge spares the linear peak", lambda cube: swapped(cube, {"ridge": 1.0}, activation="tanh", ridge=1e-2)),
    ("ridge spares the linear peak", lambda cube: swapped(cube, {"ridge": 1e-8}, activation="tanh", ridge=1e-2)),
    ("ensembling spares the linear peak", lambda cube: swapped(cube, {"noise": 0.5}, activation="tanh", members=10)),
    ("theory gives the curves", lambda cube: {"error": 1.25 * cube["error"]}),
    ("smallest eigenvalue", lambda cube: {"smallest": 1 / cube["smallest"]}),
]


def test_a_cube_as_the_theory_has_it_supports_every_claim(ideal, outcomes):
    found = outcomes(NAME, ideal)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize(("claim", "planted"), OPPOSITE)
def test_the_opposite_of_a_claim_is_refuted(ideal, outcomes, claim, planted):
    assert outcomes(NAME, ideal.assign(planted(ideal)), claim) == {claim: "refuted"}


def test_a_failed_run_is_left_out(ideal, outcomes):
    cube = ideal.assign(error=ideal["error"].where(ideal["seed"] != 3))
    assert outcomes(NAME, cube, "two peaks at once") == {"two peaks at once": "supported"}


def test_the_solver_is_plain_ridge_regression_and_averages_its_members():
    shared = {"n": 30, "d": 6, "p": 20, "activation": "tanh", "members": 3, "tests": 50}
    runs = [{**shared, "noise": 2.0, "ridge": ridge, "seed": 4} for ridge in (0.3, 0.1)]
    stack = Stack(runs, shared, folder=None)
    found = page.solve(stack)
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


def test_the_smoke_sweep_is_too_small_for_heights_but_not_for_the_ends(smoke_cube, outcomes):
    found = outcomes(NAME, smoke_cube(NAME))
    assert found["one peak at each end"] == found["smallest eigenvalue"] == "supported"
    del found["theory gives the curves"]
    assert "refuted" not in found.values(), found
