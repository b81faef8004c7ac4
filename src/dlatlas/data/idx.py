"""IDX, the file format of MNIST (LeCun, Cortes & Burges): a magic number, the sizes, the bytes."""

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import InputError


def read_idx(path: Path, shape: tuple[int | None, ...]) -> NDArray[np.uint8]:
    """The array of unsigned bytes in the IDX file ``path``.

    Args:
        path: the file; one whose name ends in ``.gz`` is decompressed.
        shape: the sizes it must have; None is any.

    Returns:
        uint8, of the file's shape.

    Raises:
        InputError: the file is missing, not gzip where it says so, not IDX of bytes, of another shape, or
            longer or shorter than its header says.
    """
    if not path.is_file():
        raise InputError(f"{path}: missing")
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, gzip.zlib.error) as fault:
            raise InputError(f"{path}: not a whole gzip file ({fault})") from None
    header, magic = 4 + 4 * len(shape), 0x800 + len(shape)
    if len(content) < 4:
        raise InputError(f"{path}: expected an IDX header of {header} bytes, found {len(content)} bytes")
    found = int.from_bytes(content[:4], "big")
    if found != magic:
        raise InputError(
            f"{path}: expected magic number 0x{magic:08x} (IDX, bytes, {len(shape)} dimensions), found 0x{found:08x}"
        )
    if len(content) < header:
        raise InputError(f"{path}: expected an IDX header of {header} bytes, found {len(content)} bytes")
    sizes = struct.unpack(f">{len(shape)}I", content[4:header])
    if any(size not in (None, actual) for size, actual in zip(shape, sizes)):
        wanted = "x".join("n" if size is None else str(size) for size in shape)
        raise InputError(f"{path}: expected sizes {wanted}, found {'x'.join(map(str, sizes))}")
    expected = header + int(np.prod(sizes, dtype=object))
    if len(content) != expected:
        raise InputError(f"{path}: its header promises {expected} bytes, found {len(content)}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(sizes)
