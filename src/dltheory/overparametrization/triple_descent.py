"""Triple descent: two peaks of the test error against the number of samples (d'Ascoli, Sagun & Biroli, NeurIPS 2020).

The height of a peak is read from the logarithm of the median over seeds: its mean in a fixed window of N / D or N / P,
above the higher of the means on both sides. N = P itself is in no window: there the error at ridge 0 has no mean,
P(error > t) ~ t^-1/2, and the median of 20 seeds is not yet the theory's curve.

Corrections of the catalogue, each checked here; what ridge and ensembles do to the peaks is said below:
- r of tanh is 0.930, not 0.92; eta - zeta is the strength of the effective noise only if E sigma = 0. So r is taken as
  (E sigma')^2 / Var sigma: relu 0.733 (not 1/2), |z| 0, linear 1.
- at N = D the smallest nonzero eigenvalue goes to zero; it does not diverge (its inverse does).
- "whitening P = D merges the two" is true by definition of the two positions, and is not run.
"""

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlatlas import Study, but, choice, claim, count, derived, exchangeable, instead, number, panel, variable, where
from dlatlas.judging.statistics import Statistic, average, least, statistic
from dltheory.models.feature_ensembles import ensemble
from dltheory.theory.random_feature_ridge import ACTIVATIONS, excess_error, masses

if TYPE_CHECKING:
    import xarray as xr

    from dlatlas.training.stack import Stack

NOISE, RIDGELESS = 5.0, 1e-8
PLAIN = {"members": 1, "noise": NOISE, "ridge": RIDGELESS}
TANH = {"activation": "tanh", **PLAIN}
LOOK = {"at": "median", "log": "xy", "mark": {"x": [("d", "$N = D$"), ("p", "$N = P$")]}, "xlim": (3.5, None),
        "ylim": (0.008, 3e4), "legend": "lower left", "xlabel": "samples  $N$"}  # fmt: skip


def solve(stack: "Stack") -> dict[str, NDArray[np.float64]]:
    """Test error, smallest nonzero eigenvalue and weights' norm, for one N and activation.

    A seed's runs share teacher, samples, noise and features: they differ in noise level and ridge alone.
    """
    n, p, d, tests, members = (stack[name] for name in ("n", "p", "d", "tests", "members"))
    sigma = ACTIVATIONS[stack["activation"]]
    rank = min(n, p, d) if stack["activation"] == "linear" else min(n, p)
    error, smallest, norm = np.full((3, len(stack)), np.nan)
    for seed in np.unique(stack["seed"]):
        runs = np.flatnonzero(stack["seed"] == seed)
        draw = {name: stack.generator(runs[0], name, names=("d", "p")) for name in ("data", "noise", "features")}
        ridge, noise = stack["ridge"][runs], stack["noise"][runs]
        error[runs], norm[runs], levels = ensemble(sigma, n, p, d, tests, members, ridge, noise, draw)
        smallest[runs] = levels[-rank]
    return {"error": error, "smallest": smallest, "weight_norm": norm}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """The error in the proportional limit; the same for the others as if they were linear; r of each activation."""
    import xarray as xr

    d, p = int(cube["d"]), int(cube["p"])
    error = xr.apply_ufunc(
        lambda activation, noise, ridge, n, members: excess_error(masses(activation), n, p, d, ridge, noise, members),
        *(cube[name] for name in ("activation", "noise", "ridge", "n", "members")), vectorize=True,
    )  # fmt: skip
    linear = cube["activation"] == "linear"
    as_linear = error.isel(features=linear.values.argmax()).drop_vars(("activation", "members")).where(~linear)
    r = xr.apply_ufunc(lambda activation: masses(activation).linearity, cube["activation"], vectorize=True)
    return xr.Dataset({"error": error, "as_linear": as_linear, "r": r})


def rise(error: "xr.DataArray", peak: str) -> NDArray[np.float64]:
    """Height of the peak at N = D or N = P (docstring of this file); negative where there is none."""
    level, n = np.log(error.transpose("draw", "n").values), error["n"].values
    D, P = n / int(error["d"]), n / int(error["p"])
    windows = [D <= 0.4, (D >= 0.8) & (D <= 1.6), (D >= 2.4) & (D <= 4), (P >= 0.7) & (P <= 1.4) & (P != 1), P >= 3]
    before, linear, between, nonlinear, after = (level[:, window].mean(-1) for window in windows)
    return linear - np.maximum(before, between) if peak == "N=D" else nonlinear - np.maximum(between, after)


