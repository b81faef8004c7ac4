"""One file data set: named NumPy arrays in a safetensors file, nothing that could run code."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import InputError


def write(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Write ``arrays`` to ``path``; equal arrays give equal bytes on every machine.

    Args:
        path: the file; the caller sees to the temporary name and the rename.
        arrays: name to array, of any shape and any dtype safetensors knows.
    """
    from safetensors.numpy import save

    path.write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def read(folder: Path, name: str) -> dict[str, NDArray[np.generic]]:
    """The arrays of the file data set ``name``.

    Args:
        folder: the data folder.
        name: the data set; its file is ``<name>.safetensors``.

    Raises:
        InputError: the file is missing, truncated or not a safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    path = Path(folder) / f"{name}.safetensors"
    again = "make it with dlatlas.data.prepare or `dvc pull data.dvc`"
    if not path.is_file():
        raise InputError(f"{path}: missing; {again}")
    try:
        return load(path.read_bytes())
    except SafetensorError as fault:
        raise InputError(f"{path}: not a whole safetensors file ({fault}); delete it and {again}") from None
