"""Files that are whole or absent: arrays as safetensors, records as JSON, each written aside and renamed."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, load_file, save

from dlatlas.errors import AtlasError, CorruptedError, InputError
from dlatlas.identity.content import file_digest
from dlatlas.identity.imported import check


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file through a temporary name of this process's own in the same folder, and a rename.

    What a killed process left of the same file is removed.

    Raises:
        AtlasError: no permission or no space, or the code that this process runs is not the one that names say; the old
            file, if any, is untouched.
    """
    check()
    aside = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}")
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
    for other in path.parent.glob(f".{path.name}.{os.uname().nodename}.*"):
        if not _alive(other.suffix[1:]):
            other.unlink(missing_ok=True)


def _alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Waits until no other process makes ``path``. A killed process holds no lock."""
    lock = path.with_name(f".{path.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with lock.open("w") as file:
            with suppress(OSError):  # a file system without locks: names of their own keep two writers apart
                fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_file_at(lock, file.fileno()):
                continue  # its last holder has removed it
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


def _is_file_at(path: Path, number: int) -> bool:
    try:
        return os.path.samestat(os.fstat(number), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def setting_aside(*paths: Path) -> Iterator[None]:
    """Moves files that turn out corrupted out of the way, under a name that says so: the next run makes them anew.

    Raises:
        InputError: what is corrupted, and where it is now.
    """
    try:
        yield
    except CorruptedError as error:
        number = 1
        while any(path.with_name(f"{path.name}.corrupted{number}").exists() for path in paths):
            number += 1
        for path in paths:
            with suppress(FileNotFoundError):
                path.rename(path.with_name(f"{path.name}.corrupted{number}"))
        raise InputError(
            f"{error}; set aside as {paths[0].name}.corrupted{number}; run again: only what it held is made anew"
        ) from None


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Writes a record, keys in the order given, one line an entry."""
    write_bytes(path, (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Reads a record.

    Raises:
        InputError: missing.
        CorruptedError: not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `snakemake --cores all` makes it") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptedError(f"{path}: not a whole JSON record ({error})") from None


def write_arrays(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> str:
    """Writes named arrays and returns the SHA-256 of the file; equal arrays give equal bytes."""
    ordered = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    content = save(ordered)
    write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def read_arrays(path: Path, sha256: str | None = None) -> dict[str, NDArray[np.generic]]:
    """Reads named arrays, after checking the digest if one is given.

    Raises:
        CorruptedError: missing, truncated, or of another digest.
    """
    if sha256 is not None:
        check_digest(path, sha256)
    try:
        return load_file(path)
    except FileNotFoundError:
        raise CorruptedError(f"{path}: no such file") from None
    except SafetensorError as error:
        raise CorruptedError(f"{path}: not a whole safetensors file ({error})") from None


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
        CorruptedError: missing, truncated, or of another digest.
    """
    check_digest(path, sha256)
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


def check_digest(path: Path, sha256: str) -> None:
    """Compares a file with the digest in the manifest beside it.

    Raises:
        CorruptedError: missing, or of another digest.
    """
    if not path.is_file():
        raise CorruptedError(f"{path}: no such file")
    if (found := file_digest(path)) != sha256:
        manifest = path.with_suffix(".json").name
        raise CorruptedError(f"{path}: corrupted: its digest is {found[:12]}, {manifest} says {sha256[:12]}")


def write_sealed(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Writes named arrays that no manifest vouches for: SHA-256 (32 bytes), then safetensors."""
    content = save({name: np.ascontiguousarray(value) for name, value in arrays.items()})
    write_bytes(path, hashlib.sha256(content).digest() + content)


def read_sealed(path: Path) -> dict[str, NDArray[np.generic]]:
    """Reads what ``write_sealed`` wrote.

    Raises:
        CorruptedError: missing, truncated, or changed by a single bit.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CorruptedError(f"{path}: no such file") from None
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        raise CorruptedError(f"{path}: corrupted")
    return load(content[32:])
