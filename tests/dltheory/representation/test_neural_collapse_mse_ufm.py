import pytest

NAME = "neural_collapse_mse_ufm"
PLANTED = {
    "soft threshold": lambda cube: {"shrinkage": 1.01 * cube["shrinkage"]},
    "nothing beyond": lambda cube: {"shrinkage": cube["shrinkage"] + 0.01},
    "balance": lambda cube: {"weight_energy": 1.1 * cube["weight_energy"]},
    "features collapse": lambda cube: {"nc1": cube["nc1"] + 1e-4},
    "orthogonal frame": lambda cube: {"frame": cube["frame"] + 0.01},
    "simplex with a bias": lambda cube: {"frame": cube["frame"] + 0.01},
    "each class its threshold": lambda cube: {"shrinkage": cube["shrinkage"] + 0.01},
    "rates within classes": lambda cube: {"decay": 1.05 * cube["decay"]},
    "within decays, between does not": lambda cube: {"within": cube["between"]},
}


def test_the_smoke_sweep_supports_every_claim(smoke_cube, outcomes):
    found = outcomes(NAME, smoke_cube(NAME))
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(smoke_cube, outcomes, claim):
    cube = smoke_cube(NAME)
    assert outcomes(NAME, cube.assign(PLANTED[claim](cube)), claim) == {claim: "refuted"}