def height(peak: str, **setting: str | float) -> Statistic:
    """Height of a peak of tanh features with noise, without ridge, or as the setting says."""
    where = {**TANH, **setting}
    return statistic(rise, "error", where=where, by="median", words="height of the peak at {peak}", peak=peak)


def spared(**treatment: float) -> Statistic:
    """By how much more than half of the linear peak stays and more than half of the nonlinear one goes."""
    return least(height("N=D", **treatment) - height("N=D") / 2, height("N=P") / 2 - height("N=P", **treatment))


def misfit(error: "xr.DataArray", predicted: "xr.DataArray") -> "xr.DataArray":
    """Median over settings of |ln(median error / theory)|, but where the theory diverges at ridge 0."""
    diverges = (error["n"] == error["p"]) | ((error["activation"] == "linear") & (error["n"] == error["d"]))
    return abs(np.log(error / predicted)).where(~diverges).median(["features", "noise", "ridge", "n"])


def lowest(cube: "xr.Dataset", theory: "xr.Dataset", linear: str = "d", other: str = "p") -> "xr.DataArray":
    """Whether a seed's smallest nonzero eigenvalue is lowest at N = D if linear, else at N = P."""
    n = cube["smallest"].isel(noise=0, ridge=0).idxmin("n")
    return n == cube[linear].where(cube["activation"] == "linear", cube[other])


