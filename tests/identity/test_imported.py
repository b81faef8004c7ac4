"""What is run is what was read, whatever Python has compiled before."""

import os
import subprocess
import sys

import pytest

from dlatlas.errors import AtlasError
from dlatlas.identity import imported

RUN = "from dlatlas.identity.imported import check, text_of, watch\nwatch()\n"


@pytest.fixture
def run(tmp_path):
    """``run(program)`` in a process of its own that may import what lies in a folder."""

    def program(text):
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        return subprocess.run([sys.executable, "-c", RUN + text], env=env, capture_output=True, text=True, check=False)

    return program


def test_an_edit_of_the_same_length_in_the_same_second_is_run(tmp_path, run):
    path = tmp_path / "scale.py"
    path.write_text("K = 2\n")
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    ask = "import scale\nprint(scale.K)\n"
    plain = [sys.executable, "-c", f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport scale\n"]
    subprocess.run(plain, check=True, env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"})
    assert [run(ask).stdout for _ in range(2)] == ["2\n", "2\n"]
    path.write_text("K = 3\n")
    os.utime(path, ns=times)  # Python's own compiled file passes for current now
    assert run(ask).stdout == "3\n"


def test_what_was_compiled_from_the_same_text_is_used_again_and_a_damaged_file_is_not(tmp_path, run):
    (tmp_path / "scale.py").write_text("K = 2\n")
    ask = "import scale\nprint(scale.K)\n"
    assert run(ask).stdout == "2\n"
    (kept,) = (tmp_path / "__pycache__").glob("scale.*.text.pyc")
    whole, before = kept.read_bytes(), kept.stat().st_mtime_ns
    assert run(ask).stdout == "2\n"
    assert kept.stat().st_mtime_ns == before
    kept.write_bytes(whole[:-5])
    assert run(ask).stdout == "2\n"
    assert kept.read_bytes() == whole


@pytest.mark.parametrize(("edited", "said"), [("K = 3", "the code changed while this ran"), ("K = 2", "")])
def test_code_that_is_imported_after_an_edit_stores_nothing(tmp_path, run, edited, said):
    path = tmp_path / "scale.py"
    path.write_text("K = 2\n")
    done = run(
        f"from pathlib import Path\nfrom dlatlas.identity.store import write_json\np = Path({str(path)!r})\n"
        f"text_of(p)\np.write_text('{edited}\\n')\nimport scale\n"
        f"write_json(p.with_name('result.json'), {{'k': scale.K}})\n"
    )
    assert said in done.stderr
    assert (tmp_path / "result.json").exists() == (said == "")


def test_installed_packages_and_python_s_own_are_left_alone(run):
    done = run(
        "import json.tool, xarray\nprint(type(json.tool.__loader__).__name__, type(xarray.__loader__).__name__)\n"
    )
    assert done.stdout == "SourceFileLoader SourceFileLoader\n"


def test_nothing_is_compared_where_nobody_watches(tmp_path):
    path = tmp_path / "scale.py"
    path.write_text("K = 2\n")
    imported.text_of(path)
    path.write_text("K = 3\n")
    imported.check()
    imported._run[path] = b"another"
    try:
        with pytest.raises(AtlasError, match=r"scale\.py: the code changed"):
            imported.check()
    finally:
        del imported._run[path]
