"""What git says of the checkout."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dlatlas.errors import AtlasError

PUBLISHED = ("results/*.dvc", "results/ledger/*.json", "results/ledger.json", "results/.gitignore")
"""What publishing itself changes; a tree in which only these differ from the commit counts as clean."""

KEPT = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "GIT_EXEC_PATH", "GIT_SSH", "GIT_SSH_COMMAND")
"""Variables that say how git works on this machine; all its others say on which repository and how it answers."""


OUTSIDE = "made outside git"

WHY = {
    "not a git repository": OUTSIDE,
    "dubious ownership": "git trusts no checkout of another user (git config --global --add safe.directory FOLDER)",
    "No such file": "git is not installed",
    "HEAD": "no commit yet",
}
"""What git says, and what that means for a figure, which names no folder of a machine."""


def environment() -> dict[str, str]:
    """This process's variables without those by which a hook or direnv names another repository."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in KEPT}


def git(root: Path, *words: str, given: str | None = None) -> str:
    """The output of a git command on a checkout, without the newline at its end.

    Args:
        root: the checkout.
        words: the command.
        given: its standard input.

    Raises:
        AtlasError: git failed, in its own words, or is not installed.
    """
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *words],
            input=given,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            env={**environment(), "LC_ALL": "C.UTF-8"},
            check=False,
        )
    except OSError as error:
        raise AtlasError(f"git: {error.strerror}") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["failed"]
        fault = next((line for line in lines if line.startswith(("fatal: ", "error: "))), lines[-1])
        helps = next((f"; `{line.strip()}`" for line in lines if line.strip().startswith("git config ")), "")
        raise AtlasError(f"git {words[0]}: {fault}{helps}")
    return done.stdout.removesuffix("\n")


def dirty_files(root: Path, entered: Iterable[Path] = ()) -> list[str]:
    """Files that differ from the commit or are not in it, as seen from the checkout.

    Ignored ones and `PUBLISHED` are left out, but for those that entered a result: these are compared whatever git was
    told to ignore or to take for unchanged.

    Args:
        root: the checkout.
        entered: files on which results depend.

    Raises:
        AtlasError: not a git checkout.
    """
    left_out = [f":(exclude,glob){name}" for name in PUBLISHED]
    said = git(root, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", ".", *left_out)
    above = git(root, "rev-parse", "--show-prefix")
    return sorted({line[3:].removeprefix(above) for line in said.split("\0") if line} | _other(root, above, entered))


def _other(root: Path, above: str, entered: Iterable[Path]) -> set[str]:
    """Those of some files whose content is not the commit's; ``above`` is the checkout's folder in its repository."""
    base, inside, other = root.resolve(), {}, set()
    for path in entered:
        real = path.resolve()
        name = real.relative_to(base).as_posix() if real.is_relative_to(base) else None
        if name is None or "\n" in name or not real.is_file():  # git takes a name a line here
            other.add(str(path))
        else:
            inside[name] = None
    held = _committed(root)
    names = list(inside)
    found = git(root, "hash-object", "--stdin-paths", given="".join(f"{above}{name}\n" for name in names)).split()
    return other | {name for name, digest in zip(names, found) if held.get(name) != digest}


def _committed(root: Path) -> dict[str, str]:
    """The files of the commit that lie in the checkout, and git's digests of them."""
    lines = git(root, "ls-tree", "-r", "-z", "HEAD").split("\0")
    parts = [line.partition("\t") for line in lines if line]
    return {name: facts.split()[2] for facts, _, name in parts}


def head(root: Path, entered: Iterable[Path] = ()) -> dict[str, Any]:
    """The checkout's commit, its date (ISO 8601) and whether files differ from it; each None where git cannot say.

    Then ``unknown`` says why.

    Args:
        root: the checkout.
        entered: files on which results depend, see `dirty_files`.
    """
    try:
        commit, date = git(root, "show", "--no-patch", "--format=%H %cI", "HEAD").split()
        if not _committed(root):
            return _unknown("not in the repository around it")
        return {"commit": commit, "date": date, "dirty": bool(dirty_files(root, entered))}
    except AtlasError as error:
        return _unknown(next((why for word, why in WHY.items() if word in str(error)), "git fails here"))


def _unknown(why: str) -> dict[str, Any]:
    return {"commit": None, "date": None, "dirty": None, "unknown": why}
