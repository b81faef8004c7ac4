"""The interpreter that a commit's own code runs in: the current one, or one made from that commit's lock file."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from dlatlas.errors import AtlasError
from dlatlas.identity.git import environment
from dlatlas.identity.machine import processor

Choice = Literal["lock", "current"]

ASKED = ("numpy", "scipy", "torch", "pytorch-lightning", "xarray", "zarr", "matplotlib")
"""Libraries whose versions a comparison names."""


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/dlatlas``, or ``~/.cache/dlatlas``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dlatlas"


def interpreter(
    lock: Path, current: Path, choice: Choice | None, tell: Callable[[str], None]
) -> tuple[Path, dict[str, str]]:
    """A Python for the code of another checkout, and the environment variables to start it with.

    Args:
        lock: that checkout's ``requirements.lock``; its ``src`` comes first on the path.
        current: this checkout's.
        choice: lock or current; if None, current where both lock files are the same or that commit has none.
        tell: is told which, and why.

    Raises:
        AtlasError: the lock file is missing, or cannot be installed.
    """
    same = lock.is_file() and current.is_file() and lock.read_bytes() == current.read_bytes()
    wanted = choice or ("current" if same or not lock.is_file() else "lock")
    source = str(lock.parent / "src")
    if wanted == "current":
        why = "" if choice else ": the lock files are the same" if same else ": that commit has no requirements.lock"
        tell(f"environment: the current one{why}")
        path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
        return Path(sys.executable), {**environment(), "PYTHONPATH": path}
    if not lock.is_file():
        raise AtlasError(f"{lock.name}: that commit has none; use --env current")
    python = locked(lock, tell)
    variables = {name: value for name, value in environment().items() if name not in ("PYTHONHOME", "VIRTUAL_ENV")}
    return python, {**variables, "PYTHONPATH": source, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}


def locked(lock: Path, tell: Callable[[str], None]) -> Path:
    """The Python of a virtual environment with what a lock file lists, made once for each lock file's content.

    It is built aside and renamed, and whoever comes second waits.

    Raises:
        AtlasError: pip failed, in its own words.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    name = hashlib.sha256(lock.read_bytes() + version.encode()).hexdigest()[:20]
    home = cache_folder() / "environments" / name
    home.parent.mkdir(parents=True, exist_ok=True)
    with _alone(home.with_name(f"{name}.lock")):
        if home.is_dir():
            tell(f"environment: from the lock file, kept in {home}")
        else:
            tell(f"environment: installing the lock file into {home}")
            _build(lock, home)
    return home / "bin" / "python"


def _build(lock: Path, home: Path) -> None:
    aside = home.with_name(f".{home.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--python", str(aside / "bin" / "python")]
    try:
        for words in (
            [sys.executable, "-m", "venv", "--without-pip", str(aside)],
            [*pip, "install", "--quiet", "--disable-pip-version-check", "--requirement", str(lock)],
        ):
            done = subprocess.run(words, cwd=lock.parent, capture_output=True, text=True, check=False)
            if done.returncode:
                said = (done.stderr.strip() or done.stdout.strip() or "failed").splitlines()
                errors = [line for line in said if line.startswith("ERROR")] or said
                raise AtlasError(f"{lock.name}: cannot be installed: {errors[-1]}; or try --env current")
        aside.rename(home)
    except OSError as error:
        raise AtlasError(f"{home}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def facts(python: Path, variables: dict[str, str]) -> dict[str, Any]:
    """The ``versions`` of the libraries in an environment, by name, and the ``processor``."""
    code = (
        "import json, platform\n"
        "from importlib.metadata import PackageNotFoundError, version\n"
        "def of(name):\n"
        "    try: return version(name)\n"
        "    except PackageNotFoundError: return None\n"
        f"versions = {{name: of(name) for name in {ASKED!r}}} | {{'python': platform.python_version()}}\n"
        "print(json.dumps(versions))"
    )
    done = subprocess.run([python, "-P", "-c", code], env=variables, capture_output=True, text=True, check=False)
    return {"versions": json.loads(done.stdout) if done.returncode == 0 else {}, "processor": processor()}
