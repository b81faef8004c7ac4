"""Larger steps and smaller batches stop the growth of curvature earlier.

Corrections of the catalogue, from its audit and from what is derived here:
- the condition E[(1 - eta h_S)^2] <= 1 along the top direction is (1 - eta l)^2 + s^2 eta^2 (n - S)/(S (n - 1)) with
  s^2 the variance of the examples' curvatures, exact for batches without replacement; S = n gives l <= 2/eta. The
  paper's closed form in terms of the covariance K alone has a constant that differs from run to run; not used.
- with cross-entropy the curvature of this network never reaches 2/eta; with squared loss it does from eta = 0.15 on.
- the smallest non-zero eigenvalue of K is not defined numerically; the tenth is taken.
- the control "linear model" fixes H only; of K the control is the start, where steps have not acted.
"""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from dlatlas.declare.claim import Claim, Control
from dlatlas.declare.parameter import choice, count, number
from dlatlas.declare.study import Study
from dlatlas.declare.variable import Variable
from dlatlas.judging.statistics import average, exponent
from dlatlas.judging.verdict import AtLeast, AtMost

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

RANKS = (1, 2, 5, 10)
LANCZOS = 16


def measure(trained: Any, stack: Any) -> dict[str, Any]:  # noqa: ANN401
    """Top eigenvalue of H and how well it is known, spread of curvature along its vector, eigenvalues of K."""
    from dlatlas.measures.curvature import hessian_matvec
    from dlatlas.measures.gradient_noise import curvature_along, gradient_covariance_eigenvalues
    from dlatlas.measures.lanczos import ritz_pairs, start_vectors

    data = trained.data()
    matvec = hessian_matvec(trained.loss_of_parameters, trained.parameters, trained.buffers, *data,
                            shared_data=trained.shared_data)  # fmt: skip
    size = sum(value[0].numel() for value in trained.parameters.values())
    values, vectors = ritz_pairs(matvec, start_vectors(trained.keys, size), LANCZOS)
    top, v = values[:, 0], vectors[:, 0]
    covariance = gradient_covariance_eigenvalues(trained, max(RANKS))
    return {
        "sharpness": top.numpy(),
        "residual": (matvec(v) - top[:, None] * v).norm(dim=1).numpy(),
        "curvature_variance": curvature_along(trained, v).var(1, unbiased=False).numpy(),
        "covariance": covariance[:, [rank - 1 for rank in RANKS]].numpy(),
    }


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """The largest curvature at which gradient descent is stable, 2 / eta."""
    return (2 / cube["lr"]).to_dataset(name="sharpness")


def peak(cube: "xr.Dataset", theory: "xr.Dataset", of: str = "sharpness") -> "xr.DataArray":
    """The largest value on the way."""
    return cube[of].max("step")


