import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dlatlas.errors import InputError
from dlatlas.identity.pointer import digest, folder_md5, read

ROOT = Path(__file__).parents[2]
FILES = {"digits.safetensors": "a" * 32, "mnist1d.safetensors": "b" * 32}


def point(path, files):
    """A pointer as `dlatlas.data.prepare.update` leaves it, digests and all."""
    content = {"outs": [{"md5": folder_md5(files), "path": "data"}], "meta": {"files": files}}
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_published_digests_are_these():
    """A golden value: it names every run that uses a file data set; change it only with the data."""
    assert digest(ROOT / "data.dvc") == "68986c9e4f7b34952397ed672b6f6d75.dir"
    assert digest(ROOT / "data.dvc", "digits") == "04e3166d3ec3240309dae68f61f2c207"
    assert digest(ROOT / "data.dvc", "gaussian_regression") == ""


def test_a_folder_is_named_as_dvc_names_it():
    """The md5 of the list of its files, ordered by path; `tests/data/test_prepare.py` asks DVC itself."""
    rows = [{"md5": FILES[name], "relpath": name} for name in sorted(FILES)]
    expected = hashlib.md5(json.dumps(rows).encode()).hexdigest() + ".dir"
    assert folder_md5(dict(reversed(FILES.items()))) == expected


def test_the_digest_of_one_data_set_knows_nothing_of_the_others(tmp_path):
    before = point(tmp_path / "before", FILES)
    after = point(tmp_path / "after", {**FILES, "mnist/images": "c" * 32, "mnist1d.safetensors": "d" * 32})
    was, now = ({name: digest(path, name) for name in ("digits", "mnist1d", "mnist")} for path in (before, after))
    assert len({*was.values(), digest(before)}) == 4
    assert was["mnist"] == ""
    assert now["digits"] == was["digits"]
    assert now["mnist1d"] != was["mnist1d"]
    assert now["mnist"] != ""


def test_a_pointer_that_lists_no_files_still_names_the_folder(tmp_path):
    (tmp_path / "data.dvc").write_text(f"outs:\n- md5: {'e' * 32}.dir\n  path: data\n")
    assert read(tmp_path / "data.dvc") == ("e" * 32 + ".dir", {}, {})


@pytest.mark.parametrize("text", ["", "outs: []", "outs:\n- path: data\n", "- 1\n", "{", "outs: 3\n"])
def test_a_broken_pointer_is_told_in_one_line(tmp_path, text):
    (tmp_path / "data.dvc").write_text(text)
    with pytest.raises(InputError, match=r"data\.dvc: not a DVC pointer with one output and its md5; restore it"):
        read(tmp_path / "data.dvc")


def test_the_digest_is_cheap():
    """The planner reads it: no array library is imported for it."""
    code = "import sys, dlatlas.identity.pointer; sys.exit(bool({'numpy', 'sklearn'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
