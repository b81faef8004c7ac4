"""A selection means one value of an axis, up to round-off."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dlatlas.declare.nearest import meant, selected
from dlatlas.errors import InputError


def places(values, wanted):
    return np.flatnonzero(meant(values, wanted)).tolist()


@pytest.mark.parametrize(
    ("values", "wanted", "expected"),
    [
        (np.linspace(0.1, 0.5, 5), 0.3, [2]),
        ([0.1, 0.2, 0.1 + 0.2], 0.3, [2]),
        ([-0.3, -5.6e-17, 0.3], 0, [1]),
        ([-0.3, -5.6e-17, 0.3], 0.0, [1]),
        ([0.3, 0.1 + 0.2, 0.4], 0.3, [0, 1]),  # a zipped column, written in two ways
        ([10**9, 10**9 + 1, 10**9 + 2], 10**9 + 1, [1]),
        ([1e9, 1e9 + 1, 1e9 + 2], 10**9 + 1, [1]),
        ([1.0, 1 + 1e-10, 1 + 2e-10], 1 + 1e-10, [1]),
        ([1e-8, 1.0], 1.05e-8, []),
        ([1e-8, 1.0], 0, []),
        ([0.1, 0.2], 0.15, []),
        ([0.5], 0.5 + 1e-12, [0]),
        ([0.5], 0.6, []),
        ([0.1, np.inf, np.nan], 0.1, [0]),
        ([0.1, np.inf], np.inf, [1]),
        ([np.nan], 0.1, []),
        ([1, 2, 3], 2.0, [1]),
        ([1, 2, 3], 2.5, []),
        ([True, False], True, [0]),
        (["a", "b"], "b", [1]),
        (["a", "b"], 3, []),
        ([0.1, 0.2], "a", []),
        ([0.1, 0.2], None, []),
    ],
)
def test_a_number_means_its_value_and_no_neighbour(values, wanted, expected):
    assert places(values, wanted) == expected


@given(
    st.lists(st.floats(-1e12, 1e12).map(lambda v: float(f"{v:.9g}")), min_size=1, max_size=30, unique=True),
    st.integers(0, 29),
    st.integers(-2, 2),
)
def test_every_value_of_an_axis_is_found_alone_and_within_two_units_of_round_off(values, at, off):
    wanted = values[at % len(values)]
    assume(wanted or len(values) > 1 or not off)  # an axis of 0 alone has no scale
    for _ in range(abs(off)):
        wanted = float(np.nextafter(wanted, np.inf * off))
    assert places(values, wanted) == [at % len(values)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ((0.3, None), [2, 3]),
        ((None, 0.3), [0, 1, 2]),
        ((None, None), [0, 1, 2, 3]),
        ([0.4, 0.1], [0, 3]),
        (0.3, [2]),
    ],
)
def test_lists_and_pairs_follow_the_same_rule(wanted, expected):
    chosen = selected([0.1, 0.2, 0.1 + 0.2, 0.4], wanted, "here", "lr")
    assert np.flatnonzero(chosen).tolist() == expected


@pytest.mark.parametrize(
    ("values", "wanted", "said"),
    [
        ([0.1, 0.2], 0.3, 'here: unknown value of lr "0.3"; allowed: 0.1, 0.2'),
        ([0.1, 0.2], [0.1, 0.15], 'here: unknown value of lr "0.15"; allowed: 0.1, 0.2'),
        ([0.1, 0.2], (0.3, None), "here: lr has no value from 0.3 to None; it has 0.1, 0.2"),
        (list(range(50)), 99, r'here: unknown value of lr "99"; allowed: 0, 1, .*, 19, … \(50 in all\)$'),
        (["sgd", "adam"], "sgdd", 'here: unknown value of lr "sgdd"; did you mean "sgd"'),
    ],
)
def test_a_value_that_is_not_there_is_an_error_that_lists_those_that_are(values, wanted, said):
    with pytest.raises(InputError, match=said):
        selected(values, wanted, "here", "lr")