def covariance_peak(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """The largest top eigenvalue of K on the way."""
    return peak(cube.sel(rank=1), theory, "covariance")


def first(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """The curvature at the start."""
    return cube["sharpness"].isel(step=0)


def first_covariance(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """The top eigenvalue of K at the start."""
    return cube["covariance"].sel(rank=1).isel(step=0)


def off_edge(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Relative distance of the largest curvature on the way from the edge of stability along its direction.

    With r the variance of the examples' curvatures over their squared mean there, E (1 - eta h_S)^2 = 1 at
    2 / (eta (1 + r (n - S) / (S (n - 1)))): 2 / eta with the full batch.
    """
    n, S = int(json.loads(cube.attrs["fixed"])["n_train"]), cube["batch"]
    at = cube["sharpness"].fillna(-np.inf).argmax("step")
    top = cube["sharpness"].isel(step=at)
    r = cube["curvature_variance"].isel(step=at) / top**2
    edge = theory["sharpness"] / (1 + r * (n - S) / (S * (n - 1)))
    return abs(top / edge - 1)


def conditioning(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Tenth over first eigenvalue of K where the curvature is largest."""
    at = cube["sharpness"].fillna(-np.inf).argmax("step")
    there = cube["covariance"].isel(step=at)
    return there.sel(rank=10) / there.sel(rank=1)


def first_conditioning(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """The same at the start."""
    there = cube["covariance"].isel(step=0)
    return there.sel(rank=10) / there.sel(rank=1)


def figure(cube: "xr.Dataset", theory: "xr.Dataset", verdict: dict[str, Any]) -> "Figure":
    """Curvature on the way for three steps, and its peak and that of K against step and batch."""
    from dlatlas.plotting.style import CONTROL, PALETTE, legend, letters, new_figure, shades, versus

    figure, (left, middle, right) = new_figure(3)
    n = int(json.loads(cube.attrs["fixed"])["n_train"])
    steps = [float(eta) for eta in cube["lr"].values]
    shown = [steps[0], steps[len(steps) // 2], steps[-1]]
    for color, eta in zip(PALETTE, shown):
        path = cube["sharpness"].sel(lr=eta, batch=n).mean("seed")
        left.plot(path["step"] + 1, path, color=color, marker="o", markersize=3, label=f"η = {eta:g}")
        left.axhline(2 / eta, color=color, linewidth=0.9, linestyle=(0, (4, 3)))
    left.set(xscale="log", xlabel="step + 1", ylabel="largest curvature", ylim=(0, 16))
    legend(left, loc="upper left")
    eta = np.array(steps)
    middle.plot(eta, 2 / eta, color="black", linewidth=1.0, label="2 / η")
    for color, batch in zip(shades(cube.sizes["batch"]), cube["batch"].values):
        name = "all" if batch == n else int(batch)
        versus(middle, cube, None, peak, "lr", {"batch": batch}, color=color, label=f"batch {name}")
        versus(right, cube, None, covariance_peak, "lr", {"batch": batch}, color=color)
    versus(middle, cube, None, first, "lr", {"batch": n}, color=CONTROL, marker="s", label="at the start")
    versus(right, cube, None, first_covariance, "lr", {"batch": n}, color=CONTROL, marker="s")
    middle.set(xscale="log", yscale="log", xlabel="step size  η", ylabel="largest curvature on the way")
    right.set(xscale="log", yscale="log", xlabel="step size  η", ylabel="largest eigenvalue of K on the way")
    for panel in (middle, right):
        panel.set_xticks([0.02, 0.05, 0.1, 0.2, 0.4], ["0.02", "0.05", "0.1", "0.2", "0.4"])
        panel.minorticks_off()
    middle.set_yticks([1, 3, 5, 10, 20, 50, 100], ["1", "3", "5", "10", "20", "50", "100"])
    middle.set_ylim(0.5, 130)
    right.set_yticks([0.3, 0.4, 0.5, 0.6], ["0.3", "0.4", "0.5", "0.6"])
    legend(middle, loc="lower left")
    letters((left, middle, right), ("full batch", "Hessian H", "gradient covariance K"))
    return figure


JASTRZEBSKI = "Jastrzebski et al. 2020"
LARGE = {"lr": (0.15, None)}

STUDY = Study(
    title="Curvature grows until a step is just stable",
    rows=("break-even-point",),
    kind="train",
    statement=(
        "Jastrzebski et al. (2020): early in training the largest eigenvalues of the Hessian H and of the gradients' "
        "covariance K grow until a step is just stable along the top direction, and stop there: earlier the larger the "
        "step and the smaller the batch. With the full batch that is 2/η (Cohen et al. 2021)."
    ),
    formula=(
        r"\mathbb E (1 - \eta h_S)^2 = (1 - \eta \lambda)^2 + \frac{n - S}{S (n - 1)}\, \eta^2 s^2 \le 1, \qquad S = n:"
        r"\; \lambda_1(H) \to 2 / \eta"
    ),
    papers=("jastrzebski2020", "cohen2021"),
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
    shape=("inputs", "width", "depth", "outputs", "activation", "n_train"),
    measure=measure,
    variables={
        "sharpness": Variable("largest eigenvalue of the Hessian", "loss/parameter²", f"{JASTRZEBSKI}, section 2"),
        "residual": Variable("residual |Hv - λv| of it", "loss/parameter²", "Golub & Van Loan, section 8.1"),
        "curvature_variance": Variable("variance of the examples' curvatures along its vector", "loss²/parameter⁴",
                                       f"{JASTRZEBSKI}, appendix A"),
        "covariance": Variable("eigenvalue of the gradients' covariance", "loss²/parameter²",
                               f"{JASTRZEBSKI}, section 2", {"rank": list(RANKS)}),
    },
    cost=lambda run: 100.0 + run["batch"],
    theory=theory,
    claims=(
        Claim(
            name="full batch stops at 2/η",
            statement="With the full batch the curvature peaks near 2/η.",
            source=f"{JASTRZEBSKI}, section 3; Cohen et al. 2021, section 3",
            quantity="mean relative distance of the peak from 2/η, η of 0.15 or more [1]",
            statistic=average,
            holds={"of": off_edge, "where": {**LARGE, "batch": 200}},
            expected=AtMost(0.25),
            control=Control("The smallest step does not get there in time.", {"where": {"lr": 0.02, "batch": 200}}),
            permute="lr",
            shuffled=("sharpness",),
        ),
        Claim(
            name="curvature falls with the step",
            statement="The peak of the curvature is lower the larger the step, at every batch size.",
            source=f"{JASTRZEBSKI}, theorem 1 and figure 3",
            quantity="exponent of the mean peak in η [1]",
            statistic=exponent,
            holds={"of": peak, "along": "lr", "where": LARGE},
            expected=AtMost(-0.1),
            control=Control("At the start there is no effect.", {"of": first}),
            permute="lr",
            shuffled=("sharpness",),
        ),
        Claim(
            name="covariance falls with the step",
            statement="So is the peak of the top eigenvalue of K.",
            source=f"{JASTRZEBSKI}, theorem 1 and figure 3",
            quantity="exponent of the mean peak in η [1]",
            statistic=exponent,
            holds={"of": covariance_peak, "along": "lr", "where": LARGE},
            expected=AtMost(-0.1),
            control=Control("At the start there is no effect.", {"of": first_covariance}),
            permute="lr",
            shuffled=("covariance",),
        ),
        Claim(
            name="smaller batches stop earlier",
            statement="The peak of the curvature is lower the smaller the batch.",
            source=f"{JASTRZEBSKI}, theorem 1",
            quantity="exponent of the mean peak in the batch size [1]",
            statistic=exponent,
            holds={"of": peak, "along": "batch", "where": LARGE},
            expected=AtLeast(0.02),
            control=Control("At the start there is no effect.", {"of": first}),
            permute="batch",
            shuffled=("sharpness",),
        ),
        Claim(
            name="covariance falls with smaller batches",
            statement="So is the peak of the top eigenvalue of K.",
            source=f"{JASTRZEBSKI}, theorem 1 and figure 3",
            quantity="exponent of the mean peak in the batch size [1]",
            statistic=exponent,
            holds={"of": covariance_peak, "along": "batch", "where": LARGE},
            expected=AtLeast(0.02),
            control=Control("At the start there is no effect.", {"of": first_covariance}),
            permute="batch",
            shuffled=("covariance",),
        ),
        Claim(
            name="better conditioned",
            statement="At the break-even point K is the better conditioned the larger the step.",
            source=f"{JASTRZEBSKI}, conjecture 2 and figure 4",
            quantity="exponent of the mean tenth over first eigenvalue in η [1]",
            statistic=exponent,
            holds={"of": conditioning, "along": "lr", "where": LARGE},
            expected=AtLeast(0.1),
            control=Control("At the start there is no effect.", {"of": first_conditioning}),
            permute="lr",
            shuffled=("sharpness", "covariance"),
        ),
        Claim(
            name="until marginal",
            statement="With batches of 32 curvature grows until a step is marginally stable along the top direction.",
            source=f"{JASTRZEBSKI}, equation 2; the factor exact for batches without replacement",
            quantity="mean relative distance of the peak from where E (1 - η h)² = 1 [1]",
            statistic=average,
            holds={"of": off_edge, "where": {**LARGE, "batch": 32}},
            expected=AtMost(0.25),
            control=Control("Steps of 0.02 do not get there in time.", {"where": {"lr": 0.02, "batch": 32}}),
            permute="lr",
            shuffled=("sharpness", "curvature_variance"),
        ),
    ),
    figure=figure,
    caption=(
        "Left: largest Hessian eigenvalue with the full batch; dashed: 2/η. Middle and right: largest eigenvalues of H "
        "and K on the way against the step size, by batch; grey: at the start."
    ),
    about=(
        "Five of seven hold. With batches of 32 the peak comes within 9 % of the curvature at which the growth "
        "factor is 1, without a fitted number. Undecided is whether the full batch stops within 25 % of 2/η: it "
        "overshoots by 22 %, with an interval from 20 to 27. So is whether the top eigenvalue of K falls by at "
        "least η to the power 0.1: its mean falls by 0.14, but it differs more between six draws of the data than"
        " between step sizes. Step sizes, initial scale and two statistics were settled on a first small sweep; "
        "this one has seeds of its own."
    ),
)  # fmt: skip
