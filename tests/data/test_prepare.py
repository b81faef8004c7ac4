import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from dlatlas.data import prepare as module
from dlatlas.data.prepare import prepare, update, verify
from dlatlas.errors import InputError
from dlatlas.identity.store import read_arrays

ROOT = Path(__file__).parents[2]
FILES = ("digits.safetensors", "mnist1d.safetensors", "photo_patches.safetensors")


def dvc(folder, *words):
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(folder / ".site")}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def point_at(folder, pointer, dvc_folder_md5):
    """A pointer as ``dvc add`` and `update` leave it."""
    pointer.write_text(yaml.safe_dump({"outs": [{"md5": dvc_folder_md5(folder), "hash": "md5", "path": folder.name}]}))
    update(pointer, folder)


@pytest.fixture
def project(tmp_path, made, monkeypatch, dvc_folder_md5):
    """The working directory of a project with prepared data."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, "data")
    point_at(Path("data"), Path("data.dvc"), dvc_folder_md5)
    return tmp_path


DATA, POINTER = Path("data"), Path("data.dvc")


def fault(check=verify):
    with pytest.raises(InputError) as raised:
        check(DATA, POINTER)
    return str(raised.value)


def test_the_published_pointer_is_the_one_of_the_files_made_here(tmp_path):
    """If this fails on a new machine or library, the message says which file, and what to do."""
    prepare(tmp_path / "data", ROOT / "data.dvc")


def test_prepare_makes_what_is_missing_and_only_that(project, monkeypatch):
    (DATA / "digits.safetensors").unlink()
    before = {file: (DATA / file).stat().st_mtime_ns for file in FILES[1:]}
    made_by = module._makers(("dlatlas",))
    monkeypatch.setattr(module, "_makers", lambda packages: {**made_by, "mnist1d": None, "photo_patches": None})
    prepare(DATA, POINTER)
    assert {file: (DATA / file).stat().st_mtime_ns for file in FILES[1:]} == before
    assert sorted(path.name for path in DATA.iterdir()) == list(FILES)


def test_prepare_overwrites_nothing(project):
    (DATA / "digits.safetensors").write_bytes(b"my own")
    assert "digits.safetensors: truncated" in fault(prepare)
    assert (DATA / "digits.safetensors").read_bytes() == b"my own"


KILLED = """
import os, signal
from pathlib import Path
from dlatlas.data import prepare as module

def killed(path):
    path.write_bytes(b"half of it")
    os.kill(os.getpid(), signal.SIGKILL)

