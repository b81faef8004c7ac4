"""How many examples of a published set a run takes, and which."""

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import InputError


def check_count(where: str, found: int, most: int, least: int = 1) -> None:
    """Raise an InputError unless ``found`` is a whole number from ``least`` to ``most``.

    Args:
        where: what the number is, e.g. ``digits: n_train``.
        found: the number.
        most: the largest allowed.
        least: the smallest allowed.
    """
    if found != int(found) or not least <= found <= most:
        raise InputError(f"{where}: expected a whole number from {least} to {most}, found {found}")


def subset(where: str, count: int, total: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """``count`` different indices below ``total``: all of them in their order, or a random choice.

    Args:
        where: what ``count`` is, for the error.
        count: how many, 1 to ``total``.
        total: how many there are.
        generator: the run's data stream; nothing is drawn if ``count`` is ``total``.

    Raises:
        InputError: ``count`` is out of range.
    """
    check_count(where, count, total)
    return np.arange(total) if count == total else generator.permutation(total)[: int(count)]
