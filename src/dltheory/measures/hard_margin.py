"""Linear classifiers against the hard-margin solution of their own training data."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.measures.trained import Trained
from dltheory.theory.hard_margin import HardMargin, hard_margin


@lru_cache(maxsize=4096)
def _solution(z: bytes, d: int) -> HardMargin:
    """Kept, because many runs and all checkpoints share a data set."""
    return hard_margin(np.frombuffer(z).reshape(-1, d))


def against_hard_margin(trained: Trained) -> dict[str, NDArray[np.generic]]:
    """Geometry of stacked linear classifiers f(x) = w.x with labels +-1, computed in float64.

    Args:
        trained: a stack with a parameter ``weight``, ``(run, 1, d)``, and separable training data.

    Returns:
        With z = y x and what the hard-margin solution: ``norm`` |w|; ``misalignment`` 1 - cos(w, what), NaN at w = 0;
        ``reached_margin`` min z.w / |w|; ``svm_margin`` 1 / |what|; ``test_hinge`` E max(0, -z.what) on the test set,
        all ``(run,)``; ``multiplier`` alpha and ``score`` z.w of the d examples of largest alpha, float32
        ``(run, d)`` (in general position at most d examples are support vectors); ``weight`` w, float32 ``(run, d)``.

    Raises:
        InputError: the training data are not separable, or there is no test set.
    """
    w = trained.parameters["weight"].double().numpy()[:, 0]
    z, z_test = (_signed(trained, split) for split in ("train", "test"))
    solutions = [_solution(one.tobytes(), one.shape[1]) for one in z]
    what, alpha = np.stack([one.w for one in solutions]), np.stack([one.alpha for one in solutions])
    size, gamma = np.linalg.norm(w, axis=1), 1 / np.linalg.norm(what, axis=1)
    unit = w / np.where(size > 0, size, np.nan)[:, None]
    support = np.argsort(-alpha, axis=1)[:, : w.shape[1]]
    scores = np.take_along_axis(np.einsum("rnd,rd->rn", z, w), support, 1)
    return {
        "norm": size,
        "misalignment": 0.5 * np.square(unit - what * gamma[:, None]).sum(1),  # no cancellation at small angles
        "reached_margin": np.einsum("rnd,rd->rn", z, unit).min(1),
        "svm_margin": gamma,
        "test_hinge": np.maximum(-np.einsum("rnd,rd->rn", z_test, what), 0).mean(1),
        "multiplier": np.take_along_axis(alpha, support, 1).astype(np.float32),
        "score": scores.astype(np.float32),
        "weight": w.astype(np.float32),
    }


def _signed(trained: Trained, split: Any) -> NDArray[np.float64]:  # noqa: ANN401
    """Inputs times labels, ``(run, n, d)``."""
    x, y = trained.data(split)
    z = (y * x).numpy()
    return np.broadcast_to(z, (len(trained.keys), *z.shape[-2:]))
