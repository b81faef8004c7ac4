"""A low-rank matrix of which some entries are seen."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlatlas.data.dataset import Dataset
from dlatlas.errors import InputError


def matrix_completion(
    *,
    folder: Path,
    generator: np.random.Generator,
    side: int = 20,
    rank: int = 2,
    observed: float = 0.5,
    symmetric: bool = False,
) -> Dataset:
    """One example: which entries are seen, and their values; the test example has the others.

    The matrix is a product of Gaussian factors with its largest singular value set to 1; with ``symmetric`` it is
    positive semi-definite with the eigenvalues 1, 1/2, 1/4, ... in random directions.

    Args:
        folder: the data folder; not read.
        generator: the run's data stream; draws the matrix, then which entries are seen.
        side: rows and columns d.
        rank: of the matrix.
        observed: share of the entries that are seen, rounded to whole entries.
        symmetric: see above.

    Returns:
        Masks ``(1, d, d)`` of zeros and ones, and the matrix where they are one ``(1, d * d)``, float64.

    Raises:
        InputError: ``observed`` is not in (0, 1], or ``rank`` not from 1 to ``side``.
    """
    if not 0 < observed <= 1:
        raise InputError(f"matrix_completion: observed: expected a share above 0 and up to 1, found {observed}")
    if not 1 <= rank <= side:
        raise InputError(f"matrix_completion: rank: expected from 1 to {side}, found {rank}")
    matrix = _matrix(generator, side, rank, symmetric)
    seen = np.zeros(side * side)
    seen[generator.permutation(side * side)[: round(observed * side * side)]] = 1.0
    masks = [seen.reshape(1, side, side), 1 - seen.reshape(1, side, side)]
    return Dataset(masks[0], (masks[0] * matrix).reshape(1, -1), masks[1], (masks[1] * matrix).reshape(1, -1))


def _matrix(generator: np.random.Generator, side: int, rank: int, symmetric: bool) -> NDArray[np.float64]:
    if symmetric:
        basis = np.linalg.qr(generator.standard_normal((side, rank)))[0]
        return (basis * 0.5 ** np.arange(rank)) @ basis.T
    product = generator.standard_normal((side, rank)) @ generator.standard_normal((rank, side))
    return product / np.linalg.norm(product, 2)
