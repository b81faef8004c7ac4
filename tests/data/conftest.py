"""The file data sets, made once for all tests into a folder of their own."""

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from dlatlas.data import digits, mnist1d, photo_patches
from dlatlas.data.tensors import write


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """A data folder; not to be written to."""
    folder = tmp_path_factory.mktemp("made")
    for module in (digits, mnist1d, photo_patches):
        write(folder / f"{module.__name__.rpartition('.')[2]}.safetensors", module.make())
    return folder


@pytest.fixture(scope="session")
def sha256():
    """The digest of an array's bytes, little-endian."""

    def of(array: np.ndarray, dtype: str) -> str:
        return hashlib.sha256(np.ascontiguousarray(array, dtype).tobytes()).hexdigest()

    return of


@pytest.fixture(scope="session")
def idx():
    """The bytes of an IDX file, from the format's description."""

    def of(array: np.ndarray) -> bytes:
        return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()

    return of


@pytest.fixture(scope="session")
def dvc_folder_md5():
    """DVC's name of a folder, written down a second time and checked against ``dvc add`` in test_prepare."""

    def of(folder: Path) -> str:
        paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        rows = [{"md5": hashlib.md5((folder / path).read_bytes()).hexdigest(), "relpath": path} for path in paths]
        return hashlib.md5(json.dumps(rows).encode()).hexdigest() + ".dir"

    return of


@pytest.fixture(scope="session")
def python2_batch():
    """A CIFAR batch as Python 2's protocol 2 wrote it, instruction by instruction."""

    def short(text: bytes) -> bytes:
        return b"U" + bytes([len(text)]) + text

    def of(x: np.ndarray, labels: list[int], label: bytes = b"training batch 1 of 5") -> bytes:
        numbers = b"".join(b"K" + bytes([value]) for value in labels)
        n, width = x.shape
        array = (
            b"cnumpy.core.multiarray\n_reconstruct\nq\x04cnumpy\nndarray\nq\x05K\x00\x85q\x06"
            + short(b"b") + b"\x87q\x07Rq\x08(K\x01"
            + b"M" + struct.pack("<H", n) + b"M" + struct.pack("<H", width) + b"\x86q\x09"
            + b"cnumpy\ndtype\nq\x0a" + short(b"u1") + b"K\x00K\x01\x87q\x0bRq\x0c"
            + b"(K\x03" + short(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
            + b"\x89T" + struct.pack("<i", x.size) + x.tobytes() + b"tb"
        )  # fmt: skip
        names = b"".join(short(f"frog_{number}.png".encode()) for number in range(n))
        return (
            b"\x80\x02}q\x01("
            + short(b"batch_label") + b"q\x02" + short(label)
            + short(b"labels") + b"]q\x03(" + numbers + b"e"
            + short(b"data") + array
            + short(b"filenames") + b"]r\x10\x01\x00\x00(" + names + b"e"
            + b"u."
        )  # fmt: skip

    return of
