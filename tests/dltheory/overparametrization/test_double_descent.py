import numpy as np
import pytest

from dlatlas.training.stack import Stack
from dltheory.models.feature_maps import drawn
from dltheory.overparametrization.double_descent import solve, theory

NAME = "double_descent"


@pytest.fixture
def cube(smoke_cube):
    """The smoke cube with Gaussian features as the theory has them: 60 draws are too few to decide."""
    cube = smoke_cube(NAME)
    predicted, rng = theory(cube), np.random.default_rng(0)
    spread = 1 + 0.01 * rng.standard_normal(cube.sizes["seed"])
    isotropic = cube["features"] == "gaussian"
    exact = {}
    for name in ("noise", "bias"):
        planted = predicted[name] * cube["seed"].copy(data=spread)
        exact[name] = cube[name].where(~isotropic, planted).transpose(*cube[name].dims)
    return cube.assign(exact)


PLANTED = {
    "lower bound": lambda cube: {"noise": 0.5 * cube["noise"]},
    "Gaussian features": lambda cube: {"noise": 1.2 * cube["noise"]},
    "peak": lambda cube: {"noise": cube["ridged"]},
    "unseen signal": lambda cube: {"bias": 0.8 * cube["bias"]},
}


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, outcomes):
    found = outcomes(NAME, cube)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(cube, outcomes, claim):
    assert outcomes(NAME, cube.assign(PLANTED[claim](cube)), claim) == {claim: "refuted"}


@pytest.mark.parametrize("features", ["gaussian", "tanh", "one_hot"])
@pytest.mark.parametrize("p", [12, 30])
def test_a_run_is_plain_least_squares(features, p):
    run = {"features": features, "n": 20, "p": p, "tests": 7, "seed": 3}
    stack = Stack([run], {"n": 20, "p": p, "tests": 7}, folder=None)
    found = solve(stack)
    rng = stack.generator(0)
    X, unseen = drawn(features, p, (20, 7), rng)
    signal = rng.standard_normal(p) / np.sqrt(p)
    fitted = unseen @ np.linalg.lstsq(X, X @ signal, rcond=None)[0]
    assert found["bias"][0] == pytest.approx(np.mean((unseen @ signal - fitted) ** 2), abs=1e-12)
    by_label = [unseen @ np.linalg.lstsq(X, unit, rcond=None)[0] for unit in np.eye(20)]
    assert found["noise"][0] == pytest.approx((np.array(by_label) ** 2).sum() / 7)
    padded = np.vstack([X, np.sqrt(p) * np.eye(p)])
    ridged = [unseen @ np.linalg.lstsq(padded, np.append(unit, np.zeros(p)), rcond=None)[0] for unit in np.eye(20)]
    assert found["ridged"][0] == pytest.approx((np.array(ridged) ** 2).sum() / 7)
