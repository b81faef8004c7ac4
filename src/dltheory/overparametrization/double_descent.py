"""The peak of ridgeless regression at p = n cannot be avoided by choosing other features.

Covers the universal lower bound and the linear half of the catalogue's row on bias and variance; that row's networks
are trained in ``bias_variance_versus_width``.

Corrections of the catalogue:
- Gaussian features are "within O(1/n) of the bound" only where |p - n| is of order n: they exceed it by exactly
  (p+1-n)/(p-n-1). At |p - n| <= 1 the mean is infinite; the grid stays six away.
- "discrete features drop below" is not seen of signs (singular matrices are too rare); one-hot features do.
- ReLU features are not covered: they are singular with positive probability. tanh and cosines are.
- optimal ridge for an isotropic signal of norm r: lambda = p sigma^2 / r^2 with X^T X + lambda I.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlatlas import Study, but, choice, claim, count, derived, exchangeable, panel, variable, where
from dlatlas.judging.statistics import deviation, smallest
from dltheory.models.feature_maps import FEATURES, drawn
from dltheory.theory.ridgeless import gaussian_bias, gaussian_noise, noise_bound

if TYPE_CHECKING:
    import xarray as xr

    from dlatlas.training.stack import Stack

DENSE, GAUSSIAN = {"features": ["gaussian", "tanh", "cos"]}, {"features": "gaussian"}
SIGMA = 0.2
"""Variance of the noise in the picture's risk, beside a signal of norm 1."""


def solve(stack: "Stack") -> dict[str, NDArray[np.float64]]:
    """Noise part and unseen signal without ridge, and noise part with the best ridge, over fresh test points."""
    noise, bias, ridged = np.full((3, len(stack)), np.nan)
    n, tests = int(stack["n"]), int(stack["tests"])
    for run, h in enumerate(stack.runs):
        p, rng = int(h["p"]), stack.generator(run)
        X, unseen = drawn(str(h["features"]), p, (n, tests), rng)
        signal = rng.standard_normal(p) / np.sqrt(p)
        if h["features"] == "one_hot":
            inverse = np.linalg.pinv(X)
        elif p >= n:
            inverse = np.linalg.solve(X @ X.T, X).T
        else:
            inverse = np.linalg.solve(X.T @ X, X.T)
        weights = unseen @ inverse
        noise[run] = (weights**2).sum() / tests
        bias[run] = np.mean((unseen @ signal - weights @ (X @ signal)) ** 2)
        gram = X @ X.T
        ridged[run] = ((unseen @ X.T @ np.linalg.inv(gram + p * np.eye(n))) ** 2).sum() / tests
    return {"noise": noise, "bias": bias, "ridged": ridged}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """The lower bound, and noise part, unseen signal and risk of Gaussian features."""
    import xarray as xr

    n, p = int(cube["n"]), cube["p"].values
    noise, bias = gaussian_noise(n, p), gaussian_bias(n, p)
    found = {"bound": noise_bound(n, p), "noise": noise, "bias": bias, "risk": bias + SIGMA * noise}
    return xr.Dataset({name: ("p", values) for name, values in found.items()}, {"p": p})


def at_peak(cube: "xr.Dataset", name: str) -> "xr.DataArray":
    """A variable at the first p six beyond n."""
    return cube[name].isel(p=int(np.argmax(cube["p"].values >= int(cube["n"]) + 6)))


