"""What ``data.dvc`` says: the digests of the prepared data."""

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from dlatlas.errors import InputError


def digest(pointer: Path, name: str | None = None) -> str:
    """What the data are named by: the digest of all of them, or of one data set alone.

    Args:
        pointer: ``data.dvc``.
        name: a data set; its files are ``<name>.safetensors`` and those in the folder ``<name>``.

    Returns:
        DVC's md5 of the folder; or for one data set the md5 of its list of files, made in the same way, which another
        data set's coming or going leaves as it is, and which is empty for one that has no files.

    Raises:
        InputError: the pointer is missing or is not one.
    """
    if name is None:
        return read(pointer)[0]
    files = read(pointer)[1]
    own = {file: md5 for file, md5 in files.items() if file == f"{name}.safetensors" or file.startswith(f"{name}/")}
    return folder_md5(own).removesuffix(".dir") if own else ""


def read(pointer: Path) -> tuple[str, dict[str, str], dict[str, int]]:
    """DVC's md5 of the folder, the md5 of every file in it, and their sizes.

    Raises:
        InputError: the pointer is missing or is not one.
    """
    if not pointer.is_file():
        raise InputError(f"{pointer}: missing; `git checkout -- {pointer.name}` restores it, `dvc add` makes a new one")
    try:
        content: dict[str, Any] = yaml.safe_load(pointer.read_text(encoding="utf-8"))
        (out,) = content["outs"]
        meta = content.get("meta") or {}
        return str(out["md5"]), dict(meta.get("files") or {}), dict(meta.get("sizes") or {})
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
        raise InputError(f"{pointer}: not a DVC pointer with one output and its md5; restore it from git") from None


def folder_md5(files: dict[str, str]) -> str:
    """DVC's name of a folder: the md5 of the JSON of its files, in order of their paths, and ``.dir``."""
    entries = [{"md5": md5, "relpath": file} for file, md5 in sorted(files.items())]
    text = json.dumps(entries, sort_keys=True).encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest() + ".dir"
