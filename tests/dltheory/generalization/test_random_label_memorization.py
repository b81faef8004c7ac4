import numpy as np
import pytest

from dltheory.generalization import random_label_memorization as page

NAME = "random_label_memorization"


@pytest.fixture
def cube(smoke_cube):
    """The smoke cube with twice the seeds, strong decay that matters and small residuals."""
    cube = smoke_cube(NAME)
    several = {"seed": np.tile(np.arange(cube.sizes["seed"]), 2)}
    cube = cube.isel(several).assign_coords(seed=range(2 * cube.sizes["seed"]))
    strong = (cube["weight_decay"] == 5e-3) & (cube["width"] > 2) & (cube["step"] > 0)
    error = cube["test_error"] - 0.2 * strong
    chance = (cube["label_noise"] == 1) & (cube["weight_decay"] < 5e-3) & (cube["width"] > 2) & (cube["step"] > 0)
    error = error.where(~chance, 0.9 + 0.001 * (cube["seed"] - 3))
    exact = cube["construction"].where(cube["arithmetic"] != "float64", 1e-9)
    return cube.assign(test_error=error.transpose(*cube["test_error"].dims), construction=exact)


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, outcomes):
    found = outcomes(NAME, cube)
    assert set(found.values()) == {"supported"}, found


PLANTED = {
    "everything is fitted": lambda cube: {"train_error": cube["train_error"] + 0.01},
    "in comparable time": lambda cube: {
        "train_error": cube["train_error"].where((cube["label_noise"] == 0) | (cube["step"] > 390), 0.5)
    },
    "test error goes to chance": lambda cube: {"test_error": cube["test_error"] - 0.1},
    "on the line": lambda cube: {"test_error": cube["test_error"] * cube["label_noise"] ** 2},
    "mild weight decay hardly matters": lambda cube: {
        "test_error": cube["test_error"] + 0.2 * (cube["weight_decay"] == 5e-4)
    },
    "2n + d weights": lambda cube: {"construction": cube["construction"] + 1e-3},
}


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(cube, outcomes, claim):
    planted = {name: value.transpose(*cube[name].dims) for name, value in PLANTED[claim](cube).items()}
    assert outcomes(NAME, cube.assign(planted), claim) == {claim: "refuted"}


def test_speed_is_that_of_the_first_checkpoint_without_an_error(cube):
    steps = cube["step"].values
    error = cube["train_error"].isel(width=[0], seed=[0, 1], weight_decay=0, label_noise=0).copy()
    error[:] = 0.5
    error[{"seed": 0, "step": slice(3, None)}] = 0.0
    found = page.speed(cube.isel(width=[0], seed=[0, 1], weight_decay=0, label_noise=0).assign(train_error=error))
    assert found.values.ravel().tolist() == [1 / steps[3], 0.0]
