"""A teacher's directions: the first thing a generated data set draws, so that a measure can draw them again."""

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import InputError


def directions(generator: np.random.Generator, d: int, count: int = 1) -> NDArray[np.float64]:
    """``count`` orthonormal directions in ``d`` dimensions, uniform (Haar) over all such sets.

    The teachers in `gaussian` and `teacher` are these, drawn from a fresh
    generator of the run's data stream.

    Args:
        generator: the run's data stream, at its beginning.
        d: the dimension.
        count: how many, at most ``d``.

    Returns:
        ``(count, d)``, rows of unit norm.

    Raises:
        InputError: ``count`` is not from 1 to ``d``.
    """
    if not 1 <= count <= d:
        raise InputError(f"directions: expected 1 to d = {d} orthonormal directions, found {count}")
    gaussian = generator.standard_normal((d, count))
    if count == 1:
        return gaussian.T / np.linalg.norm(gaussian)
    # With the diagonal of R positive, QR is unique, and Q is Haar (Mezzadri 2007, arXiv math-ph/0609050).
    q, r = np.linalg.qr(gaussian)
    return (q * np.sign(np.diag(r))).T
