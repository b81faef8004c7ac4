"""What git says of the checkout."""

import subprocess
from pathlib import Path

from dlatlas.errors import AtlasError

PUBLISHED = ("results/*.dvc", "results/ledger/*.json", "results/ledger.json", "results/.gitignore")
"""What publishing itself changes; a tree in which only these differ from the commit counts as clean."""


def git(root: Path, *words: str) -> str:
    """The output of a git command, without the newline at its end.

    Raises:
        AtlasError: git failed, in its own words, or is not installed.
    """
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *words], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise AtlasError(f"git: {error.strerror}") from None
    if done.returncode:
        raise AtlasError(f"git {words[0]}: {(done.stderr.strip() or 'failed').splitlines()[-1]}")
    return done.stdout.removesuffix("\n")


def dirty_files(root: Path) -> list[str]:
    """Files that differ from the commit or are not in it, ignored ones and `PUBLISHED` left out.

    Raises:
        AtlasError: not a git checkout.
    """
    left_out = [f":(exclude,glob){name}" for name in PUBLISHED]
    said = git(root, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", ".", *left_out)
    return sorted(line[3:] for line in said.split("\0") if line)


def head(root: Path) -> dict[str, str | bool | None]:
    """The checkout's commit, its date (ISO 8601) and whether files differ from it; each None outside git."""
    try:
        commit, date = git(root, "show", "--no-patch", "--format=%H %cI", "HEAD").split()
        return {"commit": commit, "date": date, "dirty": bool(dirty_files(root))}
    except AtlasError:
        return {"commit": None, "date": None, "dirty": None}
