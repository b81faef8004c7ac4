"""A copy of the checkout with one small study, and Snakemake run in it as a user would."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from dlatlas.declare.lab import Lab

ROOT = Path(__file__).parents[2]


class Repo:
    """A checkout of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.env = {**os.environ, "PYTHONPATH": str(path / "src")}
        self.interpreter = sys.executable

    def own_environment(self) -> None:
        """A ``.venv`` in the checkout, as `make` leaves it there."""
        (self.path / ".venv").symlink_to(sys.prefix)
        self.interpreter = str(self.path / ".venv" / "bin" / "python")

    def python(self, *words: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            [self.interpreter, *words],
            **{"cwd": self.path, "env": self.env, **options},
            capture_output=True,
            text=True,
            check=False,
        )

    def snakemake(self, *words: str, scale: str = "smoke", studies: str = "") -> subprocess.CompletedProcess:
        config = ["--config", f"scale={scale}", *([f"studies={studies}"] if studies else [])]
        # -P: as the commands `snakemake` and `dlatlas`, which do not look for modules where they are typed.
        return self.python("-P", "-m", "snakemake", "--cores", "2", *words, *config)

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
    for name in ("Snakefile", "data.dvc", "pyproject.toml", "references.bib"):
        shutil.copy(ROOT / name, to / name)
    (to / "params").mkdir()
    lab = Lab.read(to)
    for name, chapter in lab.chapters.items():
        if name in studies:
            (to / "params" / chapter).mkdir(exist_ok=True)
            shutil.copy(ROOT / "params" / chapter / f"{name}.yaml", to / "params" / chapter)
        else:
            lab.file(name).unlink()
    return Repo(to)


@pytest.fixture(scope="session", name="checkout")
def checkout_fixture() -> Callable[..., Repo]:
    """``checkout(to, studies)``."""
    return checkout


@pytest.fixture(scope="session")
def once(tmp_path_factory, worker_id) -> Callable[[str, Callable[[Path], None]], Path]:
    """``once(name, make)``: a folder filled by ``make``, by the first of the test processes that asks for it."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent

    def of(name: str, make: Callable[[Path], None]) -> Path:
        home = shared / f"once-{name}"
        with FileLock(shared / f"once-{name}.lock"):
            if not (home / "made").exists():
                shutil.rmtree(home, ignore_errors=True)
                home.mkdir()
                make(home)
                (home / "made").touch()
        return home

    return of


@pytest.fixture(scope="session")
def finished(once) -> Repo:
    """A checkout in which ``dlatlas new edge`` was typed and everything was made; not to be changed."""

    def make(home: Path) -> None:
        repo = checkout(home / "repo")
        done = repo.python("-m", "dlatlas", "new", "edge", "--params", "params")
        assert done.returncode == 0, done.stderr
        done = repo.snakemake()
        assert done.returncode == 0, done.stdout + done.stderr

    return Repo(once("finished", make) / "repo")


@pytest.fixture
def repo(finished, tmp_path) -> Repo:
    """A copy of the finished checkout, without Snakemake's own records, to be spoilt by one test."""
    copy = finished.copy(tmp_path / "repo")
    shutil.rmtree(copy.path / ".snakemake")
    return copy


class Committed(Repo):
    """A checkout that is a git repository, with DVC set up."""

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=A. Uthor", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *who, *words], cwd=self.path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def dvc(self, *words: str) -> subprocess.CompletedProcess:
        return self.python("-P", "-m", "dlatlas.publishing.remote", *words)

    def dlatlas(self, *words: str) -> subprocess.CompletedProcess:
        return self.python("-P", "-m", "dlatlas", *words)

    def clone(self, to: Path) -> "Committed":
        self.git("clone", "--quiet", str(self.path), str(to))
        return Committed(to)

    def copy(self, to: Path) -> "Committed":
        return Committed(super().copy(to).path)


@pytest.fixture(scope="session")
def committed(finished, once) -> Committed:
    """The finished checkout as a git repository whose figures were drawn from its only commit; not to be changed."""

    def make(home: Path) -> None:
        repo = Committed(finished.copy(home / "repo").path)
        for name in (".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore"):
            (repo.path / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, repo.path / name)
        (repo.path / "results" / ".gitkeep").touch()
        repo.git("init", "--quiet", "--initial-branch=main")
        repo.commit("Everything")
        for name in ("edge/figure.svg", "edge/figure.png", "atlas/index.html"):
            (repo.path / "results" / name).unlink()
        done = repo.snakemake()
        assert done.returncode == 0, done.stdout + done.stderr

    return Committed(once("committed", make) / "repo")


@pytest.fixture(scope="session")
def published(committed, once) -> Committed:
    """The committed checkout, published to a local folder and committed again; not to be changed."""

    def make(home: Path) -> None:
        repo = committed.copy(home / "repo")
        for words in (["add", "-d", "store", str(home / "store")], ["modify", "store", "verify", "true"]):
            assert repo.dvc("remote", *words).returncode == 0
        repo.commit("Add a remote")
        done = repo.dlatlas("publish", "--scale", "smoke")
        assert done.returncode == 0, done.stdout + done.stderr
        repo.commit("Publish")

    return Committed(once("published", make) / "repo")
