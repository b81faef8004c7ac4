import numpy as np
import pytest

from dlatlas.data.tensors import read, write
from dlatlas.errors import InputError


def test_what_is_written_is_read(tmp_path):
    arrays = {"x": np.arange(12, dtype=np.float32).reshape(3, 4).T, "y": np.array([3, 1], np.int64)}
    write(tmp_path / "a.safetensors", arrays)
    back = read(tmp_path, "a")
    assert set(back) == {"x", "y"}
    for name in arrays:
        assert np.array_equal(back[name], arrays[name])
        assert back[name].dtype == arrays[name].dtype


def test_equal_arrays_give_equal_bytes_whatever_their_order(tmp_path):
    x, y = np.ones(3, np.float32), np.zeros(2, np.int64)
    write(tmp_path / "a", {"x": x, "y": y})
    write(tmp_path / "b", {"y": y, "x": x})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_file_is_named_with_the_way_to_get_it(tmp_path):
    with pytest.raises(InputError) as fault:
        read(tmp_path, "digits")
    assert str(fault.value).startswith(f"{tmp_path / 'digits.safetensors'}: missing; make it with")


@pytest.mark.parametrize("keep", [0, 5, 60, -1])
def test_a_truncated_file_is_named(tmp_path, keep):
    write(tmp_path / "a.safetensors", {"x": np.ones(30)})
    whole = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "a.safetensors").write_bytes(whole[:keep])
    with pytest.raises(InputError, match=r"a\.safetensors: not a whole safetensors file \(.*\); delete it") as fault:
        read(tmp_path, "a")
    assert "\n" not in str(fault.value)


def test_any_other_file_is_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"\x80\x02}q\x01." * 50)
    with pytest.raises(InputError, match="not a whole safetensors file"):
        read(tmp_path, "a")
