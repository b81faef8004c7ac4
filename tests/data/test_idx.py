import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dlatlas.data.idx import read_idx
from dlatlas.errors import InputError


@given(arrays(np.uint8, array_shapes(min_dims=1, max_dims=3, max_side=5)), st.booleans())
def test_an_array_comes_back_from_its_file(tmp_path_factory, idx, array, zipped):
    path = tmp_path_factory.mktemp("idx") / ("a.gz" if zipped else "a")
    path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    assert np.array_equal(read_idx(path, (None,) * array.ndim), array)
    assert np.array_equal(read_idx(path, array.shape), array)


MAGIC = "expected magic number 0x00000801 (IDX, bytes, 1 dimensions), found 0x"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda whole: b"", "expected an IDX header of 8 bytes, found 0 bytes"),
        (lambda whole: whole[:6], "expected an IDX header of 8 bytes, found 6 bytes"),
        (lambda whole: b"\0\0\x08\x03" + whole[4:], MAGIC + "00000803"),
        (lambda whole: b"\0\0\x0d\x01" + whole[4:], MAGIC + "00000d01"),
        (lambda whole: whole[:-1], "its header promises 13 bytes, found 12"),
        (lambda whole: whole + b"\0", "its header promises 13 bytes, found 14"),
        (lambda whole: whole[:4] + b"\xff" * 4 + whole[8:], "its header promises 4294967303 bytes, found 13"),
    ],
)  # fmt: skip
def test_a_broken_file_is_told_in_one_line(tmp_path, idx, change, message):
    path = tmp_path / "labels"
    path.write_bytes(change(idx(np.arange(5))))
    with pytest.raises(InputError) as fault:
        read_idx(path, (None,))
    assert str(fault.value) == f"{path}: {message}"


def test_images_of_another_size_are_refused(tmp_path, idx):
    (tmp_path / "a").write_bytes(idx(np.zeros((2, 32, 32))))
    with pytest.raises(InputError, match=r"a: expected sizes nx28x28, found 2x32x32$"):
        read_idx(tmp_path / "a", (None, 28, 28))


@pytest.mark.parametrize(
    "broken", [lambda whole: whole[:-9], lambda whole: whole[:12] + b"\xff" * 9, lambda whole: b"no"]
)
def test_a_broken_gzip_file_is_told_in_one_line(tmp_path, idx, broken):
    path = tmp_path / "a.gz"
    path.write_bytes(broken(gzip.compress(idx(np.arange(5)))))
    with pytest.raises(InputError, match=r"a\.gz: not a whole gzip file \(.+\)$"):
        read_idx(path, (None,))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError) as fault:
        read_idx(tmp_path / "a", (None,))
    assert str(fault.value) == f"{tmp_path / 'a'}: missing"
