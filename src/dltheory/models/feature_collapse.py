"""Minima of the unconstrained-features model and the flow towards one, for a stack of problems."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlatlas.measures.neural_collapse import class_means, cosines, self_duality, variability
from dltheory.models.unconstrained_features import problem
from dltheory.theory.unconstrained_features import decay_rates

if TYPE_CHECKING:
    from dlatlas.training.stack import Stack

CLASSES, DIRECTIONS = 5, 10
"""The most classes and feature dimensions of a problem."""
FLOW_AT, TIMES = 0.1, (0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 200.0)
"""The c at which the flow is followed, and when it is looked at."""
SHAPES = {
    "shrinkage": (CLASSES,), "weight_energy": (CLASSES,), "nc1": (2,), "frame": (), "nc3": (), "rate": (DIRECTIONS,),
    "decay": (DIRECTIONS,), "within": (len(TIMES),), "between": (len(TIMES),),
}  # fmt: skip


def collapse(stack: "Stack") -> dict[str, NDArray[np.float64]]:
    """Minima of `problem`, and at one penalty the gradient flow from random features, with W fixed and with W trained.

    Args:
        stack: of the arguments of `problem`, with ``balance`` "equal" or "skewed".

    Returns:
        Of the minimum ``shrinkage``, the mean output on a class's own examples, and ``weight_energy``, squared singular
        values of W, ``(run, class)``; ``nc1``, variability of features at a random start and at the minimum,
        ``(run, 2)``; where something is learnt (c < 1) ``frame``, the largest deviation of cosines of class means from
        0 (with a bias, centred, from -1/(K-1)), and ``nc3``, distance of W from the class means, ``(run,)``. Of the
        flow, without bias, of equal classes, at ``FLOW_AT``: predicted ``rate`` and measured ``decay`` of features
        within classes at fixed W, ``(run, direction)``, and traces of their covariance ``within`` and ``between``
        classes with W trained, ``(run, time)``. NaN elsewhere.

    Source: Tirer & Bruna 2022, theorem 3.1 and section 5; Papyan, Han & Donoho 2020, NC1 and NC3.
    """
    found = {name: np.full((len(stack), *shape), np.nan) for name, shape in SHAPES.items()}
    for run, h in enumerate(stack.runs):
        skewed = h["balance"] == "skewed"
        case = problem(h["classes"], h["n"], h["dim"], h["c"], h["ratio"], h["bias"], skewed)
        k, labels = int(h["classes"]), case.labels
        W, H, b = case.minimise(stack.generator(run, "start"))
        outputs, means = W @ H + b[:, None], class_means(H.T, labels, k)
        found["shrinkage"][run, :k] = [outputs[i, labels == i].mean() for i in range(k)]
        energies = np.linalg.svd(W, compute_uv=False) ** 2
        found["weight_energy"][run, :k] = np.pad(energies, (0, k - len(energies)))
        start = stack.generator(run, "flow").standard_normal(H.shape)
        found["nc1"][run] = [variability(class_means(start.T, labels, k), k), variability(means, k)]
        if h["c"] < 1:
            centred = means.means - (means.means.mean(0) if case.bias else 0.0)
            expected = -1 / (k - 1) if case.bias else 0.0
            found["frame"][run] = np.abs(cosines(centred) - expected).max()
            found["nc3"][run] = self_duality(W - (W.mean(0) if case.bias else 0.0), centred)
        if h["c"] == FLOW_AT and not case.bias and not skewed:
            fixed = stack.generator(run, "weights").standard_normal(W.shape)
            found["rate"][run, : case.dim] = decay_rates(fixed, sum(case.sizes), case.feature_penalty)
            found["decay"][run, : case.dim] = case.decay(fixed, start, until=20.0)
            found["within"][run], found["between"][run] = case.scatter(0.3 * fixed, 0.3 * start, np.array(TIMES))
    return found
