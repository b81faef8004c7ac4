import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlatlas.identity import content as identity

VALUES = st.one_of(
    st.booleans(), st.integers(-(2**50), 2**50), st.floats(allow_nan=False, allow_infinity=False), st.text()
)


@given(st.dictionaries(st.text(), VALUES))
def test_the_order_of_keys_does_not_matter(record):
    assert identity.canonical(record) == identity.canonical(dict(reversed(record.items())))


@given(st.integers(-(2**50), 2**50))
def test_a_whole_number_and_its_float_are_the_same(value):
    assert (
        identity.digest({"n": value}) == identity.digest({"n": float(value)}) == identity.digest({"n": np.int64(value)})
    )


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_different_numbers_have_different_names(a, b):
    assert (identity.canonical(a) == identity.canonical(b)) == (a == b or (a == 0 and b == 0))


def test_true_is_not_one():
    assert identity.digest(True) != identity.digest(1)


def test_a_nan_has_no_name():
    with pytest.raises(ValueError):
        identity.canonical(math.nan)


def test_digests_are_golden():
    """None of these may change: every stored run is found by such a digest, and a change orphans them all.

    If what a run means changes, raise identity.SCHEMA instead; it renames the runs on purpose.
    """
    assert identity.canonical({"b": 1.0, "a": [True, 0.1, "x"]}) == '{"a":[true,0.1,"x"],"b":1}'
    assert identity.digest({"lr": 0.1, "width": 64, "seed": 3}) == "b77231e47a932e24c19e"


def test_a_file_is_named_by_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"atlas")
    assert identity.file_digest(tmp_path / "a") == hashlib.sha256(b"atlas").hexdigest()
