"""Small problems in large arrays."""

from pathlib import Path

import numpy as np
import pytest

from dlatlas.errors import InputError
from dltheory.data.embedded_classes import embedded_classes


def draw(**changes):
    arguments = {"n_train": 12, "inputs": 7, "dimension": 3, "n_test": 5, "margin": 0.5} | changes
    return embedded_classes(folder=Path(), generator=np.random.default_rng(0), **arguments)


def test_the_coordinates_beyond_the_dimension_are_zero_and_the_others_are_the_small_problem():
    large, small = draw(), draw(inputs=3)
    assert large.x.shape == (12, 7)
    assert large.x_test.shape == (5, 7)
    assert np.all(large.x[:, 3:] == 0)
    assert np.array_equal(large.x[:, :3], small.x)
    assert np.array_equal(large.y, small.y)


def test_a_dimension_that_does_not_fit_is_an_error():
    with pytest.raises(InputError, match="at most inputs = 7, found 8"):
        draw(dimension=8)
