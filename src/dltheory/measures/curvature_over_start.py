"""Step sizes and curvature in units of lambda_0, the top eigenvalue of the Gauss-Newton matrix at the start."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import xarray as xr

    from dlatlas.measures.trained import Trained

LANCZOS = 12
"""Steps to the top eigenvalue; three times as many at the start."""
TRAINED = 0.25
"""A run has trained if its last loss is below half the loss of no output at all: dead ReLUs have 1/2."""
GUESS = 0.9
"""Error of a guess among ten classes, which is what a run that diverged knows."""


def steps_over_curvature(built: Any) -> dict[str, Any]:  # noqa: ANN401
    """``lr`` = eta_lambda0 / lambda_0, with lambda_0 measured once a seed.

    Args:
        built: a stack as it is before training, whose runs of one seed start alike.
    """
    import torch

    from dlatlas.measures.curvature import gauss_newton_matvec
    from dlatlas.measures.lanczos import extreme_eigenvalues, start_vectors

    seeds = [run["seed"] for run in built.stack.runs]
    first = [seeds.index(seed) for seed in dict.fromkeys(seeds)]
    start, held = ({name: value[first] for name, value in part.items()} for part in (built.parameters, built.buffers))
    x, y = (built.of_runs(name) for name in ("x", "y"))
    shared = len(built.x) == 1
    x, y = (x, y) if shared else (x[first], y[first])
    matvec = gauss_newton_matvec(built.model, built.loss, start, held, x, y, shared_data=shared)
    keys = [built.stack.key(run, ("seed",)) for run in first]
    size = sum(value[0].numel() for value in start.values())
    top = extreme_eigenvalues(matvec, start_vectors(keys, size), 3 * LANCZOS).values[:, 0]
    place = torch.tensor([list(dict.fromkeys(seeds)).index(seed) for seed in seeds])
    return {"lr": built.hyper["eta_lambda0"] / top[place]}


def curvature_over_start(trained: "Trained", stack: Any) -> dict[str, NDArray[np.float64]]:  # noqa: ANN401
    """Top eigenvalue of the Hessian of the training loss over lambda_0, ``(run,)``, and its ``residual`` likewise.

    NaN in networks that are ``linearised``, where it is 1 for ever.

    Args:
        trained: a stack whose ``lr`` is by `steps_over_curvature`.
        stack: of one ``linearised``.

    Source: Lewkowycz et al. 2020 (arXiv 2003.02218); the residual |Hv - kv| bounds the distance from an eigenvalue
    (Golub & Van Loan, section 8.1).
    """
    from dlatlas.measures.curvature import top_hessian_eigenvalue

    if stack["linearised"]:
        return dict.fromkeys(("curvature", "residual"), np.full(len(stack), np.nan))
    value, residual = top_hessian_eigenvalue(
        trained.loss_of_parameters, trained.parameters, trained.buffers, *trained.data(), keys=trained.keys,
        steps=LANCZOS, shared_data=trained.shared_data,
    )  # fmt: skip
    start = (trained.hyper["eta_lambda0"] / trained.hyper["lr"]).numpy()
    return {"curvature": value.numpy() / start, "residual": residual.numpy() / start}


def trains(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Whether a run has trained."""
    return cube["train_loss"].isel(step=-1) < TRAINED


def curvature_at(step: int, cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Curvature over lambda_0 of runs that have trained, at the start (0) or at the end (-1)."""
    return cube["curvature"].isel(step=step).where(trains(cube, theory))


def stable_at(step: int, cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Whether it is at most the ``bound``."""
    found = curvature_at(step, cube, theory)
    return (found <= theory["bound"]).astype(float).where(found.notnull())


def at_equal_time(name: str, cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """A variable at the eta t that the smallest step reaches at the end."""
    weight = theory["at_equal_time"]
    return (cube[name] * weight).where(weight > 0, 0.0).sum("step", skipna=False)
