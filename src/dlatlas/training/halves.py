"""Work on a stack that fails as a whole is done again in halves: for want of memory, or to find the run that raises."""

import gc
import re
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import AtlasError, UntrainableError

Arrays = dict[str, NDArray[np.generic]]
Rows = NDArray[np.int64]


def in_halves(
    rows: Rows, compute: Callable[[Rows], Arrays], where: str, isolate: bool = True
) -> tuple[list[tuple[Rows, Arrays]], dict[int, str]]:
    """Computes all rows at once, or, if that raises, each half by itself, down to single rows.

    Args:
        rows: which runs.
        compute: rows -> arrays ``(row, ...)``.
        where: what an error begins with.
        isolate: whether a row that raises for another reason than memory may fail alone.

    Returns:
        The results, ``(rows, arrays)`` of each part, and what each failed row raised.

    Raises:
        AtlasError: a single run does not fit into memory; or what ``compute`` tells in one line itself, unless that is
            of networks that cannot be trained.
    """
    try:
        return [(rows, compute(rows))], {}
    except UntrainableError as error:
        if not isolate:
            raise
        wanted, message = None, str(error)
        if error.whole:
            return [], {int(row): message for row in rows}
    except AtlasError:
        raise
    except Exception as error:
        wanted = memory_wanted(error)
        if wanted is None and not isolate:
            raise
        message = f"{type(error).__name__}: {' '.join(str(error).split())}"
    # Here and not above: the exception is gone, and with its traceback the arrays of the attempt.
    if wanted is not None:
        _free()
        if len(rows) == 1:
            raise AtlasError(f"{where}: one run alone does not fit into memory{wanted}")
    if len(rows) == 1:
        return [], {int(rows[0]): message}
    middle = len(rows) // 2
    first, failed = in_halves(rows[:middle], compute, where, isolate)
    second, more = in_halves(rows[middle:], compute, where, isolate)
    return first + second, failed | more


def joined(parts: list[tuple[Rows, Arrays]], size: int) -> Arrays:
    """The parts as arrays ``(size, ...)``; NaN, or -1 among whole numbers, in rows that no part has."""
    if len(parts) == 1 and len(parts[0][0]) == size:
        return parts[0][1]
    arrays: Arrays = {}
    for name, model in parts[0][1].items():
        arrays[name] = blank(model, size)
        for rows, part in parts:
            arrays[name][rows] = part[name]
    return arrays


def blank(model: NDArray[np.generic], size: int) -> NDArray[np.generic]:
    """Rows such as those of ``model``, ``(size, ...)``, without results: NaN, or -1 among whole numbers."""
    empty = np.nan if np.issubdtype(model.dtype, np.floating) else -1
    return np.full((size, *model.shape[1:]), empty, dtype=model.dtype)


def memory_wanted(error: Exception) -> str | None:
    """None if it was not for memory; else how much it asked for, as the end of a sentence, empty if it does not say.

    NumPy raises MemoryError, torch on a GPU OutOfMemoryError, torch on a CPU a RuntimeError with one of these texts.
    """
    text = str(error)
    named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if not named and not re.search("not enough memory|can't allocate memory|out of memory", text):
        return None
    if found := re.search(r"allocate (\d+) bytes", text):
        return f": it asks for {int(found[1]) / 2**30:.2f} GiB at once"
    if found := re.search(r"allocate ([\d.]+ [KMGTP]?i?B)", text):
        return f": it asks for {found[1]} at once"
    return ""


def _free() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
