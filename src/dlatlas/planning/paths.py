"""Folders of any name, as Snakemake and the shells behind it read them.

Snakemake takes the values of ``--config`` for YAML, braces and angle brackets in an output for patterns, and quotes
what it tells a cluster's job as Python would, which a shell reads otherwise. Here each is told what was meant.
"""

import hashlib
import os
import shlex
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from dlatlas.errors import AtlasError

FOLDERS = ("params", "data", "results")
"""Settings that are folders."""

LINKS = Path(".snakemake", "dlatlas")
"""Where links with plain names are, from the working directory."""

PATTERN = frozenset("{}<>")
"""What Snakemake reads as a wildcard or a variable in a path, without a way to escape it."""


def home(root: Path) -> Path:
    """Where a run that is started here belongs: the checkout from any folder in it, as for git; else right here."""
    here = Path.cwd()
    return root if root in here.parents else here


def at_home(folder: str) -> Path:
    """A folder; ``~/x`` is in the home folder, as a shell has it where it stands alone."""
    return Path(folder).expanduser() if folder.startswith("~/") else Path(folder)


def as_typed(entries: Iterable[str], start: Path) -> dict[str, str]:
    """The folders that ``--config`` entries name, letter by letter, as seen from the working directory.

    Args:
        entries: ``name=value`` each.
        start: the folder in which they were typed.
    """
    said = dict(entry.split("=", 1) for entry in entries if "=" in entry)
    moved = start != Path.cwd()
    return {
        key: os.path.relpath(start / at_home(said[key])) if moved else said[key] for key in FOLDERS if said.get(key)
    }


def plain(folder: Path) -> Path:
    """A folder by a name that Snakemake does not take for a pattern: its own, or that of a link in `LINKS`.

    Raises:
        AtlasError: the folder or the link cannot be made.
    """
    if not PATTERN & set(str(folder)):
        return folder
    target = folder.absolute()
    link = LINKS / hashlib.sha256(os.fsencode(target)).hexdigest()[:12]
    try:
        target.mkdir(parents=True, exist_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            link.symlink_to(target)
    except OSError as error:
        raise AtlasError(f"{folder}: cannot be linked to from {link}: {error.strerror or error}") from None
    return link


def quote_jobs() -> None:
    """Has Snakemake quote the command lines of a cluster's jobs for a shell.

    It writes ``repr`` of each argument, in which ``it's $HOME`` is another folder, and the interpreter as it is. What
    jobs start takes no file of the working directory for a module of Python's.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    from snakemake_interface_executor_plugins import utils
    from snakemake_interface_executor_plugins.executors import real

    if hasattr(utils.format_cli_pos_arg, "of_snakemake"):
        return
    theirs, command = utils.format_cli_pos_arg, real.RealExecutor.format_job_exec

    def text(value: object) -> bool:
        return isinstance(value, str | os.PathLike) and not utils.is_quoted(str(value))

    def argument(value: object, quote: bool = True, base64_encode: bool = False) -> str:
        if quote and not base64_encode:
            if text(value):
                return shlex.quote(str(value))
            if isinstance(value, list | tuple) and all(text(item) for item in value):
                return shlex.join(str(item) for item in value)
        return theirs(value, quote=quote, base64_encode=base64_encode)

    def whole(self: real.RealExecutor, job: object) -> str:
        python = self.get_python_executable()
        # -P: a file of the working directory that is called as a module of Python's would be taken for it.
        return command(self, job).replace(f"{python} -m ", f"{shlex.quote(python)} -P -m ", 1)

    argument.of_snakemake = theirs
    utils.format_cli_pos_arg, real.RealExecutor.format_job_exec = argument, whole
