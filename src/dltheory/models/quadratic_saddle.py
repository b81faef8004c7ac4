"""Langevin walkers at a quadratic saddle: exact steps, and crossings between them by the bridge."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dlatlas.training.stack import Stack

Array = NDArray[np.float64]

TIMES = np.linspace(0, 20, 401)
"""At which the share of walkers that have left is kept [1/lam]."""


def shares(d: int, withheld: float, withheld_stable: float) -> Array:
    """Variance of the noise in each direction over that of isotropic noise, ``(d,)``, of sum d.

    Args:
        d: dimension.
        withheld: the unstable direction gets one part in this many; the stable ones share what it loses.
        withheld_stable: the first stable direction gets one part in this many; the other stable ones share that.
    """
    share = np.ones(d)
    share[0] = 1 / withheld
    share[1:] += (1 - share[0]) / (d - 1)
    if withheld_stable != 1:
        share[2:] += share[1] * (1 - 1 / withheld_stable) / (d - 2)
        share[1] /= withheld_stable
    return share


def odds(before: Array, after: Array, spread: Array | float) -> Array:
    """Probability that a Brownian bridge crosses a level: exp(-2 before after / spread), one if it ends beyond.

    Args:
        before: distances below the level at the start, positive, ``(walker,)``.
        after: distances at the end, negative beyond the level.
        spread: variance of the free motion.
    """
    with np.errstate(divide="ignore", over="ignore"):
        return np.exp(np.minimum(-2 * before * after / spread, 0.0))


def first_passage(before: Array, after: Array, spread: Array | float, square: Array, coin: Array) -> Array:
    """When a bridge that crosses does so first, as a fraction of its duration.

    In the clock w = fraction / (1 - fraction) the bridge is a Brownian motion with drift, so w is inverse Gaussian of
    mean before / |after| and shape before^2 / spread; drawn as Michael, Schucany & Haas (1976) do.

    Args:
        before: as in ``odds``.
        after: as in ``odds``.
        spread: as in ``odds``.
        square: squares of standard normal draws.
        coin: uniform draws.
    """
    mean = before / np.maximum(np.abs(after), 1e-12)
    r = square * spread * mean / (2 * before**2)
    root = 1 / (1 + r + np.sqrt(r * (r + 2)))
    w = mean * np.where(coin * (1 + root) <= 1, root, 1 / np.maximum(root, 1e-300))
    return w / (1 + w)


def escape(
    rng: np.random.Generator, start: Array, *, beta: float, lam: float, share: Array, step: float, horizon: float
) -> tuple[Array, Array]:
    """Times at which walkers leave F = lam (-x_1^2 + x_2^2 + ... + x_d^2) / 2: at |x_1| = 1, and at F = -lam / 2.

    Each coordinate is an Ornstein-Uhlenbeck process and makes its exact step: x_1 to e^(lam dt) x_1 plus noise of
    variance (e^(2 lam dt) - 1) / (lam beta), the others with -lam. In the clock (1 - e^(-2 lam t)) / (lam beta) the
    path e^(-lam t) x_1 is a Brownian motion and the level e^(-lam t) a curve, here its chord over the step: at most
    (lam dt)^2 / 8 below it, so times are early by less than that [1/lam]. The level x_1^2 = 1 + x_2^2 + ... of the fall
    moves with its own noise, which is added to the bridge's.

    Args:
        rng: source of the draws.
        start: ``(d, walker)``, above both levels of F; d at least 2.
        beta: inverse temperature; infinite for gradient flow.
        lam: curvature.
        share: the noise's variance in each direction, in units of 2/beta, ``(d,)``.
        step: lam dt.
        horizon: when to stop.

    Returns:
        Times ``(walker,)`` to |x_1| = 1 and to F = -lam / 2; NaN if not within the horizon.
    """
    x, walker = start.astype(np.float32), np.arange(start.shape[1])
    gone = np.zeros(len(walker), bool)
    exit_time, fall_time = np.full((2, len(walker)), np.nan)
    clock = -np.expm1(-2 * step) / (lam * beta)
    grow = np.exp(step * np.where(np.arange(len(x)) == 0, 1.0, -1.0))
    sd = (np.sqrt(share * clock) * np.maximum(grow, 1)).astype(np.float32)[:, None]
    grow = grow.astype(np.float32)[:, None]
    kept = np.einsum("ij,ij->j", x[1:], x[1:])
    for now in range(round(horizon * lam / step)):
        old, level = x[0].astype(float), np.sqrt(1.0 + kept)
        x = x * grow + (sd * rng.standard_normal(x.shape, np.float32) if clock else 0)
        kept = np.einsum("ij,ij->j", x[1:], x[1:])
        side = np.sign(old + x[0])
        old, new = side * old, side * x[0]
        line = 1 - old, (1 - new) / grow[0]
        fall = level - old, (np.sqrt(1.0 + kept) - new) / grow[0]
        spread = (share[0] + share[1:].mean() * kept / (1 + kept)) * clock
        uniform = rng.random(len(x[0]))
        out = ~gone & (uniform < odds(*line, share[0] * clock))
        gone |= out
        over = gone & (uniform < odds(*fall, spread))
        if not (out | over).any():
            continue
        # The same draws serve both levels, so that the nearer one is reached first.
        square, coin = rng.standard_normal(len(gone)) ** 2, rng.random(len(gone))
        for hit, gaps, var, times in (
            (out, line, np.broadcast_to(share[0] * clock, gone.shape), exit_time),
            (over, fall, spread, fall_time),
        ):
            part = first_passage(gaps[0][hit], gaps[1][hit], var[hit], square[hit], coin[hit])
            times[walker[hit]] = now * step - np.log1p(np.expm1(-2 * step) * part) / 2
        x, kept, walker, gone = x[:, ~over], kept[~over], walker[~over], gone[~over]
        if not len(walker):
            break
    return exit_time / lam, np.maximum(exit_time, fall_time) / lam


def escapes(stack: "Stack") -> dict[str, NDArray[np.floating]]:
    """Times [1/lam] at which the walkers of every run leave the saddle, where they start.

    Args:
        stack: of one ``d``, ``withheld``, ``withheld_stable``, ``noise``, ``nudge``, ``walkers``, ``step`` and
            ``horizon`` [1/lam]; ``lam`` and ``beta`` differ. Without noise walkers start on the unit sphere of the
            stable manifold, moved off it by ``nudge``.

    Returns:
        Mean times ``exit`` to |x_1| = 1 and ``fall`` to F = -lam / 2, NaN if a walker never leaves; ``still``, the
        share within |x_1| < 1 at the horizon, ``(run,)``; ``left``, the share beyond at ``TIMES``, ``(run, time)``.
    """
    d, walkers, share = stack["d"], stack["walkers"], shares(stack["d"], stack["withheld"], stack["withheld_stable"])
    found = {"exit": [], "fall": [], "left": [], "still": []}
    for run, (beta, lam) in enumerate((h["beta"], h["lam"]) for h in stack.runs):
        rng, start = stack.generator(run), np.zeros((d, walkers))
        if not stack["noise"]:
            start[1:] = rng.standard_normal((d - 1, walkers))
            start /= np.linalg.norm(start, axis=0)
            start[0], beta = stack["nudge"], np.inf
        options = {"step": stack["step"], "horizon": stack["horizon"] / lam}
        times = lam * np.stack(escape(rng, start, beta=beta, lam=lam, share=share, **options))
        found["exit"].append(times[0].mean())
        found["fall"].append(times[1].mean())
        found["left"].append(np.searchsorted(np.sort(times[0]), TIMES, side="right") / walkers)
        found["still"].append(np.isnan(times[0]).mean())
    return {name: np.asarray(values, np.float32 if name == "left" else float) for name, values in found.items()}
