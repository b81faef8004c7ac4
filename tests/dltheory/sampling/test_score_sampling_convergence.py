import pytest

NAME = "score_sampling_convergence"
PLANTED = {
    "bounded by the paths": lambda cube: {"kl": cube["kl"] + 20},
    "start": lambda cube: {"start_kl": 1.2 * cube["start_kl"]},
    "rate in the step": lambda cube: {"kl": cube["kl"] / cube["step"] ** 1.5},
    "score error": lambda cube: {"kl": cube["kl"] * cube["error"]},
    "early errors are forgotten": lambda cube: {"kl": cube["kl"] * cube["horizon"] / 4},
    "modes get their weights": lambda cube: {"weight": 0 * cube["weight"] + 0.5},
}


def test_the_smoke_sweep_supports_every_claim(smoke_cube, outcomes):
    found = outcomes(NAME, smoke_cube(NAME))
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(smoke_cube, outcomes, claim):
    cube = smoke_cube(NAME)
    planted = {name: value.transpose(*cube[name].dims) for name, value in PLANTED[claim](cube).items()}
    assert outcomes(NAME, cube.assign(planted), claim) == {claim: "refuted"}
