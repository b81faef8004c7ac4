import numpy as np
import pytest

NAME = "deep_matrix_factorization_rank"


@pytest.fixture
def cube(smoke_cube):
    """The smoke cube with the errors that a larger sweep has: 12 x 12 is too small for recovery."""
    cube = smoke_cube(NAME)
    rng = np.random.default_rng(0)
    spread = cube["seed"].copy(data=1 + 0.02 * rng.standard_normal(cube.sizes["seed"]))
    deep = (cube["factors"] == 3) & (cube["observed"] == 0.5)
    near = (cube["factors"] == 2) & (cube["observed"] == 0.5)
    error = cube["error"].where(~deep, 0.5 * cube["nuclear_error"] * spread)
    distance = cube["from_nuclear"].where(~near, 0.05 * spread)
    low = cube["effective_rank"].where(cube["factors"] < 3, 2.5 * spread)
    planted = {"error": error, "from_nuclear": distance, "effective_rank": low}
    return cube.assign({name: value.transpose(*cube[name].dims) for name, value in planted.items()})


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, outcomes):
    found = outcomes(NAME, cube)
    assert set(found.values()) == {"supported"}, found


PLANTED = {
    "law of singular values": lambda cube: {"rate": 1.1 * cube["rate"]},
    "one by one": lambda cube: {"singular": cube["singular"] ** 2},
    "low rank": lambda cube: {"effective_rank": 2 * cube["effective_rank"]},
    "one factor learns nothing unseen": lambda cube: {"error": 0.5 * cube["error"]},
    "better than the nuclear norm": lambda cube: {"error": 3 * cube["error"]},
    "two factors find the nuclear minimum": lambda cube: {"from_nuclear": 3 * cube["from_nuclear"]},
}


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(cube, outcomes, claim):
    assert outcomes(NAME, cube.assign(PLANTED[claim](cube)), claim) == {claim: "refuted"}


def test_the_smoke_sweep_obeys_both_laws(smoke_cube, outcomes):
    found = outcomes(NAME, smoke_cube(NAME), "law of singular values", "one by one", "one factor learns nothing unseen")
    assert set(found.values()) == {"supported"}, found
