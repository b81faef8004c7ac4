"""Data and results of another commit from the DVC remote of this checkout, and what of them arrived damaged."""

import hashlib
import json
from pathlib import Path

import yaml

from dlatlas.errors import AtlasError
from dlatlas.publishing.remote import dvc, remote_name


def use_remote(root: Path, tree: Path, wanted: str | None = None) -> str | None:
    """Lets a worktree pull from a remote of ``root``; returns that remote's name, None if there is none.

    The remote's settings, secret ones too, go to the worktree's ``.dvc/config.local``, which git ignores. DVC's own
    check of what arrives is off there: it says only that something is wrong, `damaged` says what.

    Raises:
        InputError: as for `remote_name`.
    """
    if not (root / ".dvc" / "config").is_file() or not (tree / ".dvc").is_dir():
        return None
    from configobj import ConfigObj
    from dvc.config import Config

    name = remote_name(root, wanted)
    if name is None:
        return None
    remote = Config(str(root / ".dvc"))["remote"][name]
    config = ConfigObj()
    config["core"], config["cache"] = {"remote": name}, {"dir": "cache"}
    config[f'remote "{name}"'] = {**remote, "verify": False}
    config.filename = str(tree / ".dvc" / "config.local")
    config.write()
    return name


def pull(tree: Path, pointer: str) -> str | None:
    """Pulls what one pointer of a worktree names; returns what went wrong, None if nothing did."""
    try:
        dvc(tree, "pull", pointer, show=False)
    except AtlasError as error:
        return str(error)
    return None


def damaged(tree: Path, pointer: str) -> list[str]:
    """The files of a pulled pointer that are not those it names: missing, foreign or of another digest."""
    (out,) = yaml.safe_load((tree / pointer).read_text(encoding="utf-8"))["outs"]
    target, md5 = (tree / pointer).parent / out["path"], out["md5"]
    if not md5.endswith(".dir"):
        return [] if target.is_file() and _md5(target) == md5 else [_relative(target, tree)]
    listing = tree / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    if not listing.is_file() or _md5(listing) != md5.removesuffix(".dir"):
        return [f"the list of files of {pointer}"]
    wanted = {target / entry["relpath"]: entry["md5"] for entry in json.loads(listing.read_text(encoding="utf-8"))}
    found = {path for path in target.rglob("*") if path.is_file()}
    return sorted(
        _relative(path, tree)
        for path in {*wanted, *found}
        if path not in found or path not in wanted or _md5(path) != wanted[path]
    )


def _relative(path: Path, tree: Path) -> str:
    return str(path.relative_to(tree))


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
