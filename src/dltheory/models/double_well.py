"""Walkers in a double well: Langevin motion, many runs side by side, and gradient descent without noise."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BLOCK = 128
"""Steps whose noise is drawn at once."""

OVERSHOOT = 0.5826
"""-zeta(1/2) / sqrt(2 pi): a walk of Gaussian steps, seen at its steps alone, crosses a level later than the continuous
path does, as if the level were farther by this many standard deviations of a step (Broadie, Glasserman & Kou,
Mathematical Finance 7, 1997)."""

Array = NDArray[np.float32]


def force(x: Array, y: Array, k_well: float, k_saddle: float) -> tuple[Array, Array]:
    """Minus the gradient of (x^2 - 1)^2 + (k_saddle + (k_well - k_saddle) x^2) |y|^2 / 2.

    Args:
        x: ``(walker,)``.
        y: the transverse coordinates ``(d - 1, walker)``.
        k_well: transverse curvature at the minima.
        k_saddle: transverse curvature at the saddle.

    Returns:
        Forces in the shapes of x and y.
    """
    square = x * x
    along = 4 * x * (1 - square)
    if not len(y):
        return along, y
    along -= (k_well - k_saddle) * x * (y * y).sum(0)
    return along, -(k_saddle + (k_well - k_saddle) * square) * y


def waits(
    beta: NDArray[np.float64],
    generators: Sequence[np.random.Generator],
    *,
    d: int,
    k_well: float,
    k_saddle: float,
    walkers: int,
    passages: int,
    dt: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Waits of walkers that start in the left well, by Euler-Maruyama steps: gradient descent with injected noise.

    A walker that reaches x = 1 is mirrored to x = -1 (the landscape is symmetric) and its clock starts again, so that
    its waits are those between consecutive transitions. Levels are moved nearer by ``OVERSHOOT``, so that the times are
    those of the continuous path. A run's numbers depend on its own generator alone.

    Args:
        beta: ``(run,)`` inverse temperatures.
        generators: one a run.
        d: dimension; the start of y is drawn from its equilibrium in the well.
        k_well: transverse curvature at the minima.
        k_saddle: transverse curvature at the saddle.
        walkers: how many a run.
        passages: consecutive transitions recorded a walker.
        dt: time step.

    Returns:
        Waits ``(run, walker, passage)`` and the times of the first visit of the top ``(run, walker)``.
    """
    runs = len(generators)
    wait = np.full((runs, walkers, passages), np.nan, dtype=np.float32)
    top = np.full((runs, walkers), np.nan, dtype=np.float32)
    run, walker = (index.ravel() for index in np.indices((runs, walkers)))
    scale = np.sqrt(2 * dt / beta).astype(np.float32)
    nearer = np.repeat(np.float32(OVERSHOOT) * scale, walkers)
    x = np.full(runs * walkers, -1, dtype=np.float32)
    spread = 1 / np.sqrt(beta * k_well)
    first = [s * g.standard_normal((d - 1, walkers)) for s, g in zip(spread, generators)]
    y = np.concatenate(first, axis=1).astype(np.float32)
    begun, passed, done = np.zeros(len(x), np.int64), np.zeros(len(x), np.int64), 0
    path = np.empty((BLOCK, len(x)), np.float32)
    while len(x):
        alive = np.bincount(run, minlength=runs)
        noise = np.concatenate(
            [s * g.standard_normal((BLOCK, d, n), np.float32) for s, g, n in zip(scale, generators, alive) if n],
            axis=2,
        )
        seen, goal = path[:, : len(x)], 1 - nearer
        for step in range(BLOCK):
            along, across = force(x, y, k_well, k_saddle)
            x += along * np.float32(dt) + noise[step, 0]
            if d > 1:
                y += across * np.float32(dt) + noise[step, 1:]
            seen[step] = x
            over = np.flatnonzero(x >= goal)
            if len(over):
                x[over] *= -1
                now = done + step + 1
                count = passed[over]
                open_ = count < passages
                at = over[open_]
                wait[run[at], walker[at], count[open_]] = (now - begun[at]) * dt
                begun[over] = now
                passed[over] += 1
        fresh = np.flatnonzero(np.isnan(top[run, walker]))
        if len(fresh):
            above = seen[:, fresh] >= -nearer[fresh]
            hit = above.any(0)
            at = fresh[hit]
            top[run[at], walker[at]] = (done + 1 + above[:, hit].argmax(0)) * dt
        done += BLOCK
        left = passed < passages
        if not left.all():
            x, y, nearer, run, walker = x[left], y[:, left], nearer[left], run[left], walker[left]
            begun, passed = begun[left], passed[left]
    return wait, top


def descend(x: Array, y: Array, k_well: float, k_saddle: float, dt: float, horizon: float) -> Array:
    """The x ``(walker,)`` of gradient descent without noise at time ``horizon``; arguments as in ``force``."""
    x, y = x.copy(), y.copy()
    for _ in range(round(horizon / dt)):
        along, across = force(x, y, k_well, k_saddle)
        x += along * np.float32(dt)
        y += across * np.float32(dt)
    return x
