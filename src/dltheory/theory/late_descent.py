"""Descent of a linear classifier on separable data: its stable steps, and how far it is from where it goes.

The observables are run by run, of cubes with the predictor ``weight`` and, of its support vectors, ``multiplier`` and
``score``.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import xarray as xr
    from torch import Tensor

CURVATURE = {"logistic": 0.25, "poly_tail": 6.0}
"""Largest second derivative of the loss; the exponential loss has none, and its curvature at the start is taken."""


def stability_threshold(loss: str, x: "Tensor", scores: "Tensor") -> "Tensor":
    """The step 2 / lambda_max at which descent becomes unstable, ``(run,)``.

    Args:
        loss: mean over examples.
        x: examples, ``(run, n, d)``.
        scores: labels times outputs at the start, ``(run, n, 1)``.
    """
    import torch

    weight = torch.exp(-scores) if loss == "exponential" else CURVATURE[loss]
    return 2 / torch.linalg.eigvalsh((weight * x).mT @ x / x.shape[1])[:, -1]


def support_error(cube: "xr.Dataset", theory: "xr.Dataset", clock: str) -> "xr.DataArray":
    """E_p |clock exp(-z.w) / alpha - 1| at the end, p = alpha / sum(alpha): 0 if exp(-z.wtilde) clock / t = alpha."""
    alpha, score = (cube[name].isel(step=-1).astype(float) for name in ("multiplier", "score"))
    off = abs(np.exp(np.log(theory[clock].isel(step=-1)) - score) - alpha)
    return off.where(alpha > 0, 0.0).sum("support") / alpha.sum("support")


def late(values: "xr.DataArray") -> "xr.DataArray":
    """Where the step is in the last decade."""
    return values.where(10 * values["step"] >= 0.999 * values["step"][-1])


def between_starts(cube: "xr.Dataset", theory: "xr.Dataset", normalised: bool) -> "xr.DataArray":
    """Distance of w/|w|, or of w, between the two starts, over the last decade of steps."""
    w = cube["weight"].astype(float)
    return late(_apart(w.isel(start=1), w.isel(start=0), normalised))


def between_steps(cube: "xr.Dataset", theory: "xr.Dataset", same_time: bool) -> "xr.DataArray":
    """Distance of w/|w| between the largest and smallest step, at equal eta t or at equal t."""
    w, eta = cube["weight"].astype(float).isel(step=slice(1, None)), cube["eta"].values
    w = w.assign_coords(step=np.log(w["step"]))  # in which w is linear
    end = float(w["step"][-1]) + (np.log(eta[0] / eta[-1]) if same_time else 0.0)
    return _apart(w.isel(eta=-1).interp(step=end), w.isel(eta=0, step=-1), True)


def _apart(one: "xr.DataArray", other: "xr.DataArray", normalised: bool) -> "xr.DataArray":
    one, other = (w / (np.sqrt((w**2).sum("coordinate")) if normalised else 1) for w in (one, other))
    return np.sqrt(((one - other) ** 2).sum("coordinate"))
