"""The global generators of Python, NumPy and torch: seeded where a network is built, forbidden where it is computed.

They are no part of a run's name, so that what is drawn from them unseeded is another number at each start; and a step
is traced once, so that what is drawn in it is one constant for all runs and steps.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

PYTHON, NUMPY, TORCH = "Python's global generator", "NumPy's global generator", "torch's global generator"


def standing() -> dict[str, Any]:
    """Where the three generators stand, by their names in words."""
    return {PYTHON: random.getstate(), NUMPY: np.random.get_state(), TORCH: torch.get_rng_state()}


def drawn_from(before: dict[str, Any]) -> str:
    """The first generator that has moved since ``standing`` gave ``before``; empty if none has."""
    now = standing()
    if now[PYTHON] != before[PYTHON]:
        return PYTHON
    if any(not np.array_equal(one, other) for one, other in zip(now[NUMPY], before[NUMPY])):
        return NUMPY
    return "" if torch.equal(now[TORCH], before[TORCH]) else TORCH


@contextmanager
def set_aside() -> Iterator[None]:
    """Leaves the three generators as they were before."""
    before = standing()
    try:
        yield
    finally:
        random.setstate(before[PYTHON])
        np.random.set_state(before[NUMPY])
        torch.set_rng_state(before[TORCH])


def seed(number: int) -> None:
    """Seeds the three generators with a 63-bit number."""
    torch.manual_seed(number)
    np.random.seed(number % 2**32)
    random.seed(number)
