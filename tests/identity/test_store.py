import errno
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlatlas.errors import AtlasError, CorruptedError, InputError
from dlatlas.identity import store


def test_arrays_come_back_as_they_were(tmp_path):
    arrays = {"b": np.arange(6.0).reshape(2, 3), "a": np.array([1, 2], dtype=np.int8), "c/d": np.zeros((0, 2))}
    digest = store.write_arrays(tmp_path / "x.safetensors", arrays)
    back = store.read_arrays(tmp_path / "x.safetensors", digest)
    assert set(back) == set(arrays)
    for name, value in arrays.items():
        np.testing.assert_array_equal(back[name], value)
        assert back[name].dtype == value.dtype


@given(
    dtype=st.sampled_from(["f8", "f4", "f2", "i8", "i4", "i1", "u2", "?"]),
    shape=st.lists(st.integers(0, 5), min_size=1, max_size=3),
    rows=st.slices(5).filter(lambda rows: (rows.step or 1) == 1),
)
def test_rows_are_read_alone_as_they_are_in_the_whole(tmp_path_factory, dtype, shape, rows):
    path = tmp_path_factory.mktemp("rows") / "x.safetensors"
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    digest = store.write_arrays(path, {"before": np.ones(3, dtype=np.int8), "x": array, "y": np.ones(2)})
    opened = store.open_arrays(path, digest)
    assert set(opened) == {"before", "x", "y"}
    assert opened["x"].shape == array.shape
    assert opened["x"].dtype == array.dtype
    np.testing.assert_array_equal(opened["x"][rows], array[rows])


def test_rows_of_a_corrupted_file_are_not_read(tmp_path):
    path = tmp_path / "x.safetensors"
    digest = store.write_arrays(path, {"a": np.arange(5.0)})
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"x\.safetensors: corrupted: its digest is"):
        store.open_arrays(path, digest)
    with pytest.raises(InputError, match=r"y\.safetensors: no such file"):
        store.open_arrays(tmp_path / "y.safetensors", digest)


def test_equal_arrays_give_equal_bytes_whatever_their_order(tmp_path):
    one = store.write_arrays(tmp_path / "one", {"a": np.ones(3), "b": np.zeros(2, dtype=np.float32)})
    two = store.write_arrays(tmp_path / "two", {"b": np.zeros(2, dtype=np.float32), "a": np.ones(3)})
    assert one == two
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@given(position=st.integers(0, 10**6))
def test_one_changed_byte_is_found_by_the_digest(tmp_path_factory, position):
    path = tmp_path_factory.mktemp("byte") / "x.safetensors"
    digest = store.write_arrays(path, {"a": np.arange(5.0)})
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.safetensors: corrupted: its digest is \w{12}, x\.json says"):
        store.read_arrays(path, digest)


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "x.safetensors"
    store.write_arrays(path, {"a": np.arange(50.0)})
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"x\.safetensors: not a whole safetensors file"):
        store.read_arrays(path)


def test_a_full_disk_leaves_the_old_file_and_no_crumbs(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    store.write_json(path, {"old": 1})

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(AtlasError, match=r"x\.json: cannot be written: No space left on device"):
        store.write_json(path, {"new": 2})
    assert store.read_json(path) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_ctrl_c_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    store.write_json(path, {"old": 1})

    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.write_json(path, {"new": 2})
    assert store.read_json(path) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AtlasError, match=r"x\.json: cannot be written: File exists"):
        store.write_json(tmp_path / "file" / "x.json", {})


def test_no_permission_is_one_line():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        root = os.geteuid() == 0
        try:
            if root:  # who may write everywhere
                os.seteuid(65534)
            with pytest.raises(AtlasError, match=r"x\.json: cannot be written: Permission denied"):
                store.write_json(Path(folder) / "x.json", {})
        finally:
            if root:
                os.seteuid(0)
        assert not list(Path(folder).iterdir())


def test_a_half_record_is_named(tmp_path):
    (tmp_path / "x.json").write_text('{"a": ')
    with pytest.raises(InputError, match=r"x\.json: not a whole JSON record"):
        store.read_json(tmp_path / "x.json")
    with pytest.raises(InputError, match=r"y\.json: no such file"):
        store.read_json(tmp_path / "y.json")


@given(position=st.integers(0, 10**6), cut=st.booleans())
def test_a_sealed_file_that_is_cut_or_changed_anywhere_is_found(tmp_path_factory, position, cut):
    path = tmp_path_factory.mktemp("sealed") / "x"
    store.write_sealed(path, {"a": np.arange(5.0)})
    np.testing.assert_array_equal(store.read_sealed(path)["a"], np.arange(5.0))
    content = bytearray(path.read_bytes())
    position %= len(content)
    content[position] ^= 1
    path.write_bytes(content[:position] if cut else content)
    with pytest.raises(CorruptedError, match="x: corrupted"):
        store.read_sealed(path)


def test_what_a_killed_writer_left_is_removed_and_a_living_one_s_is_not(tmp_path):
    host = os.uname().nodename
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    left = tmp_path / f".x.json.{host}.{dead.pid}"
    living, elsewhere = tmp_path / f".x.json.{host}.{os.getppid()}", tmp_path / f".x.json.other{host}.{dead.pid}"
    for path in (left, living, elsewhere):
        path.write_text("half")
    store.write_json(tmp_path / "x.json", {"whole": 1})
    assert sorted(tmp_path.iterdir()) == sorted([living, elsewhere, tmp_path / "x.json"])


def test_the_second_of_two_waits_and_a_killed_one_holds_nothing(tmp_path):
    path = tmp_path / "x.json"
    hold = "import sys; from pathlib import Path; from dlatlas.identity.store import only_one\n"
    hold += f"with only_one(Path({str(path)!r})): print('mine', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        first.stdout.readline()
        entered = threading.Event()

        def second():
            with store.only_one(path):
                entered.set()

        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.5)
        first.kill()
        assert entered.wait(10)
        thread.join()
    assert not list(tmp_path.iterdir())


def test_what_is_corrupted_is_moved_aside_and_kept_each_time(tmp_path):
    pair = tmp_path / "x.json", tmp_path / "x.safetensors"
    for number in (1, 2):
        for path in pair:
            path.write_text(f"bad {number}")
        with (
            pytest.raises(InputError, match=rf"bad; set aside as x.json.corrupted{number}"),
            store.setting_aside(*pair),
        ):
            raise CorruptedError("bad")
        assert not any(path.exists() for path in pair)
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["bad 1", "bad 1", "bad 2", "bad 2"]
    assert not list(tmp_path.glob("*.json"))