STUDY = Study(
    title="No choice of features avoids the peak of double descent",
    rows=["double-descent-universal-lower-bound"],
    kind="solve",
    papers=["holzmuller2021", "hastie2022", "belkin2019"],
    says=(
        "Holzmüller (2021): in least squares without ridge, label noise costs at least σ² n/(p+1-n) for p ≥ n features "
        "and σ² p/(n+1-p) for p ≤ n, whatever the features, if they have a density and full rank. Isotropic Gaussian "
        "features, for which the risk is known exactly (Hastie et al. 2022), are nearly the best. Ridge removes it."
    ),
    formula=(
        r"\mathbb E\,\mathrm{tr}(\Sigma X^+ X^{+\top}) \ge \frac{n}{p+1-n} \; (p \ge n), \qquad "
        r"\text{Gaussian: } \frac{n}{p-n-1}, \quad \text{unseen signal: } 1 - \frac{n}{p}"
    ),
    parameters={
        "features": choice("gaussian", FEATURES, "of the regression"),
        "n": count(40, "samples"),
        "p": count(80, "features"),
        "tests": count(200, "test points"),
    },
    shape=["n", "p", "tests"],
    solve=solve,
    cost=lambda run: 100.0 + run["p"],
    variables={
        "noise": variable("noise part of the excess risk, no ridge [σ²]", "holzmuller2021, equation 3"),
        "bias": variable("signal that is not recovered, no ridge", "hastie2022, theorem 1"),
        "ridged": variable("noise part of the excess risk, ridge p [σ²]", "hastie2022, section 6"),
    },
    theory=theory,
    observables={
        "over_bound": derived("noise part over its lower bound", lambda cube, theory: cube["noise"] / theory["bound"]),
        "peak": derived("noise part at p = n + 6 [σ²]", lambda cube, theory: at_peak(cube, "noise")),
        "ridged_peak": derived("the same with the best ridge [σ²]", lambda cube, theory: at_peak(cube, "ridged")),
        "risk": derived("risk of a unit signal, σ² = 0.2", lambda cube, theory: cube["bias"] + SIGMA * cube["noise"]),
    },
    claims=[
        claim(
            "lower bound", "The noise part is at least n/(p+1-n) or p/(n+1-p) times σ².", "theorem 3",
            smallest("over_bound", by="mean", where=DENSE) >= 1, rival=exchangeable("p"),
            fails=where("One-hot features have no density and fall below.", features="one_hot"),
        ),
        claim(
            "Gaussian features", "For isotropic Gaussian features it is exactly n/(p-n-1) or p/(n-p-1).",
            "inverse Wishart mean; hastie2022, theorem 1",
            deviation("noise", worst=True, where=GAUSSIAN) <= 0.05, rival=exchangeable("p"),
            fails=where("tanh features cost more.", features="tanh"),
        ),
        claim(
            "peak", "Six features beyond p = n, noise costs at least 5.7 σ² with any features.",
            "theorem 3: 40/7 at n = 40, p = 46",
            smallest("peak", by="mean", where=DENSE) >= 40 / 7, rival=exchangeable("p"),
            fails=but("With the best ridge there is no peak.", of="ridged_peak"),
        ),
        claim(
            "unseen signal", "Of an isotropic signal the part 1 - n/p is not recovered.",
            "hastie2022, theorem 1; exact for Gaussian features",
            deviation("bias", worst=True, where={**GAUSSIAN, "p": (50, None)}) <= 0.05, rival=exchangeable("p"),
            fails=where("Of correlated features less is lost.", features="tanh"),
        ),
    ],
    picture=[
        panel("noise", "p", by="features", line="bound", log="xy", mark={"x": (40, "p = n")}, title="noise",
              ylabel="noise part of the risk / σ²", labels={"bound": "lower bound"}, legend="upper left",
              grey={"features": "one_hot"},
              also=panel("ridged", "p", where=GAUSSIAN, line="", grey={"y": True}, labels={"ridged": "optimal ridge"})),
        panel("risk", "p", by="features", where={"features": ["gaussian", "tanh"]}, log="xy", line={"gaussian": "risk"},
              mark={"x": (40, "p = n")}, title="ridgeless risk", grey={"features": "tanh"}, legend="upper left"),
    ],
    caption=(
        "Left: noise part of the risk of least squares on 40 samples; grey: features without a density, and Gaussian "
        "ones with the best ridge. Right: risk with a signal of norm 1 and noise of variance 0.2; line: exact for "
        "Gaussian features."
    ),
    about=(
        "All four hold. Gaussian features come within 1.3 % of the bound at p = 5 n, cosines within 5 %; tanh of ten "
        "inputs costs up to 4.5 times as much there, since a few directions carry most of its variance. One-hot "
        "features stay below the bound from p = 12 on: an unseen category costs nothing."
    ),
)  # fmt: skip
