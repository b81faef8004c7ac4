"""Names that are contents: canonical JSON and digests."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

SCHEMA = 1
"""Raise it when what a stored run means changes in a way that no digest sees; every run is then trained again."""


def canonical(value: object) -> str:
    """JSON with sorted keys in which ``1``, ``1.0`` and ``np.float64(1)`` are the same text."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def digest(value: object) -> str:
    """The first 20 hexadecimal digits of the SHA-256 of ``canonical(value)``."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:20]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
