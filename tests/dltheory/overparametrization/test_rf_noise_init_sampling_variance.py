import numpy as np
import pytest
import xarray as xr
from threadpoolctl import threadpool_limits

from dlatlas.cubes.cube import with_fixed
from dltheory.overparametrization import rf_noise_init_sampling_variance as page

NAME = "rf_noise_init_sampling_variance"
RATIO = [0.125, 0.25, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0, 4.5, 7.0, 10.0]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As in a job of the workflow; on a busy machine threads that spin make small matrices a hundred times slower."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def ideal():
    """The laptop cube as the theory has it, with 2 % of noise a seed, and a kernel without features' variance."""
    rng = np.random.default_rng(0)
    empty = xr.Dataset(
        {"ratio": ("size", RATIO)},
        {"ridge": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 1.0], "seed": range(12), "members": list(page.MEMBERS)},
        {"fixed": '{"n":80,"d":100,"variance":0.5}', "study": NAME},
    ).set_coords("ratio")
    theory = page.STUDY.theory(with_fixed(empty))
    noisy = {}
    for name in (*page.PARTS, "error"):
        spread = xr.DataArray(1 + 0.02 * rng.standard_normal((13, 6, 12)), dims=("size", "ridge", "seed"))
        noisy[name] = theory[name] * spread
    end = noisy["sampling"] + noisy["bias"]
    line = end + (noisy["error"] - end) / empty["members"]
    status = xr.zeros_like(noisy["error"], dtype=np.int8)
    bare = end.isel(size=-1) + 0 * end
    return empty.assign(**noisy, kernel=end, bare=bare, ensemble=line, status=status)


PLANTED = {
    "noise and initialisation diverge": lambda cube: {"noise": cube["noise"] * cube["ridge"] ** 0.25},
    "bias and sampling stay finite": lambda cube: {"sampling": cube["sampling"] * cube["ridge"] ** -0.25},
    "flat beyond the peak": lambda cube: {"bias": cube["bias"] * cube["ratio"] ** -0.25},
    "peak at P = N": lambda cube: {"error": cube["error"].roll(size=1)},
    "ensembles end at the effective ridge": lambda cube: {"kernel": 1.2 * cube["kernel"]},
}


def test_a_cube_as_the_theory_has_it_supports_every_claim(ideal, outcomes):
    found = outcomes(NAME, ideal)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(ideal, outcomes, claim):
    assert outcomes(NAME, ideal.assign(PLANTED[claim](ideal)), claim) == {claim: "refuted"}


def test_initialisation_that_is_finite_or_does_not_decay_refutes_what_stays_flat_beside_it(ideal, outcomes):
    for claim, init in (
        ("bias and sampling stay finite", ideal["init"] * ideal["ridge"] ** 0.5),
        ("flat beyond the peak", ideal["init"] * abs(ideal["ratio"] - 1)),
    ):
        assert outcomes(NAME, ideal.assign(init=init), claim) == {claim: "refuted"}
