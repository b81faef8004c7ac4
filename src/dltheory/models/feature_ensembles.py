"""Averages of ridge regressions on random features sigma(F x / sqrt d) / sqrt p of Gaussian inputs."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ensemble(
    sigma: Callable[[Floats], Floats], n: int, p: int, d: int, tests: int, members: int, ridge: Floats, noise: Floats,
    draw: Mapping[str, np.random.Generator],
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Error of the mean of several predictors on a linear teacher, for several ridges and levels of noise at once.

    Smaller n take the first of the same samples, and one predictor is the first member of the ensemble.

    Args:
        sigma: activation.
        n: samples.
        p: features of each member.
        d: dimension of the inputs.
        tests: test points.
        members: predictors that are averaged: same data, own features.
        ridge: coefficients of |a|^2 beside the sum of squares, ``(run,)``.
        noise: variances of the labels' noise, ``(run,)``.
        draw: ``data``, ``noise`` and ``features``.

    Returns:
        The error against clean labels ``(run,)``; of the first member the weights' norm ``(run,)``, and its Gram
        matrix's eigenvalues, ascending.
    """
    from scipy.linalg import cho_factor, cho_solve

    teacher, unseen = draw["data"].standard_normal(d), draw["data"].standard_normal((tests, d))
    x = draw["data"].standard_normal((n, d))
    teacher /= np.linalg.norm(teacher)
    labels = np.stack([x @ teacher, draw["noise"].standard_normal(n)], axis=1)  # the estimator is linear in both
    ridges, place = np.unique(ridge, return_inverse=True)
    outputs, weights = np.zeros((len(ridges), tests, 2)), np.zeros((len(ridges), p, 2))
    for member in range(members):
        F = draw["features"].standard_normal((p, d)) / np.sqrt(d)
        Z, Z_unseen = (sigma(inputs @ F.T) / np.sqrt(p) for inputs in (x, unseen))
        gram = Z @ Z.T if n <= p else Z.T @ Z
        if member == 0:
            eigenvalues = np.linalg.eigvalsh(gram)
        for i, value in enumerate(ridges):
            factor = cho_factor(gram + value * np.eye(len(gram)), overwrite_a=True, check_finite=False)
            a = Z.T @ cho_solve(factor, labels) if n <= p else cho_solve(factor, Z.T @ labels)
            outputs[i] += Z_unseen @ a / members
            if member == 0:
                weights[i] = a
    mixed = [np.array([1.0, np.sqrt(level)]) for level in noise]
    error = [np.mean((outputs[i] @ mix - unseen @ teacher) ** 2) for i, mix in zip(place, mixed)]
    norm = [np.linalg.norm(weights[i] @ mix) for i, mix in zip(place, mixed)]
    return np.array(error), np.array(norm), eigenvalues
