"""The margin of linear classifiers in every norm, against the largest that their training data allow."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.optimizers.orders import ORDERS
from dltheory.theory.norms import largest_margin

if TYPE_CHECKING:
    import xarray as xr

    from dlatlas.measures.trained import Trained


def margins_in_norms(trained: "Trained", stack: Any) -> dict[str, NDArray[np.float64]]:  # noqa: ANN401
    """Margins over the largest, the size of w in units of the inverse largest margin, and how many coordinates it uses.

    Args:
        trained: a stack with a parameter ``weight``, ``(run, 1, d)``, labels +-1 and separable training data.
        stack: of one ``norm``, that of the method, one of ``ORDERS``.

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
    own = list(ORDERS).index(str(stack["norm"]))
    with np.errstate(invalid="ignore"):
        ratio = np.where(size > 0, reached[:, None] / size / most, np.nan)
        spread = size[:, 0] ** 2 / size[:, list(ORDERS).index("l2")] ** 2 / w.shape[1]
    return {"ratio": ratio, "growth": size[:, own] * most[:, own], "spread": spread}


def own_gap(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """What is missing of the largest margin in the norm of the method, from ``ratio`` by ``geometry``."""
    return 1 - cube["ratio"].sel(geometry=cube["norm"])


def own_last(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """The margin in the norm of the method over the largest, at the end."""
    return cube["ratio"].isel(step=-1).sel(geometry=cube["norm"])


def inverse_orders(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """1/p of every ``geometry``."""
    return cube["geometry"].copy(data=[1 / ORDERS[norm] for norm in cube["geometry"].values])


def opposite_gap(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """What is missing of it in linf, or of linf in l1."""
    return 1 - cube["ratio"].sel(geometry=cube["norm"].copy(data=np.where(cube["norm"] == "linf", "l1", "linf")))


@lru_cache(maxsize=4096)
def _largest_margins(z: bytes, d: int) -> list[float]:
    """In every norm; kept, because many runs and all checkpoints share a data set."""
    return [largest_margin(np.frombuffer(z).reshape(-1, d), p).margin for p in ORDERS.values()]
