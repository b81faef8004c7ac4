"""How the product of a deep linear network moves, and what it fills in where it has seen nothing."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dlatlas.measures.trained import Trained
from dltheory.theory.deep_linear import effective_rank, nuclear_minimum, singular_value_rates

Floats = NDArray[np.float64]
REST = 1e-9
"""A rate below this is that of a value at rest."""


def product_of_factors(trained: Trained, modes: int) -> dict[str, Floats]:
    """Singular values of the product and their rates, effective rank, errors, and those of the nuclear norm minimum.

    Args:
        trained: a stack of square factors, in the order in which they act, that fits the entries of a matrix.
        modes: how many singular values, the largest first.

    Returns:
        ``(run, mode)``: ``singular``, their ``rate`` under gradient flow of the factors, and by the ``law`` of the
        product alone and ``bare`` of its factor of depth, both NaN at rest. ``(run,)``: ``effective_rank``; relative
        ``error`` on unseen entries, ``nuclear_error`` that of the nuclear norm minimum, and ``from_nuclear`` the
        relative distance from it, NaN where all entries are seen.
    """
    (x, y), (hidden, rest) = trained.data(), trained.data("test")
    side, runs = x.shape[-1], len(trained.keys)
    factors = [value.double().numpy() for value in trained.parameters.values()]
    n = len(factors)
    found = {name: np.full((runs, modes), np.nan) for name in ("singular", "rate", "law", "bare")}
    found |= {name: np.full(runs, np.nan) for name in ("effective_rank", "error", "nuclear_error", "from_nuclear")}
    for run in range(runs):
        place = () if trained.shared_data else (run,)
        mask, values = x[place][0].numpy(), y[place][0].numpy().reshape(side, side)
        unseen, truth = hidden[place][0].numpy(), rest[place][0].numpy().reshape(side, side)
        product, moved = _moved([factor[run] for factor in factors], mask, values)
        u, s, vt = np.linalg.svd(product)
        found["singular"][run] = s[:modes]
        found["rate"][run] = np.einsum("ir,ij,rj->r", u[:, :modes], moved, vt[:modes])
        law = singular_value_rates(product, mask * product - values, n, modes)
        law[np.abs(law) < REST] = np.nan
        found["law"][run], found["bare"][run] = law, law / (n * (s[:modes] ** 2) ** (1 - 1 / n))
        found["effective_rank"][run] = effective_rank(s)
        if unseen.any():
            least = _nuclear(mask.tobytes(), values.tobytes(), side)
            size = np.linalg.norm(truth)
            found["error"][run] = np.linalg.norm(unseen * product - truth) / size
            found["nuclear_error"][run] = np.linalg.norm(unseen * least - truth) / size
            found["from_nuclear"][run] = np.linalg.norm(product - least) / np.linalg.norm(least)
    return found


def _moved(factors: list[Floats], mask: Floats, values: Floats) -> tuple[Floats, Floats]:
    """The product and its velocity under gradient flow of the factors."""
    one = np.eye(len(mask))
    after, before = [one], [one]
    for factor in reversed(factors[1:]):
        after.append(after[-1] @ factor)
    for factor in factors[:-1]:
        before.append(factor @ before[-1])
    product = after[-1] @ factors[0]
    slope = mask * product - values
    return product, -sum(a @ a.T @ slope @ b.T @ b for a, b in zip(reversed(after), before))


@lru_cache(maxsize=4096)
def _nuclear(mask: bytes, values: bytes, side: int) -> Floats:
    """The nuclear norm minimum of one data set, once a process."""
    shape = (side, side)
    return nuclear_minimum(np.frombuffer(mask).reshape(shape), np.frombuffer(values).reshape(shape))
