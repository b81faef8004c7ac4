"""Samples of a reversed diffusion: Gaussian data in closed form, a mixture by particles."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dltheory.models import two_modes
from dltheory.theory.reverse_diffusion import gaussian_kl, sampled_gaussian, start_kl

if TYPE_CHECKING:
    from dlatlas.training.stack import Stack

MOVES = {"reverse": two_modes.reverse, "langevin": two_modes.langevin}


def reversed_samples(stack: "Stack") -> dict[str, NDArray[np.float64]]:
    """How far samples are from the data when a constant vector is added to the score.

    Args:
        stack: with ``target`` (gaussian or mixture), ``horizon`` T, ``step`` h and norm of the ``error``; for Gaussian
            data ``dim``, ``sd`` and norm of the ``mean``, for a mixture ``sampler`` and ``particles``.

    Returns:
        KL of data and samples, ``kl``, and of the forward process's end and N(0, I), ``start_kl``, both of Gaussian
        data; the fraction of a mixture's samples in its right mode, ``weight``; all ``(run,)``, NaN elsewhere.
    """
    kl, start, weight = np.full((3, len(stack)), np.nan)
    if stack["target"] == "mixture":
        weight = _right_mode(stack)
    else:
        kl, start = _gaussian(stack)
    return {"kl": kl, "start_kl": start, "weight": weight}


def _right_mode(stack: "Stack") -> NDArray[np.float64]:
    move, particles = MOVES[str(stack["sampler"])], int(stack["particles"])
    time = float(stack["horizon"]), float(stack["step"])
    return np.array([
        np.mean(move(stack.generator(run, "noise"), particles, *time, float(error)) > 0)
        for run, error in enumerate(stack["error"])
    ])  # fmt: skip


def _gaussian(stack: "Stack") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    horizon, d, runs = float(stack["horizon"]), int(stack["dim"]), len(stack)
    sd, norm = (np.full(runs, stack[name]) for name in ("sd", "mean"))
    mean = np.zeros((runs, d))
    mean[:, 0] = norm
    error = np.stack([stack.generator(run, "direction", ("dim",)).standard_normal(d) for run in range(runs)])
    error *= (stack["error"] / np.linalg.norm(error, axis=1))[:, None]
    centre, spread = sampled_gaussian(sd, mean, error, horizon, float(stack["step"]))
    kl = gaussian_kl(((mean - centre) ** 2).sum(1), sd**2 / spread, spread, d)
    return kl, start_kl(sd, norm, d, horizon)
