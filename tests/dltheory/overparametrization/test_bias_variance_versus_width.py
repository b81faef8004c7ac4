import numpy as np
import pytest

from dlatlas.cubes.cube import with_fixed
from dltheory.overparametrization import bias_variance_versus_width as page

NAME = "bias_variance_versus_width"
THRESHOLD = 99 * 10 / 75
"""Units with as many parameters as 100 examples have outputs."""


def planted(cube, bias, sets, starts):
    """Errors whose squared bias and variances are functions of the width over the threshold."""
    rng, dims = np.random.default_rng(0), ("width", "seed", "sample", "start", "direction")
    size = [cube.sizes[dim] for dim in dims]
    ratio = cube["width"].values.reshape(-1, 1, 1, 1, 1) / THRESHOLD
    errors = np.sqrt(bias(ratio) / size[-1])
    errors = errors + np.sqrt(sets(ratio) / size[-1]) * rng.standard_normal([1, *size[1:3], 1, size[-1]])
    errors = errors + np.sqrt(starts(ratio) / size[-1]) * rng.standard_normal([1, *size[1:]])
    before = np.broadcast_to(rng.standard_normal(size), errors.shape)
    values = cube["error"].transpose("step", *dims).copy(data=np.stack([before, errors]))
    return cube.assign(error=values.transpose(*cube["error"].dims))


def peak(ratio):
    return np.minimum(ratio, 1 / ratio)


THEORY = {"bias": lambda ratio: 1 / ratio, "sets": peak, "starts": peak}
OPPOSITE = {
    "bias falls": {"bias": lambda ratio: ratio},
    "variance peaks at the threshold": {"sets": lambda ratio: ratio**2},
    "over training sets it levels off": {"sets": lambda ratio: ratio},
    "over initialisations it falls": {"starts": lambda ratio: ratio},
    "no U-curve": {"bias": lambda ratio: ratio},
}


@pytest.fixture
def cube(smoke_cube):
    """The smoke cube's shape with twelve seeds."""
    cube = smoke_cube(NAME)
    return cube.isel(seed=np.resize(np.arange(cube.sizes["seed"]), 12)).assign_coords(seed=range(12))


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, outcomes):
    found = outcomes(NAME, planted(cube, **THEORY))
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", OPPOSITE)
def test_the_opposite_of_a_claim_is_refuted(cube, outcomes, claim):
    assert outcomes(NAME, planted(cube, **{**THEORY, **OPPOSITE[claim]}), claim) == {claim: "refuted"}


def test_parts_are_those_planted(cube):
    found = planted(cube, bias=lambda ratio: 2 + 0 * ratio, sets=lambda ratio: ratio, starts=lambda ratio: 3 * ratio)
    ratio = found["width"].values / THRESHOLD
    for part, truth in zip(page.parts(found), (2, ratio, 3 * ratio)):
        np.testing.assert_allclose(part.mean("seed") / truth, 1, rtol=0.25)


def test_the_distance_from_the_threshold_is_in_octaves(cube):
    found = with_fixed(planted(cube, **{**THEORY, "sets": lambda ratio: ratio**2}))
    away = page.STUDY.observables["peak_away"](found, page.theory(found))
    assert away.values == pytest.approx(np.log2(128 / THRESHOLD))
