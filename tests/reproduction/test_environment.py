import os
import subprocess
import sys
import threading
import zipfile

import pytest

from dlatlas.errors import AtlasError
from dlatlas.reproduction import environment
from dlatlas.reproduction.environment import facts, interpreter, locked


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dlatlas"


@pytest.fixture
def lock(tmp_path):
    """The lock file of a commit that wants one small package, from a wheel beside it."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "tiny-1.0-py3-none-any.whl", "w") as file:
        file.writestr("tiny.py", "NUMBER = 42\n")
        file.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        file.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("tiny-1.0.dist-info/RECORD", "")
    path = tmp_path / "old" / "requirements.lock"
    path.parent.mkdir()
    path.write_text(f"--no-index\n--find-links {wheels}\ntiny==1.0\n")
    return path


def run(python, *words, env=None):
    return subprocess.run([python, *words], capture_output=True, text=True, check=True, env=env).stdout.strip()


def test_a_lock_file_is_installed_once_even_by_two_at_once(lock, cache):
    told, found = [], []
    threads = [threading.Thread(target=lambda: found.append(locked(lock, told.append))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1]
    assert run(found[0], "-c", "import tiny; print(tiny.NUMBER)") == "42"
    assert sorted(line.split()[1] for line in told) == ["from", "installing"]
    assert sorted(path.suffix for path in (cache / "environments").iterdir()) == ["", ".lock"]


def test_the_locked_environment_has_the_commit_s_source_and_nothing_of_ours(lock, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/ours")
    python, variables = interpreter(lock, lock.with_name("other.lock"), None, lambda line: None)
    assert run(python, "-c", "import os, sys; print(sys.path[1])", env=variables) == str(lock.parent / "src")
    assert "/ours" not in run(python, "-c", "import sys; print(sys.path)", env=variables)
    assert facts(python, variables)["versions"]["numpy"] is None


def test_what_cannot_be_installed_is_one_line_and_leaves_nothing(lock, cache):
    lock.write_text(lock.read_text().replace("1.0", "2.0"))
    with pytest.raises(AtlasError, match=r"requirements.lock: cannot be installed: ERROR: .*tiny==2.0.*--env current"):
        locked(lock, lambda line: None)
    assert [path.suffix for path in (cache / "environments").iterdir()] == [".lock"]


def test_the_current_environment_serves_where_the_lock_files_agree(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "locked", lambda *_: pytest.fail("must not be built"))
    monkeypatch.setenv("PYTHONPATH", "/ours")
    old, new = tmp_path / "old" / "requirements.lock", tmp_path / "new" / "requirements.lock"
    for path in (old, new):
        path.parent.mkdir()
        path.write_text("tiny==1.0\n")
    told = []
    python, variables = interpreter(old, new, None, told.append)
    assert str(python) == sys.executable
    assert variables["PYTHONPATH"] == f"{tmp_path / 'old' / 'src'}{os.pathsep}/ours"
    assert told == ["environment: the current one: the lock files are the same"]
    new.write_text("tiny==2.0\n")
    assert interpreter(old, new, "current", told.append)[0] == python
    old.unlink()
    assert interpreter(old, new, None, told.append)[0] == python
    assert told[-1] == "environment: the current one: that commit has no requirements.lock"
    with pytest.raises(AtlasError, match="that commit has none; use --env current"):
        interpreter(old, new, "lock", told.append)


def test_facts_are_those_of_this_environment():
    import numpy

    assert facts(environment.Path(sys.executable), dict(os.environ))["versions"]["numpy"] == numpy.__version__
