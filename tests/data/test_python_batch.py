import pickle
import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlatlas.data.python_batch import read_python_batch
from dlatlas.errors import InputError
from dlatlas.identity.streams import stream

X = stream("cifar", "data").integers(256, size=(4, 3072)).astype(np.uint8)
LABELS = [3, 0, 9, 3]


def test_a_batch_is_read_as_python_itself_reads_it(tmp_path, python2_batch):
    """The oracle is the real thing, on bytes that this test wrote itself."""
    (tmp_path / "b").write_bytes(python2_batch(X, LABELS))
    ours, theirs = read_python_batch(tmp_path / "b"), pickle.loads(python2_batch(X, LABELS), encoding="bytes")
    assert set(ours) == set(theirs) == {b"batch_label", b"labels", b"data", b"filenames"}
    assert np.array_equal(ours[b"data"], theirs[b"data"])
    assert np.array_equal(ours[b"data"], X)
    assert ours[b"data"].dtype == np.uint8
    for key in (b"batch_label", b"labels", b"filenames"):
        assert ours[key] == theirs[key]


keys = st.text(max_size=4)


def test_an_array_in_column_order_is_read_as_python_itself_reads_it(tmp_path, python2_batch):
    whole = python2_batch(X, LABELS).replace(b"tb\x89T", b"tb\x88T")
    (tmp_path / "b").write_bytes(whole)
    ours, theirs = read_python_batch(tmp_path / "b")[b"data"], pickle.loads(whole, encoding="bytes")[b"data"]
    assert np.array_equal(ours, theirs)
    assert not np.array_equal(ours, X)


values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2**31 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=3),
)


@settings(deadline=None)
@given(st.dictionaries(keys, values, max_size=5))
def test_plain_values_are_read_as_python_itself_wrote_them(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("plain") / "b"
    path.write_bytes(pickle.dumps(content, protocol=2))
    assert read_python_batch(path) == content


class Mine:
    """An object that runs a function when it is loaded."""

    def __reduce__(self):
        return (print, ("loaded",))


@pytest.mark.parametrize(
    "content",
    [
        {"data": Mine()},
        {"data": Mine},
        {"data": pickle.loads},
        {"data": np.zeros(3, np.uint8).reshape},
        {"data": {1, 2}},
        {"data": 1j},
        Mine(),
    ],
)
@pytest.mark.parametrize("protocol", range(6))
def test_nothing_that_asks_for_code_is_loaded(tmp_path, capsys, content, protocol):
    (tmp_path / "b").write_bytes(pickle.dumps(content, protocol=protocol))
    with pytest.raises(InputError, match=r"b: not a CIFAR batch: ") as fault:
        read_python_batch(tmp_path / "b")
    assert "\n" not in str(fault.value)
    assert capsys.readouterr().out == ""


def test_the_classic_attack_is_refused_by_name(tmp_path):
    proof = tmp_path / "proof"
    attack = (
        b"\x80\x02cos\nsystem\nq\x01X"
        + struct.pack("<I", len(f"touch {proof}"))
        + f"touch {proof}".encode()
        + b"\x85R."
    )
    (tmp_path / "b").write_bytes(attack)
    with pytest.raises(InputError, match='asks for "os system", which a data file has no need of'):
        read_python_batch(tmp_path / "b")
    assert not proof.exists()
    pickle.loads(attack)  # the attack is a real one
    assert proof.exists()


def test_an_array_of_objects_is_refused(tmp_path, python2_batch):
    whole = python2_batch(X, LABELS).replace(b"U\x02u1", b"U\x02O8")
    (tmp_path / "b").write_bytes(whole)
    with pytest.raises(InputError, match=r"holds an array of b'O8', expected bytes \(u1\)$"):
        read_python_batch(tmp_path / "b")


def test_a_file_cut_anywhere_is_refused(tmp_path, python2_batch):
    whole = python2_batch(X[:1, :8], [1])
    for end in range(len(whole)):
        (tmp_path / "b").write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"b: not a CIFAR batch: ") as fault:
            read_python_batch(tmp_path / "b")
        assert "\n" not in str(fault.value)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_file_changed_anywhere_is_read_or_refused_but_never_breaks_the_reader(tmp_path_factory, python2_batch, data):
    whole = bytearray(python2_batch(X[:2, :8], [1, 2]))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("fuzz") / "b"
    path.write_bytes(bytes(whole))
    with suppress(InputError):
        assert isinstance(read_python_batch(path), dict)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"b: missing$"):
        read_python_batch(tmp_path / "b")
