"""What planning found of each study, kept from one process to the next.

Planning a study imports it, reads its params and follows its code: 30 ms, in the main process and in every job. None of
it changes while no text that it depends on changes, so what was found is kept under the digests of those texts: the
instrument, the study and all of its lab that it imports or names, its params file, ``data.dvc``. Texts are compared,
never times.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dlatlas.declare.lab import Lab
from dlatlas.declare.registry import ROOMS
from dlatlas.errors import AtlasError
from dlatlas.identity.code import SOURCE, imports
from dlatlas.identity.imported import text_of
from dlatlas.identity.store import write_bytes

FOLDER = Path(".snakemake", "dlatlas")
"""Where it is kept, from the checkout's root; git ignores it."""


@dataclass(frozen=True)
class Record:
    """What is made of one study at one scale, by digest.

    Attributes:
        kind: train, solve or sample.
        shards: the shards, in order.
        measures: shard -> its measures (kind train).
        stages: cube, verdict and figure.
        data: prepared data set -> digest of its file.
    """

    kind: str
    shards: tuple[str, ...]
    measures: Mapping[str, str]
    stages: Mapping[str, str]
    data: Mapping[str, str]

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> "Record":
        """From its JSON."""
        return cls(said["kind"], tuple(said["shards"]), said["measures"], said["stages"], said["data"])


class Kept:
    """The records of a lab at one scale, as far as no text that they depend on has changed."""

    def __init__(self, lab: Lab, params: Path, scale: str) -> None:
        self.lab, self.scale = lab, scale
        name = hashlib.sha256(str(params.resolve()).encode()).hexdigest()[:12]
        self.path = lab.root / FOLDER / f"plan-{scale}-{name}.json"
        self.new = False

    def get(self, name: str, params: Path) -> Record | None:
        """The record of a study, None if there is none or one of its texts is another now."""
        said = self._said.get(name)
        if said is None or said["key"] != self._key(params, said["texts"]):
            return None
        return Record.read(said["record"])

    def put(self, name: str, params: Path, record: Record, named: Iterable[str]) -> None:
        """Keeps a record, until `write`; ``named`` are the modules of what its params file names."""
        files = imports([self.lab.module(name), *named], self.lab.folder.parent)
        texts = [os.path.relpath(path, self.lab.root) for path in files]
        self._said[name] = {"key": self._key(params, texts), "texts": texts, "record": asdict(record)}
        self.new = True

    def write(self) -> None:
        """Writes what is new, where it can; without it the next process plans again."""
        if self.new:
            with suppress(AtlasError, OSError):
                write_bytes(self.path, json.dumps(self._said).encode())
        self.new = False

    @cached_property
    def _said(self) -> dict[str, Any]:
        try:
            said = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def _key(self, params: Path, texts: Iterable[str]) -> str:
        parts = [self._common, text_digest(params), *(text_digest(self.lab.root / text) for text in texts)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @cached_property
    def _common(self) -> str:
        """What every study depends on: the instrument, the lab's settings, papers and data, and what it can name."""
        files = sorted(SOURCE.rglob("*.py"))
        files += [self.lab.root / name for name in ("pyproject.toml", "data.dvc")] + [self.lab.bibliography]
        names = [path.name for room in ROOMS for path in sorted((self.lab.folder / room).glob("*.py"))]
        parts = [sys.version, self.scale, *names, *(text_digest(path) for path in files)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def text_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, "" if it is not there; read once a process."""
    try:
        return hashlib.sha256(text_of(path)).hexdigest()
    except OSError:
        return ""
