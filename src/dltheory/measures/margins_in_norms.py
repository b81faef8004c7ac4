"""The margin of linear classifiers in every norm, against the largest that their training data allow."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dlatlas.measures.trained import Trained
from dlatlas.optimizers.orders import ORDERS
from dltheory.theory.norms import largest_margin


def margins_in_norms(trained: Trained, norm: str) -> dict[str, NDArray[np.float64]]:
    """Margins over the largest, the size of w in units of the inverse largest margin, and how many coordinates it uses.

    Args:
        trained: a stack with a parameter ``weight``, ``(run, 1, d)``, labels +-1 and separable training data.
        norm: the norm of the method, one of ``ORDERS``.

    Returns:
        With z = y x: ``ratio`` min z.w / |w|_p over its largest value, ``(run, norm)``; ``growth`` the own norm of w
        times the largest margin in it, and ``spread`` |w|_1^2 / (d |w|_2^2), ``(run,)``; NaN at w = 0.
    """
    w = trained.parameters["weight"].double().numpy()[:, 0]
    x, y = (value.numpy() for value in trained.data())
    z = np.broadcast_to(x * y, (len(w), *x.shape[-2:]))
    most = np.array([_largest_margins(np.ascontiguousarray(one).tobytes(), one.shape[1]) for one in z])
    size = np.stack([np.linalg.norm(w, p, axis=1) for p in ORDERS.values()], axis=1)
    reached = np.einsum("rnd,rd->rn", z, w).min(1)
    own = list(ORDERS).index(norm)
    with np.errstate(invalid="ignore"):
        ratio = np.where(size > 0, reached[:, None] / size / most, np.nan)
        spread = size[:, 0] ** 2 / size[:, list(ORDERS).index("l2")] ** 2 / w.shape[1]
    return {"ratio": ratio, "growth": size[:, own] * most[:, own], "spread": spread}


@lru_cache(maxsize=4096)
def _largest_margins(z: bytes, d: int) -> list[float]:
    """In every norm; kept, because many runs and all checkpoints share a data set."""
    return [largest_margin(np.frombuffer(z).reshape(-1, d), p).margin for p in ORDERS.values()]
