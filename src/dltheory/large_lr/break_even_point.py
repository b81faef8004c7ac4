"""Larger steps and smaller batches stop the growth of curvature earlier.

Corrections of the catalogue, from its audit and from what is derived here:
- the condition on a step, as the formula has it with s^2 the variance of the examples' curvatures, is exact for batches
  without replacement. The paper's closed form in K alone has a constant that differs from run to run; not used.
- with cross-entropy the curvature of this network never reaches 2/eta; with squared loss it does from eta = 0.15 on.
- the smallest non-zero eigenvalue of K is not defined numerically; the tenth is taken.
- the control "linear model" fixes H only; of K the control is the start, where steps have not acted.
"""

from typing import TYPE_CHECKING

import numpy as np

from dlatlas import Study, but, choice, claim, count, derived, exchangeable, number, panel, variable, where
from dlatlas.judging.statistics import average, exponent
from dltheory.measures.top_curvature import RANKS, conditioning, top_curvature
from dltheory.theory.marginal_step import marginal_curvature

if TYPE_CHECKING:
    import xarray as xr

LARGE, FULL = {"lr": (0.15, None)}, {"batch": 200}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """The largest curvature at which gradient descent is stable, 2 / eta."""
    return (2 / cube["lr"]).to_dataset(name="sharpness")


def at_peak(cube: "xr.Dataset", name: str) -> "xr.DataArray":
    """A variable where the curvature is largest on the way."""
    return cube[name].isel(step=cube["sharpness"].fillna(-np.inf).argmax("step"))


