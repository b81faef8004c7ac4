"""Ridge regression on random ReLU features relu(F x / sqrt d) / sqrt p of Gaussian inputs, for many draws of F."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dltheory.theory.arc_cosine import relu_kernel
from dltheory.theory.nested_variance import nested_variance
from dltheory.theory.random_feature_ridge import effective_ridge

if TYPE_CHECKING:
    from dlatlas.training.stack import Stack

Floats = NDArray[np.float64]

MEMBERS = (1, 2, 4, 12)
"""Sizes of the ensembles."""


def nested_design(
    n: int, d: int, p: int, tests: int, sets: int, draws: int, ridge: Floats, variance: Floats,
    data: np.random.Generator, features: np.random.Generator,
) -> dict[str, Floats]:  # fmt: skip
    """Parts of the error of ``sets`` data sets with ``draws`` feature matrices each, for each of several ridges.

    The predictor is linear in the labels <b, x> + noise, so what the noise adds is exact; the other parts are unbiased.

    Args:
        n: samples of a data set.
        d: dimension of the inputs.
        p: features.
        tests: test points, shared by all.
        sets: data sets.
        draws: feature matrices for each of them; a multiple of all ``MEMBERS``.
        ridge: coefficients of |a|^2 beside the sum of squares, ``(run,)``.
        variance: of the labels' noise, ``(run,)``.
        data: draws teacher, test points and samples.
        features: draws the matrices.

    Returns:
        ``noise``, ``init``, ``sampling`` and ``bias`` ``(run,)``; ``ensemble`` ``(run, MEMBERS)``, the error of the
        mean of so many predictors; ``kernel`` and ``bare`` ``(run,)``, that of infinitely many features with the
        effective ridge and with the ridge itself.
    """
    runs = len(ridge)
    found = {name: np.zeros(runs) for name in ("noise", "kernel", "bare")}
    found["ensemble"] = np.zeros((runs, len(MEMBERS)))
    teacher, unseen = data.standard_normal(d), data.standard_normal((tests, d))
    teacher /= np.linalg.norm(teacher)
    truth, off = unseen @ teacher, np.zeros((runs, sets, draws, tests))
    for s in range(sets):
        x = data.standard_normal((n, d))
        y = x @ teacher
        F = features.standard_normal((draws, d, p)) / np.sqrt(d)
        Z, U = (np.maximum(inputs @ F, 0.0) / np.sqrt(p) for inputs in (x, unseen))
        turned = Z.transpose(0, 2, 1)
        level, V = np.linalg.eigh(Z @ turned if n <= p else turned @ Z)
        left, right = (U @ turned @ V, V) if n <= p else (U @ V, Z @ V)
        values, Q = np.linalg.eigh(relu_kernel(x, x))
        outer = relu_kernel(unseen, x) @ Q
        for run in range(runs):
            weights = left / (level + ridge[run])[:, None] @ right.transpose(0, 2, 1)  # on the labels, (draw, test, n)
            off[run, s] = weights @ y - truth
            found["noise"][run] += variance[run] * float((weights**2).sum(-1).mean()) / sets
            averaged = [weights.reshape(-1, k, tests, n).mean(1) for k in MEMBERS]
            larger = effective_ridge(values, p, ridge[run])
            smooth, sharp = (outer / (values + size) @ Q.T for size in (larger, ridge[run]))
            *ensemble, kernel, bare = (_error(w, y, truth, variance[run]) / sets for w in (*averaged, smooth, sharp))
            found["ensemble"][run] += ensemble
            found["kernel"][run] += kernel
            found["bare"][run] += bare
    bias, sampling, init = (part / tests for part in nested_variance(off))
    return {**found, "bias": bias, "sampling": sampling, "init": init}


def nested_designs(stack: "Stack") -> dict[str, Floats]:
    """What `nested_design` finds for every run of a stack of one n, d, ratio P/N, sets, draws and tests, and ``error``.

    A seed's runs share teacher, samples and test points, and at one P the features: there they differ in ridge and
    noise alone. ``error`` is that of one predictor.
    """
    sizes = {name: stack[name] for name in ("n", "d", "sets", "draws", "tests")}
    p = max(round(stack["n"] * stack["ratio"]), 1)
    found: dict[str, Floats] = {}
    for seed in np.unique(stack["seed"]):
        runs = np.flatnonzero(stack["seed"] == seed)
        data = stack.generator(runs[0], "data", names=("n", "d", "sets", "tests"))
        features = stack.generator(runs[0], "features", names=("n", "d", "ratio"))
        ridge, variance = stack["ridge"][runs], stack["variance"][runs]
        parts = nested_design(**sizes, p=p, ridge=ridge, variance=variance, data=data, features=features)
        for name, values in parts.items():
            found.setdefault(name, np.zeros((len(stack), *values.shape[1:])))[runs] = values
    return {**found, "error": found["ensemble"][:, 0]}


def _error(weights: Floats, y: Floats, truth: Floats, variance: float) -> float:
    """Mean squared error of predictors ``weights @ labels``, and over the labels' noise."""
    return float(np.mean((weights @ y - truth) ** 2 + variance * (weights**2).sum(-1)))
