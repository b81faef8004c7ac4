"""Step sizes in units of the smoothness of the loss in the norm of the method."""

from typing import Any

import numpy as np

from dlatlas.optimizers.orders import ORDERS


def smooth_steps(built: Any) -> dict[str, Any]:  # noqa: ANN401
    """``lr`` over max_i |x_i|^2 in the dual norm, which is the smoothness of the logarithm of the exponential loss.

    Mirror descent, whose potential has no such constant, takes a hundredth of its ``lr``.

    Args:
        built: a stack as it is before training, of one ``optimizer`` and ``norm`` and with labels +-1.
    """
    if built.stack["optimizer"] == "mirror_descent":
        return {"lr": 0.01 * built.hyper["lr"]}
    x = built.x[built.which].numpy()
    p = ORDERS[built.stack["norm"]]
    dual = np.inf if p == 1 else 1.0 if p == np.inf else p / (p - 1)
    return {"lr": built.hyper["lr"] / np.linalg.norm(x, dual, axis=-1).max(-1) ** 2}