def off_edge(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Relative distance of the largest curvature from where a step is marginally stable along its direction."""
    top, variance = at_peak(cube, "sharpness"), at_peak(cube, "curvature_variance")
    return abs(top / marginal_curvature(cube["lr"], variance / top**2, cube["batch"], cube["n_train"]) - 1)


STUDY = Study(
    title="Curvature grows until a step is just stable",
    rows=["break-even-point"],
    kind="train",
    papers=["jastrzebski2020", "cohen2021"],
    says=(
        "Jastrzebski et al. (2020): early in training the largest eigenvalues of the Hessian H and of the gradients' "
        "covariance K grow until a step is just stable along the top direction, and stop there: earlier the larger the"
        " step and the smaller the batch. With the full batch that is 2/η (Cohen et al. 2021)."
    ),
    formula=(
        r"\mathbb E (1 - \eta h_S)^2 = (1 - \eta \lambda)^2 + \frac{n - S}{S (n - 1)}\, \eta^2 s^2 \le 1, \qquad S = n:"
        r"\; \lambda_1(H) \to 2 / \eta"
    ),
    parameters={
        "inputs": count(64, "input dimension"),
        "width": count(32, "units of a hidden layer"),
        "depth": count(2, "hidden layers"),
        "outputs": count(10, "classes"),
        "activation": choice("tanh", ("tanh", "relu"), "of the hidden units"),
        "scale": number(0.35, "of the weights at the start, over their usual size", low=0.0),
        "n_train": count(200, "training examples"),
        "label_noise": number(0.0, "share of random labels", low=0.0, high=1.0),
    },
    shape=["inputs", "width", "depth", "outputs", "activation", "n_train"],
    measure=top_curvature,
    cost=lambda run: 100.0 + run["batch"],
    variables={
        "sharpness": variable("largest eigenvalue of H [loss/parameter²]", "section 2"),
        "residual": variable("residual |Hv - λv| of it [loss/parameter²]", "Golub & Van Loan, section 8.1"),
        "curvature_variance": variable("variance of the examples' curvatures along its vector [loss²/parameter⁴]",
                                       "appendix A"),
        "covariance": variable("eigenvalue of K [loss²/parameter²]", "section 2", rank=list(RANKS)),
    },
    theory=theory,
    observables={
        "peak": derived("largest curvature on the way [loss/parameter²]",
                        lambda cube, _: cube["sharpness"].max("step")),
        "first": derived("curvature at the start [loss/parameter²]", lambda cube, _: cube["sharpness"].isel(step=0)),
        "off_edge": derived("relative distance of the largest curvature from where E (1 - ηh)² = 1", off_edge),
        "K_peak": derived("largest eigenvalue of K on the way [loss²/parameter²]",
                          lambda cube, _: cube["covariance"].sel(rank=1).max("step")),
        "K_first": derived("largest eigenvalue of K at the start [loss²/parameter²]",
                           lambda cube, _: cube["covariance"].sel(rank=1).isel(step=0)),
        "conditioning": derived("tenth over first eigenvalue of K where curvature is largest",
                                lambda cube, _: conditioning(at_peak(cube, "covariance"))),
        "first_conditioning": derived("tenth over first eigenvalue of K at the start",
                                      lambda cube, _: conditioning(cube["covariance"].isel(step=0))),
    },
    claims=[
        claim(
            "full batch stops at 2/η", "With the full batch the curvature peaks near 2/η.",
            "section 3; cohen2021, section 3", average("off_edge", where={**LARGE, **FULL}) <= 0.25, rival=exchangeable("lr", "sharpness"), fails=where("The smallest step does not get there in time.", lr=0.02),
        ),
        claim(
            "curvature falls with the step", "The curvature peaks lower the larger the step, at every batch size.",
            "theorem 1 and figure 3", exponent("peak", "lr", LARGE) <= -0.1, rival=exchangeable("lr", "sharpness"),
            fails=but("At the start there is no effect.", of="first"),
        ),
        claim(
            "covariance falls with the step", "So does the top eigenvalue of K.",
            "theorem 1 and figure 3", exponent("K_peak", "lr", LARGE) <= -0.1, rival=exchangeable("lr", "covariance"),
            fails=but("At the start there is no effect.", of="K_first"),
        ),
        claim(
            "smaller batches stop earlier", "The curvature peaks lower the smaller the batch.",
            "theorem 1", exponent("peak", "batch", LARGE) >= 0.02, rival=exchangeable("batch", "sharpness"),
            fails=but("At the start there is no effect.", of="first"),
        ),
        claim(
            "covariance falls with smaller batches", "So does the top eigenvalue of K.",
            "theorem 1 and figure 3", exponent("K_peak", "batch", LARGE) >= 0.02, rival=exchangeable("batch", "covariance"),
            fails=but("At the start there is no effect.", of="K_first"),
        ),
        claim(
            "better conditioned", "At the break-even point K is the better conditioned the larger the step.",
            "conjecture 2 and figure 4", exponent("conditioning", "lr", LARGE) >= 0.1, rival=exchangeable("lr", "sharpness", "covariance"), fails=but("At the start there is no effect.", of="first_conditioning"),
        ),
        claim(
            "until marginal", "With batches of 32 it grows until a step is marginally stable along the top direction.",
            "equation 2; the factor exact for batches without replacement",
            average("off_edge", where={**LARGE, "batch": 32}) <= 0.25, rival=exchangeable("lr", "sharpness", "curvature_variance"), fails=where("Steps of 0.02 do not get there in time.", lr=0.02),
        ),
    ],
    picture=[
        panel("sharpness", "step", by="lr", where={"lr": [0.02, 0.25, 0.4], **FULL}, log="x", joined=True,
              labels={"lr": "η"}, title="full batch", ylabel="largest curvature", ylim=(0, 16), legend="upper left"),
        panel("peak", "lr", by="batch", line="sharpness", log="xy", labels={"sharpness": "2 / η", 200: "full batch"},
              title="Hessian H", xlabel="step size  η", ylabel="largest curvature on the way", ylim=(0.5, 130),
              legend="lower left",
              also=panel("first", "lr", where=FULL, grey={"y": True}, labels={"first": "at the start"})),
        panel("K_peak", "lr", by="batch", log="x", title="gradient covariance K", xlabel="step size  η", legend="",
              ylabel="largest eigenvalue on the way", also=panel("K_first", "lr", where=FULL, grey={"y": True})),
    ],
    caption=(
        "Left: largest Hessian eigenvalue with the full batch; lines: 2/η. Middle and right: largest eigenvalues of H "
        "and K on the way against the step size, by batch; grey: at the start."
    ),
    about=(
        "Five of seven hold. With batches of 32 the peak comes within 9 % of the curvature at which the growth factor "
        "is 1, without a fitted number. Undecided is whether the full batch stops within 25 % of 2/η: it overshoots "
        "by 22 %, interval 20 to 27. So is whether the top eigenvalue of K falls by at least η to the power 0.1: its "
        "mean falls by 0.14, but differs more between six draws of the data than between step sizes. Step sizes, "
        "initial scale and two statistics were settled on a first small sweep; this one has seeds of its own."
    ),
)  # fmt: skip
