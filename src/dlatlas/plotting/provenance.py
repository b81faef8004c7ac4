"""Where a figure comes from, written into the file itself."""

import json
import subprocess
from pathlib import Path
from typing import Any

from dlatlas import __version__


def commit(root: Path) -> dict[str, Any]:
    """The checkout's commit and whether it has uncommitted changes; None outside git."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    head = git("rev-parse", "HEAD")
    return {"commit": head, "dirty": bool(git("status", "--porcelain")) if head else None}


def provenance(study: str, scale: str, digests: dict[str, str], root: Path) -> str:
    """Provenance as JSON: commit, study, scale, digests, and the command that makes the figure again."""
    return json.dumps(
        {
            "atlas": __version__,
            "study": study,
            "scale": scale,
            **commit(root),
            **digests,
            "again": f"snakemake --cores all --config studies={study} scale={scale}",
        },
        sort_keys=True,
    )
