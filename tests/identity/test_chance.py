"""Global generators: seeded, watched, and left as they were."""

import contextlib
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from dlatlas.errors import InputError
from dlatlas.identity import chance

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


@pytest.mark.parametrize("name", DRAWS)
def test_what_is_forbidden_is_refused_in_one_line(name):
    said = f"solve draws from {name}, which is another one at each start; allowed: mine"
    with pytest.raises(InputError, match=said), chance.forbidden("solve", "mine"):
        DRAWS[name]()
    with chance.forbidden("solve", "mine"):
        np.random.default_rng(0).random()


@pytest.mark.parametrize(("draws", "said"), [("torch.rand(1)", chance.TORCH), ("torch.ones(1)", "")])
def test_torch_that_is_first_imported_where_it_is_watched_is_watched_too(draws, said):
    program = (
        "from dlatlas.identity import chance\nimport sys\nassert 'torch' not in sys.modules\n"
        f"before = chance.standing()\nimport torch\n{draws}\nprint(chance.drawn_from(before))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == said
