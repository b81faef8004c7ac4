"""Other commits of the checkout: one as a worktree of its own, the files of others."""

import os
import shlex
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dlatlas.errors import AtlasError, InputError
from dlatlas.identity.git import git
from dlatlas.planning.provenance import read_signature
from dlatlas.reproduction.environment import cache_folder


def resolve(root: Path, commit: str) -> str:
    """The full hash of a commit.

    Raises:
        InputError: not a git checkout, or no such commit.
    """
    try:
        git(root, "rev-parse", "--git-dir")
    except AtlasError:
        raise InputError(f"{root}: not a git checkout; reproduce needs the history: git clone it") from None
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    except AtlasError:
        raise InputError(f"{commit}: no such commit in {root}; `git fetch` brings those of its remote") from None


@contextmanager
def checkout(root: Path, commit: str, keep: bool, tell: Callable[[str], None]) -> Iterator[Path]:
    """A folder in the cache with a worktree of the commit, ``checkout``, both taken away at the end unless kept.

    Raises:
        AtlasError: it is there from an earlier ``--keep``, or git cannot make it.
    """
    home = cache_folder() / "checkouts"
    _clear(root, home)
    work = home / f"{commit[:12]}.{'kept' if keep else os.getpid()}"
    tree = work / "checkout"
    away = f"`git worktree remove --force {shlex.quote(str(tree))}` takes it away"
    if tree.exists():
        raise AtlasError(f"{tree}: kept by an earlier run; {away}")
    work.mkdir(parents=True, exist_ok=True)
    tell(f"checking out {commit[:12]}")
    try:
        git(root, "-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", str(tree), commit)
        yield work
    finally:
        if keep:
            tell(f"the checkout stays in {tree}; {away}")
        else:
            _remove(root, work)


def _remove(root: Path, work: Path) -> None:
    with suppress(AtlasError):
        git(root, "worktree", "remove", "--force", "--force", str(work / "checkout"))
    shutil.rmtree(work, ignore_errors=True)
    with suppress(AtlasError):
        git(root, "worktree", "prune")


def _clear(root: Path, home: Path) -> None:
    """Takes away what killed processes left."""
    for work in home.glob("*.*"):
        number = work.suffix[1:]
        if number.isdigit():
            try:
                os.kill(int(number), 0)
            except ProcessLookupError:
                _remove(root, work)
            except PermissionError:
                continue


class Origins:
    """The files of the commits that references say they were made from, each unpacked once."""

    def __init__(self, root: Path, work: Path) -> None:
        self.root, self.folder = root, work / "origins"
        self._known: dict[str, Path | None] = {}

    def of_commit(self, commit: str | None) -> Path | None:
        """The checkout's files at a commit; None if git does not have it."""
        if not commit:
            return None
        if commit not in self._known:
            self._known[commit] = self._unpack(commit)
        return self._known[commit]

    def _unpack(self, commit: str) -> Path | None:
        target = self.folder / commit
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            archive = Path(folder) / "all.tar"
            try:
                git(self.root, "archive", "--format=tar", f"--output={archive}", resolve(self.root, commit))
            except AtlasError:
                return None
            with tarfile.open(archive) as file:
                file.extractall(target, filter="data")
        return target

    def of_results(self, home: Path) -> Path | None:
        """The files that a results folder was made from, by the commit in its figure; None if that is not known.

        Results here that were made from a dirty tree are taken to be made from this checkout as it stands.
        """
        with suppress(InputError):
            signed = read_signature(home / "figure.png")
            if signed.get("dirty") is False:
                return self.of_commit(signed.get("commit"))
        return None if self.folder.parent in home.parents else self.root
