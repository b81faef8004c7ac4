"""A copy of the checkout with one small study, and Snakemake run in it as a user would."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Repo:
    """A checkout of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.env = {**os.environ, "PYTHONPATH": str(path / "src"), "PYTHONDONTWRITEBYTECODE": "1"}

    def python(self, *words: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.path,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            **options,
        )

    def snakemake(self, *words: str, scale: str = "smoke", studies: str = "") -> subprocess.CompletedProcess:
        config = ["--config", f"scale={scale}", *([f"studies={studies}"] if studies else [])]
        return self.python("-m", "snakemake", "--cores", "2", *words, *config)

    def jobs(self, **options) -> dict[str, int]:
        """Which jobs a dry run would do; empty if nothing is to be done."""
        done = self.snakemake("-n", **options)
        assert done.returncode == 0, done.stdout + done.stderr
        text = done.stdout + done.stderr
        if "Nothing to be done" in text:
            return {}
        table = text.split("Job stats:")[1].split("total")[0]
        counts = {name: int(number) for name, number in re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)}
        counts.pop("all", None)
        return counts

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.path / name
        text = path.read_text()
        assert old in text, f"{name} no longer has {old!r}"
        path.write_text(text.replace(old, new))

    def copy(self, to: Path) -> "Repo":
        shutil.copytree(self.path, to, symlinks=True)
        return Repo(to)


def checkout(to: Path, studies: tuple[str, ...] = ()) -> Repo:
    """The files of this checkout that the pipeline needs, with only these studies."""
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", to / "src", ignore=ignore)
    shutil.copytree(ROOT / "workflow", to / "workflow", ignore=ignore)
    (to / "profiles").symlink_to("workflow/profiles")
    for name in ("Snakefile", "data.dvc"):
        shutil.copy(ROOT / name, to / name)
    (to / "params").mkdir()
    for path in (to / "src" / "dlatlas" / "studies").glob("*.py"):
        if path.stem in studies:
            shutil.copy(ROOT / "params" / f"{path.stem}.yaml", to / "params")
        elif path.stem != "__init__":
            path.unlink()
    return Repo(to)


@pytest.fixture(scope="session", name="checkout")
def checkout_fixture() -> Callable[..., Repo]:
    """``checkout(to, studies)``."""
    return checkout


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Repo:
    """A checkout in which ``dlatlas new edge`` was typed and everything was made, once a session."""
    repo = checkout(tmp_path_factory.mktemp("finished") / "repo")
    done = repo.python("-m", "dlatlas", "new", "edge", "--params", "params")
    assert done.returncode == 0, done.stderr
    done = repo.snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    return repo


@pytest.fixture
def repo(finished, tmp_path) -> Repo:
    """A copy of the finished checkout, without Snakemake's own records, to be spoilt by one test."""
    copy = finished.copy(tmp_path / "repo")
    shutil.rmtree(copy.path / ".snakemake")
    return copy
