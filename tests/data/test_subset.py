import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlatlas.data.subset import subset
from dlatlas.errors import InputError
from dlatlas.identity.streams import stream


@given(st.integers(1, 60), st.integers(0, 60))
def test_a_subset_has_its_size_and_no_index_twice(count, more):
    chosen = subset("a", count, count + more, stream("k", "data"))
    assert len(chosen) == len(set(chosen.tolist())) == count
    assert set(chosen.tolist()) <= set(range(count + more))


def test_the_whole_set_keeps_its_order_and_draws_nothing():
    generator = stream("k", "data")
    assert np.array_equal(subset("a", 7, 7, generator), np.arange(7))
    assert generator.random() == stream("k", "data").random()


def test_every_index_is_as_likely_as_any_other():
    counts = np.zeros(10)
    generator = stream("k", "data")
    for _ in range(3000):
        counts[subset("a", 3, 10, generator)] += 1
    z = (counts - 900) / np.sqrt(3000 * 0.3 * 0.7)
    assert np.abs(z).max() < 4.5


@pytest.mark.parametrize("count", [0, 11])
def test_an_impossible_size_is_refused(count):
    with pytest.raises(InputError, match=f"^a: expected a whole number from 1 to 10, found {count}$"):
        subset("a", count, 10, stream("k", "data"))
