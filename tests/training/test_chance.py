"""Global generators: seeded, watched, and left as they were."""

import contextlib
import random

import numpy as np
import pytest
import torch

from dlatlas.training import chance

DRAWS = {
    chance.PYTHON: random.random,
    chance.NUMPY: np.random.random,
    chance.TORCH: lambda: float(torch.rand((), dtype=torch.float64)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_is_told_by_the_generator_that_it_comes_from(name):
    before = chance.standing()
    assert chance.drawn_from(before) == ""
    DRAWS[name]()
    assert chance.drawn_from(before) == name


def test_many_draws_that_end_at_the_same_place_in_a_block_are_told_too():
    before = chance.standing()
    np.random.random(624 // 2)
    assert chance.drawn_from(before) == chance.NUMPY


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_equal_seeds_give_equal_draws_and_what_is_set_aside_goes_on(draw):
    chance.seed(7)
    expected = [draw(), draw()]
    chance.seed(7)
    first = draw()
    with chance.set_aside():
        chance.seed(11)
        other = draw()
    assert [first, draw()] == expected
    assert other not in expected


def test_generators_are_restored_after_an_error_as_well():
    before = chance.standing()
    with contextlib.suppress(ZeroDivisionError), chance.set_aside():
        chance.seed(1)
        raise ZeroDivisionError
    assert chance.drawn_from(before) == ""
