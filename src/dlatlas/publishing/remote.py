"""DVC as a subprocess, with what we ask of every remote: digests verified, SSH host keys checked."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from dlatlas.errors import AtlasError, InputError
from dlatlas.identity.git import environment


def main() -> int:
    """DVC's command line: ``python -m dlatlas.publishing.remote push ...``."""
    from dvc.cli import main as dvc_main
    from dvc_objects.fs import known_implementations

    known_implementations["ssh"] = {
        **known_implementations["ssh"],
        "class": "dlatlas.publishing.ssh.CheckedSSHFileSystem",
    }
    _allow_braces()
    return dvc_main(sys.argv[1:])


def _allow_braces() -> None:
    """Lets a cache or remote lie in a folder with braces, whose path DVC takes for a format while it counts files."""
    from dvc_data.hashfile._progress import QueryingProgress

    theirs = QueryingProgress.__init__

    def ours(self: QueryingProgress, *words: Any, name: str | None = None, **options: Any) -> None:  # noqa: ANN401
        theirs(self, *words, name=name and name.replace("{", "{{").replace("}", "}}"), **options)

    QueryingProgress.__init__ = ours


def dvc(root: Path, *words: str, show: bool = True) -> None:
    """Runs DVC in the checkout; what it says is shown on a terminal if wanted.

    Raises:
        AtlasError: it failed, in its own words.
    """
    quiet = not (show and sys.stderr.isatty())
    done = subprocess.run(
        [sys.executable, "-P", "-m", "dlatlas.publishing.remote", *words],
        cwd=root,
        env={**environment(), "DVC_NO_ANALYTICS": "1"},
        capture_output=quiet,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise AtlasError(f"dvc {words[0]}: {_fault(done.stderr or '') if quiet else 'failed, as it says above'}")


def _fault(said: str) -> str:
    """The first error that DVC tells, how many more there are, and what helps."""
    errors = [line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")]
    first = errors[0] if errors else said.strip()[-300:].replace("\n", " ")
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    helps = {
        "Host key": "; compare the host's fingerprint, then `ssh-keyscan -p PORT HOST >> ~/.ssh/known_hosts`",
        "failed to transfer": "; what came through is kept, run again to go on",
        "onnection": "; what came through is kept, run again to go on",
    }
    return first + more + next((help_ for word, help_ in helps.items() if word in first), "")


def remote_name(root: Path, wanted: str | None) -> str | None:
    """The remote to use: the one wanted, else DVC's default, else the only one; None where there is none.

    Raises:
        InputError: no such remote, several and no default, or one that does not verify what it delivers.
    """
    from dvc.config import Config

    config = Config(str(root / ".dvc"))
    remotes = sorted(config["remote"])
    name = wanted or config["core"].get("remote") or (remotes[0] if len(remotes) == 1 else None)
    if name is None and not remotes:
        return None
    if name is None or name not in remotes:
        found = "no default" if name is None else f"no remote {name!r}"
        raise InputError(f".dvc/config: {found}; there are: {', '.join(remotes) or 'none'}; `--remote NAME` chooses")
    if not config["remote"][name].get("verify"):
        raise InputError(
            f".dvc/config: remote {name}: verify is off, so that a corrupted object would be pulled unnoticed; "
            f"`dvc remote modify {name} verify true`"
        )
    return name


if __name__ == "__main__":
    sys.exit(main())
