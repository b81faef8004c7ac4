"""The global generators of Python, NumPy and torch: seeded where a network is built, forbidden where numbers are made.

They are no part of a run's name, so that what is drawn from them unseeded is another number at each start; and a step
is traced once, so that what is drawn in it is one constant for all runs and steps.
"""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dlatlas.errors import InputError

PYTHON, NUMPY, TORCH = "Python's global generator", "NumPy's global generator", "torch's global generator"


def standing() -> dict[str, Any]:
    """Where the generators stand, by their names in words; torch's only where torch is loaded."""
    torch = sys.modules.get("torch")
    held = {TORCH: torch.get_rng_state().numpy()} if torch else {}
    return {PYTHON: random.getstate(), NUMPY: np.random.get_state(), **held}


def drawn_from(before: dict[str, Any]) -> str:
    """The first generator that has moved since ``standing`` gave ``before``; empty if none has."""
    now = standing()
    if now[PYTHON] != before[PYTHON]:
        return PYTHON
    if any(not np.array_equal(one, other) for one, other in zip(now[NUMPY], before[NUMPY])):
        return NUMPY
    if TORCH not in now:
        return ""
    if TORCH not in before:  # loaded meanwhile: it stood at its beginning
        torch = sys.modules["torch"]
        before = {TORCH: torch.Generator().manual_seed(torch.initial_seed()).get_state().numpy()}
    return "" if np.array_equal(now[TORCH], before[TORCH]) else TORCH


@contextmanager
def forbidden(where: str, allowed: str) -> Iterator[None]:
    """Refuses what draws from a global generator.

    Raises:
        InputError: ``where``, the generator, and what is ``allowed`` instead.
    """
    before = standing()
    yield
    if generator := drawn_from(before):
        raise InputError(f"{where} draws from {generator}, which is another one at each start; allowed: {allowed}")


@contextmanager
def set_aside() -> Iterator[None]:
    """Leaves the generators as they were before."""
    before = standing()
    try:
        yield
    finally:
        random.setstate(before[PYTHON])
        np.random.set_state(before[NUMPY])
        if TORCH in before:
            torch = sys.modules["torch"]
            torch.set_rng_state(torch.from_numpy(before[TORCH]))


def seed(number: int) -> None:
    """Seeds the generators with a 63-bit number."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(number)
    np.random.seed(number % 2**32)
    random.seed(number)
