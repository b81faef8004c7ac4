"""Files that are whole or absent: arrays as safetensors, records as JSON, each written aside and renamed."""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from dlatlas.errors import AtlasError, InputError
from dlatlas.identity import file_digest


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file through a temporary name in the same folder and a rename.

    Raises:
        AtlasError: no permission or no space; the old file, if any, is untouched.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise AtlasError(f"{path}: cannot be written: {error.strerror or error}") from error
        raise


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Writes a record, keys in the order given, one line an entry."""
    write_bytes(path, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Reads a record.

    Raises:
        InputError: missing or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `snakemake --cores all` makes it") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a whole JSON record ({error}); delete it and run again") from None


def write_arrays(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> str:
    """Writes named arrays and returns the SHA-256 of the file; equal arrays give equal bytes."""
    ordered = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    content = save(ordered)
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def read_arrays(path: Path, sha256: str | None = None) -> dict[str, NDArray[np.generic]]:
    """Reads named arrays, after checking the digest if one is given.

    Raises:
        InputError: missing, truncated, or of another digest.
    """
    _verify(path, sha256)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: not a whole safetensors file ({error}); delete it and run again") from None


@dataclass(frozen=True)
class StoredArray:
    """One array of a file, on disk until rows of it are asked for."""

    path: Path
    offset: int
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]

    def __getitem__(self, rows: slice) -> NDArray[np.generic]:
        """Consecutive rows."""
        start, stop, _ = rows.indices(self.shape[0])
        number, row = max(0, stop - start), prod(self.shape[1:])
        offset = self.offset + start * row * self.dtype.itemsize
        # A plain read, not a map: pages of mapped files would count as this process's memory.
        values = np.fromfile(self.path, self.dtype, number * row, offset=offset)
        return values.reshape(number, *self.shape[1:])


def open_arrays(path: Path, sha256: str) -> dict[str, StoredArray]:
    """The named arrays of a file whose digest was just checked, unread.

    Raises:
        InputError: missing, truncated, or of another digest.
    """
    _verify(path, sha256)
    # https://huggingface.co/docs/safetensors: length of the header, header as JSON, then the arrays in C order.
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    return {
        name: StoredArray(path, 8 + size + entry["data_offsets"][0], _dtype(entry["dtype"]), tuple(entry["shape"]))
        for name, entry in header.items()
    }


def _dtype(word: str) -> np.dtype[np.generic]:
    """``F64`` -> ``float64``, as safetensors names them."""
    if word == "BOOL":
        return np.dtype(bool)
    return np.dtype(f"<{word[0].lower()}{int(word[1:]) // 8}")


def _verify(path: Path, sha256: str | None) -> None:
    if not path.is_file():
        raise InputError(f"{path}: no such file; delete its .json and run again to make both")
    if sha256 is not None and (found := file_digest(path)) != sha256:
        manifest = path.with_suffix(".json").name
        raise InputError(
            f"{path}: corrupted: its digest is {found[:12]}, {manifest} says {sha256[:12]}; "
            "delete both and run again: only these runs are made anew"
        )