STUDY = Study(
    title="Two overfitting peaks: at N = D and at N = P",
    rows=["triple-descent"],
    kind="solve",
    papers=["dascoli2020", "simon2024", "jacot2020"],
    says=(
        "Random-feature regression with D inputs and P features, fitted to N noisy samples. d'Ascoli, Sagun & Biroli: "
        "the test error can peak twice in N, at N = D, where the linear part of the features overfits the noise, and "
        "at N = P, where no parameter is spare. The activation's linearity r decides: |z| (r = 0) has the second peak "
        "alone, z (r = 1) the first alone, tanh (r = 0.93) both. Ridge and ensembling remove the second, not the first."
    ),
    formula=(
        r"N = \sum_i \frac{\lambda_i}{\lambda_i+\gamma} + \frac{\delta}{\kappa}, \quad "
        r"P = \sum_i \frac{\lambda_i}{\lambda_i+\gamma} + \frac{P \kappa}{\gamma}, \quad "
        r"r = \frac{(\mathrm{E}\,\sigma'(z))^2}{\mathrm{Var}\,\sigma(z)}"
    ),
    parameters={
        "n": count(100, "samples N"),
        "d": count(50, "inputs D"),
        "p": count(500, "features P"),
        "activation": choice("tanh", ACTIVATIONS, "activation of the features"),
        "members": count(1, "predictors in the ensemble K, same data, own features"),
        "noise": number(NOISE, "variance of the labels' noise, 1 / SNR", low=0.0),
        "ridge": number(RIDGELESS, "coefficient of |a|^2 beside the sum of squares", low=1e-14),
        "tests": count(500, "test points"),
    },
    shape=["n", "d", "p", "activation", "members", "tests"],
    cost=lambda run: 1 + run["members"] * min(run["n"], run["p"]) * (run["n"] + run["p"]) / 2e5,
    solve=solve,
    variables={
        "error": variable("test error against clean labels [teacher's variance]", "mean over test points"),
        "smallest": variable("smallest nonzero eigenvalue of the features' Gram matrix", "first member"),
        "weight_norm": variable("norm of the weights |a|", "first member"),
    },
    theory=theory,
    observables={
        "lowest": derived("smallest eigenvalue lowest at N = D if linear, else at N = P", lowest),
        "exchanged": derived("smallest eigenvalue lowest at the other's N", partial(lowest, linear="p", other="d")),
    },
    claims=[
        claim(
            "two peaks at once",
            "With noisy labels tanh features have both peaks; each rises by more than 10 % above both sides.",
            "dascoli2020", least(height("N=D"), height("N=P")) >= 0.1, rival=exchangeable("n", "error"),
            fails=where("|z| has no linear part and must lose the peak at N = D.", activation="abs"),
        ),
        claim(
            "one peak at each end",
            "A linear activation (r = 1) has the peak at N = D alone, |z| (r = 0) that at N = P alone.", "dascoli2020",
            least(height("N=D", activation="linear"), -height("N=P", activation="linear"),
                  height("N=P", activation="abs"), -height("N=D", activation="abs")) >= 0.1,
            rival=exchangeable("n", "error"), fails=where("tanh in both places has both peaks.", activation="tanh"),
        ),
        claim(
            "linear peak grows with r", "The linear peak's height grows with r: |z| 0, relu 0.73, tanh 0.93, linear 1.",
            "dascoli2020",
            least(*(height("N=D", activation=high) - height("N=D", activation=low)
                    for low, high in pairwise(("abs", "relu", "tanh", "linear")))) >= 0,
            rival=exchangeable("features", "error"), fails=but("The nonlinear peak must not grow with r.", peak="N=P"),
        ),
        claim(
            "noise makes the linear peak",
            "For tanh the linear peak grows with the noise and is absent without; the nonlinear one stays.",
            "dascoli2020",
            least(*(height("N=D", noise=high) - height("N=D", noise=low) for low, high in pairwise((0.0, 0.5, NOISE))),
                  -height("N=D", noise=0.0), height("N=P", noise=0.0)) >= 0.1,
            rival=exchangeable("noise", "error"), fails=where("For |z| noise makes no peak at N = D.", activation="abs"),
        ),
        claim(
            "ridge spares the linear peak",
            "Ridge 0.01 removes more than half of tanh's nonlinear peak, less than half of its linear one.",
            "dascoli2020; the size of the ridge by the theory", spared(ridge=0.01) >= 0, rival=exchangeable("ridge", "error"), fails=instead("Ridge 1 removes both.", spared(ridge=1.0)),
        ),
        claim(
            "ensembling spares the linear peak", "So does the mean of ten predictors, away from N = P.", "dascoli2020",
            spared(members=10) >= 0, rival=exchangeable("n", "error"),
            fails=instead("Ten times less noise does the opposite.", spared(noise=0.5)),
        ),
        claim(
            "theory gives the curves",
            "The error in the proportional limit holds at D = 50 within 10 %, a few times 1/D.",
            "simon2024; jacot2020",
            statistic(misfit, "error", "theory.error", by="median", words="median |ln(error / theory)|") <= 0.1,
            rival=exchangeable("n", "error"),
            fails=but("The curve for r = 1 is not the others'.", of=["error", "theory.as_linear"]),
        ),
        claim(
            "smallest eigenvalue",
            "The smallest nonzero eigenvalue is lowest at N = D for linear features, at N = P for tanh.",
            "dascoli2020; Marchenko & Pastur 1967",
            average("lowest", where={"activation": ["linear", "tanh"], "members": 1}) >= 0.9, rival=exchangeable("n", "smallest"), fails=but("With the activations exchanged it is not.", of="exchanged"),
        ),
    ],
    picture=[
        panel("error", "n", by="activation", where=PLAIN, grey={"activation": "abs"}, **LOOK,
              title="signal-to-noise ratio 0.2, no ridge", ylabel="test error / variance of the teacher",
              labels={"tanh": "tanh, r = 0.93", "linear": "z, r = 1", "relu": "relu, r = 0.73", "abs": "|z|, r = 0"}),
        panel("error", "n", where=TANH, grey={"noise": 0.0}, **LOOK, title="tanh", ylabel=" ",
              labels={"error": "plain", "grey": "no noise"},
              also=[panel("error", "n", where={**TANH, "members": 10}, **LOOK, labels={"error": "mean of 10"}),
                    panel("error", "n", where={**TANH, "ridge": 0.01}, **LOOK, labels={"error": "ridge 0.01"})]),
    ],
    caption=(
        "Test error against the number of samples, D = 50 and P = 500: medians with 95 % intervals over seeds, and the "
        "proportional limit as lines (nothing fitted). Left: four activations; |z| (grey) is the control without a "
        "linear part. Right: tanh with ten predictors averaged, with ridge, and without noise (grey, control)."
    ),
    about=(
        "Both peaks at once need an activation that is nearly linear: tanh (r = 0.93) has them, relu (0.73) only "
        "a shoulder at N = D. That ridge spares the linear peak is true in a window (at ridge 1 both are gone), "
        "and averaging K predictors divides the excess at N = P by K instead of removing it. For ensembling the "
        "permutation first exchanged activations, two of which have the claimed order by themselves, and two "
        "sweeps left it undecided (p = 0.08, 0.06), as it would a cube made by the theory; it now shuffles the "
        "samples N, judged on new seeds."
    ),
)  # fmt: skip