makers = module._makers(("dlatlas",))
module._makers = lambda packages: {**makers, "mnist1d": killed}
module.prepare(Path("data"), Path("data.dvc"))
"""


def test_a_killed_preparation_leaves_no_half_written_file_and_the_next_one_succeeds(project):
    shutil.rmtree(DATA)
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=project)
    assert done.returncode == -9
    assert [path.name for path in DATA.iterdir() if not path.name.startswith(".partial-")] == ["digits.safetensors"]
    prepare(DATA, POINTER)
    (left,) = DATA.glob(".partial-*")  # it could belong to a process that is still at work
    os.utime(left, (time.time() - 7200,) * 2)
    prepare(DATA, POINTER)
    assert sorted(path.name for path in DATA.iterdir()) == list(FILES)


def test_a_data_set_of_one_s_own_package_is_made_too(project, monkeypatch):
    home = project / "elsewhere" / "ownsets"
    (home / "data").mkdir(parents=True)
    (home / "data" / "ones.py").write_text('import numpy as np\n\ndef make():\n    return {"x": np.ones(3)}\n')
    monkeypatch.syspath_prepend(home.parent)
    with pytest.raises(InputError, match=r"data/ones\.safetensors: not listed in data\.dvc"):
        prepare(DATA, POINTER, ("dlatlas", "ownsets"))
    assert read_arrays(DATA / "ones.safetensors")["x"].tolist() == [1, 1, 1]


def test_a_changed_file_is_named_with_both_digests_and_the_way_out(project):
    path = DATA / "digits.safetensors"
    published = hashlib.md5(path.read_bytes()).hexdigest()
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    changed = hashlib.md5(path.read_bytes()).hexdigest()
    assert fault() == (
        f"data/digits.safetensors: digest {changed} differs from data.dvc, which says {published}; "
        "delete the file to make it again, or run `dvc add data` if the change is meant"
    )
    path.unlink()
    prepare(DATA, POINTER)


def test_a_truncated_file_is_told_so(project):
    path = DATA / "mnist1d.safetensors"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:1000])
    assert fault() == (
        f"data/mnist1d.safetensors: truncated, 1000 bytes of the {size} in data.dvc; "
        "delete it and prepare or pull it again"
    )


def test_a_missing_file_is_told_so(project):
    (DATA / "photo_patches.safetensors").unlink()
    assert fault() == ("data/photo_patches.safetensors: missing, but data.dvc lists it; `dvc pull data.dvc` brings it")


def test_a_foreign_file_is_told_so_but_not_what_snakemake_leaves(project):
    (DATA / ".snakemake_timestamp").touch()
    verify(DATA, POINTER)
    (DATA / "mnist").mkdir()
    (DATA / "mnist" / "t10k-labels-idx1-ubyte").touch()
    assert fault() == (
        "data/mnist/t10k-labels-idx1-ubyte: not listed in data.dvc; remove it, or `dvc add data` if it is a data set"
    )


def test_several_faults_are_told_in_a_line_each(project):
    (DATA / "digits.safetensors").unlink()
    (DATA / "mnist1d.safetensors").write_bytes(b"")
    (DATA / "x").touch()
    assert [line.split(":")[0] for line in fault().splitlines()] == [
        "data/digits.safetensors", "data/x", "data/mnist1d.safetensors"
    ]  # fmt: skip


def test_a_machine_that_makes_other_bytes_says_what_to_do(project, monkeypatch):
    other = {**module._makers(("dlatlas",)), "digits": lambda path: path.write_bytes(b"else")}
    monkeypatch.setattr(module, "_makers", lambda packages: other)
    (DATA / "digits.safetensors").unlink()
    message = fault(prepare)
    assert message.startswith("data/digits.safetensors: made here with digest ")
    assert "this machine's libraries round differently; get the published file by deleting it and `dvc pull" in message
    assert "\n" not in message


def test_a_pointer_whose_list_is_out_of_date_is_told_so(project, dvc_folder_md5):
    (DATA / "x").write_text("new")
    content = yaml.safe_load(POINTER.read_text())
    content["outs"][0]["md5"] = dvc_folder_md5(DATA)
    POINTER.write_text(yaml.safe_dump(content))
    assert fault().startswith(f"data.dvc: meta.files is not the list of files of digest {dvc_folder_md5(DATA)}; ")
    update()
    verify(DATA, POINTER)


def test_the_list_is_not_written_for_another_folder_than_the_one_added(project):
    before = POINTER.read_text()
    (DATA / "x").touch()
    with pytest.raises(InputError, match=r"^data\.dvc: digest .* is not that of data, .*; run `dvc add data`$"):
        update()
    assert POINTER.read_text() == before


@pytest.mark.parametrize("text", ["", "outs: []", "outs:\n- path: data\n", "- 1\n", "{", "outs: 3\n"])
def test_a_broken_pointer_is_told_in_one_line(project, text):
    POINTER.write_text(text)
    assert fault() == "data.dvc: not a DVC pointer with one output and its md5; restore it from git"


def test_a_missing_pointer_is_told_in_one_line(project):
    POINTER.unlink()
    assert fault() == "data.dvc: missing; `git checkout -- data.dvc` restores it, `dvc add` makes a new one"


def test_dvc_itself_agrees(tmp_path, monkeypatch):
    """The real ``dvc add``: its digest is ours, nested folders included; its status and it keep our section."""
    monkeypatch.chdir(tmp_path)
    dvc(tmp_path, "init", "--no-scm", "-q")
    shutil.copy(ROOT / ".dvcignore", ".dvcignore")
    (DATA / "a").mkdir(parents=True)
    for file in ("a.txt", "a-b", "a/x", "Z", "é", "a/.snakemake_timestamp"):
        (DATA / file).write_text(file)
    dvc(tmp_path, "add", "-q", "data")
    update()
    verify(DATA, POINTER)
    text = POINTER.read_text()
    assert set(yaml.safe_load(text)["meta"]["files"]) == {"a.txt", "a-b", "a/x", "Z", "é"}
    assert "up to date" in dvc(tmp_path, "status")
    dvc(tmp_path, "add", "-q", "data")
    assert POINTER.read_text() == text
    (DATA / "Z").write_text("changed")
    dvc(tmp_path, "add", "-q", "data")
    assert "meta.files is not the list of files" in fault()
    update()
    verify(DATA, POINTER)
