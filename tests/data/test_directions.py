import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlatlas.data.directions import directions
from dlatlas.errors import InputError
from dlatlas.identity.streams import stream


@given(st.integers(1, 12), st.integers(0, 12), st.text(max_size=3))
def test_directions_are_orthonormal(count, more, key):
    w = directions(stream(key, "data"), count + more, count)
    assert w.shape == (count, count + more)
    assert w @ w.T == pytest.approx(np.eye(count), abs=1e-12)


def test_no_direction_is_preferred():
    """Uniform on the sphere: E w = 0 and E w w^T = I / d, for the first and for a later row, QR's signs removed."""
    generator, d, n = stream("k", "data"), 4, 4000
    draws = np.array([directions(generator, d, 3) for _ in range(n)])
    for row in (0, 2):
        w = draws[:, row]
        assert np.abs(w.mean(axis=0) * np.sqrt(n * d)).max() < 4.5
        second = w.T @ w / n
        error = np.sqrt(3 / (d * (d + 2)) / n)
        assert np.abs(second - np.eye(d) / d).max() < 4.5 * error


def test_more_directions_than_dimensions_are_refused():
    with pytest.raises(InputError, match="expected 1 to d = 3 orthonormal directions, found 4"):
        directions(stream("k", "data"), 3, 4)
