"""Logistic regression on separable data slides to the max-margin direction at speed 1 / ln t.

Soudry, Hoffer, Nacson, Gunasekar & Srebro (2018): for a loss with an exponential tail, separable data and any start,
w(t) = what ln t + rho(t) with rho bounded, what the hard-margin solution |what| = 1/gamma. So |w| grows as ln t /
gamma, the risk falls as 1/t, the angle to what as 1/ln t (1 - cos as 1/ln^2 t), the margin's gap as 1/ln t.

Corrections to the catalogue. It said rho -> wtilde with eta exp(-z_n.wtilde) = alpha_n on the support (z = y x): that
is the sum over examples; for the mean loss it is (eta/n) exp(-z_n.wtilde) = alpha_n, from what/t = (eta/n) sum_n
z_n exp(-z_n.w(t)) with z_n.what = 1. It said that the limit does not depend on the start: the direction does not,
wtilde does, in the complement of the support vectors. It asked for step sizes below stability: for the logistic loss
any fixed one converges (Wu, Braverman & Lee 2023), the exponential loss needs the condition; here all are below.
The same identity gives, with p = alpha / sum(alpha), s = gamma |w| = ln(eta t/n) - E_p ln alpha and the relative gap
(ln max alpha - E_p ln alpha) / s with no fitted constant; exponents are taken against s, which differs from ln t by
that constant only.

The row logistic-gd-max-margin says the same and adds stochastic and adaptive descent, which are not run, and normalised
steps, which are on the page of steepest descent.

Over the decade that constant steps reach, ln t moves by a third: norm and risk are tested there. A power of ln t is
not told from another, so it is tested on the gradient flow, which such descent follows (its curvature dies as 1/t), by
steps of constant length up to t = e^60 and beyond (the catalogue's "normalised integrator").
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.declare.claim import Claim, Control
from dlatlas.declare.parameter import count, number
from dlatlas.declare.study import Study
from dlatlas.declare.variable import Variable
from dlatlas.judging.verdict import AtMost, Equals
from dltheory.theory.hard_margin import log_clock

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
AXES = ("method", "dimension", "eta", "start", "seed", "step")
STEPS, STEPS_POLY = ("sgd", ("logistic", "exponential")), ("sgd", ("poly_tail",))
FLOW, FLOW_POLY = ("unit_speed_flow", ("logistic",)), ("unit_speed_flow", ("poly_tail",))
Group = tuple[str, tuple[str, ...]]
"""Rule and losses."""
CURVATURE = {"logistic": 0.25, "poly_tail": 6.0}
"""Largest second derivative of the loss; the exponential loss has none, and its curvature at the start is taken."""


def setup(built: Any) -> dict[str, Any]:  # noqa: ANN401
    """The step: eta times 2 / lambda_max, its stability threshold; for the flow a length eta margin / (8 max |x|^2).

    The flow's curvature over |g| is at most max |x|^2 / gamma, gamma >= margin: its steps are below a sixteenth of
    their threshold.
    """
    import torch

    eta, x, y = built.hyper["eta"], built.x[built.which], built.y[built.which]
    if built.stack["optimizer"] != "sgd":
        return {"lr": eta * built.hyper["margin"] / (8 * x.square().sum(-1).amax(-1))}
    scores = y * (x @ built.parameters["weight"].mT)
    weight = torch.exp(-scores) if built.stack["loss"] == "exponential" else CURVATURE[built.stack["loss"]]
    return {"lr": 2 * eta / torch.linalg.eigvalsh((weight * x).mT @ x / x.shape[1])[:, -1]}


def measure(trained: Any, stack: Any) -> dict[str, Any]:  # noqa: ANN401
    """Geometry of w against the hard-margin solution of each run's own data."""
    from dltheory.measures.hard_margin import against_hard_margin

    return {**against_hard_margin(trained), "clock": trained.parameters["clock"].numpy()}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """The clock s and what it predicts: |w| = s/gamma, the margin's relative gap, the risk 1/(gamma^2 eta t)."""
    n = json.loads(cube.attrs["fixed"])["n_train"]
    time = (cube["lr"] * cube["step"]).where(cube["optimizer"] == "sgd", cube["clock"]).transpose(*AXES)
    alpha = cube["multiplier"].isel(step=-1).transpose(*AXES[:-1], ...).values.astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = log_clock(time.values / n, alpha[..., None, :])
        risk = alpha.sum(-1)[..., None] / time.values
    parts = {"clock": found[0], "norm": found[1], "gap": found[2], "risk": risk, "tau": time.values / n}
    return time.to_dataset(name="time").assign({name: (AXES, part) for name, part in parts.items()})


def curves(data: "xr.Dataset", name: str, group: Group, least: int = 0, window: float = 10) -> Array:
    """``(loss, dimension, start, seed, step, ...)`` at the largest step, from d = ``least`` on."""
    chosen = (data["optimizer"].values == group[0]) & np.isin(data["loss"].values, group[1])
    step, dimension = data["step"].values, data["dimension"].values
    values = data[name].transpose(*AXES, ...).values[chosen][:, dimension >= least, -1]
    return values[:, :, :, :, step * window >= 0.999 * step[-1]]


def slopes(x: Array, y: Array) -> Array:
    """Least-squares slope of y on x along the last axis."""
    x = x - x.mean(-1, keepdims=True)
    return (x * y).sum(-1) / np.square(x).sum(-1)


def growth(cube: "xr.Dataset", theory: "xr.Dataset", name: str, group: Group, least: int = 0) -> float:
    """Mean slope in ln t over the last decade of gamma |w|, ln risk or validation loss; zero start."""
    value = curves(cube, name, group, least)
    if name == "norm":
        value = value * curves(cube, "svm_margin", group, least)
    if name == "train_loss":
        value = np.log(value)
    return float(np.nanmean(slopes(np.log(curves(theory, "tau", group, least)), value)[:, :, 0]))


def exponent(clock: Array, value: Array) -> float:
    """Exponent of the seeds' mean of ``value`` against that of the clock, averaged over losses and dimensions."""
    return float(np.mean(slopes(np.log(np.nanmean(clock, -2)), np.log(np.nanmean(value, -2)))))


def decay(cube: "xr.Dataset", theory: "xr.Dataset", name: str, group: Group, least: int = 0) -> float:
    """Exponent against s of the misalignment or the margin's gap, last decade of s, zero start.

    The polynomial tail has no such clock; it is given that of the logistic loss at the same step.
    """
    value = curves(cube, name, group, least)
    if name == "reached_margin":
        value = curves(cube, "svm_margin", group, least) - value
    return exponent(curves(theory, "clock", FLOW, least)[:, :, 0], value[:, :, 0])


def spread_decay(cube: "xr.Dataset", theory: "xr.Dataset", normalised: bool) -> float:
    """Exponent against s of the distance of w/|w|, or of w, between the two starts."""
    w = curves(cube, "weight", FLOW).astype(float)
    if normalised:
        w = w / np.linalg.norm(w, axis=-1, keepdims=True)
    return exponent(curves(theory, "clock", FLOW)[:, :, 0], np.linalg.norm(w[:, :, 1] - w[:, :, 0], axis=-1))


def identity_error(cube: "xr.Dataset", theory: "xr.Dataset", clock: str) -> float:
    """E_p |(eta/n) exp(-z.wtilde) / alpha - 1| at the end, zero start."""
    alpha, score = (curves(cube, name, FLOW, 0, 1)[:, :, 0, :, -1].astype(float) for name in ("multiplier", "score"))
    log = np.log(curves(theory, clock, FLOW, 0, 1)[:, :, 0])
    return float(np.nanmean(np.where(alpha > 0, np.abs(np.exp(log - score) - alpha), 0).sum(-1) / alpha.sum(-1)))


def validation(cube: "xr.Dataset", theory: "xr.Dataset", name: str) -> float:
    """Slope of a loss in ln t over what theory says of the validation loss, E max(0, -z.what); d = 20."""
    hinge = curves(cube, "test_hinge", FLOW, 20, 1)[:, :, 0]
    found = slopes(np.log(curves(theory, "tau", FLOW, 20)), curves(cube, name, FLOW, 20))[:, :, 0]
    return float(np.nanmean(found) / np.nanmean(hinge))


def step_dependence(cube: "xr.Dataset", theory: "xr.Dataset", same_time: bool) -> float:
    """Distance of w/|w| between the largest and smallest step over that from the limit, at equal eta t (or t)."""
    row = int(np.argmax((cube["optimizer"].values == "sgd") & (cube["loss"].values == "logistic")))
    w, misalignment = (
        cube[name].transpose(*AXES, ...).values[row][:, :, 0].astype(float) for name in ("weight", "misalignment")
    )
    step, eta = cube["step"].values[1:], cube["eta"].values
    aim = np.log(step[-1] * (eta[0] / eta[-1] if same_time else 1.0))
    after = min(int(np.searchsorted(np.log(step), aim - 1e-9)), len(step) - 1)
    part = (aim - np.log(step[after - 1])) / np.log(step[after] / step[after - 1])  # w is linear in ln t
    large, small = (1 - part) * w[:, -1, :, after] + part * w[:, -1, :, after + 1], w[:, 0, :, -1]
    one, other = (value / np.linalg.norm(value, axis=-1, keepdims=True) for value in (large, small))
    return float(np.nanmean(np.linalg.norm(one - other, axis=-1)) / np.nanmean(np.sqrt(2 * misalignment[:, 0, :, -1])))


def figure(cube: "xr.Dataset", theory: "xr.Dataset", verdict: dict[str, Any]) -> "Figure":
    """Norm, margin gap and angle against the clock: constant steps, the flow, and the control that goes elsewhere."""
    from dlatlas.plotting.style import CONTROL, legend, letters, new_figure, points, shades

    figure, panels = new_figure(3)
    letters(panels, ("norm", "gap of the margin", "angle to max margin"))
    dims, rules = cube["dimension"].values, list(zip(cube["optimizer"].values, cube["loss"].values))
    select = {"eta": cube["eta"].values[-1], "start": 0.0}
    clock = theory["clock"].isel(method=rules.index((FLOW[0], FLOW[1][0])))  # the control has no clock of its own

    def draw(rule: str, loss: str, d: int, color: Any, label: str | None, **look: Any) -> None:  # noqa: ANN401
        at = {"method": rules.index((rule, loss))}
        run = cube.isel(at).sel(dimension=d, **select)
        s = (theory["clock"].isel(at) if loss == "logistic" else clock).sel(dimension=d, **select).mean("seed").values
        seen = s > 3
        gap = 1 - run["reached_margin"] / run["svm_margin"]
        for panel, value in zip(panels, (run["svm_margin"] * run["norm"], gap, run["misalignment"])):
            points(panel, s[seen], value.transpose("step", "seed")[seen], color=color, label=label, **look)
        if (rule, loss) == ("sgd", "logistic"):
            wide, shift = np.geomspace(3, 100, 50), theory.isel(at).sel(dimension=d, **select).isel(step=-1)
            panels[1].plot(wide, float((shift["gap"] * shift["clock"]).mean()) / wide, color=color, linewidth=1.2)

    draw(FLOW_POLY[0], "poly_tail", int(dims[-1]), CONTROL, "polynomial tail", marker="s")
    for d, color in zip(dims, shades(len(dims))):
        draw(FLOW[0], "logistic", d, color, None, mfc="white", markersize=4.5)
        draw("sgd", "logistic", d, color, f"$d = {d}$")
    s = np.geomspace(3, 100, 50)
    panels[0].plot(s, s, color="black", linewidth=1.2, zorder=1, label=r"$\gamma |w| = s$")
    panels[2].plot(s, 1.5 / s**2, color="black", linewidth=1.2, zorder=1, label=r"$\propto 1/s^2$")
    for panel in panels:
        panel.set(xscale="log", yscale="log", xlim=(2.7, 110), xticks=(3, 10, 30, 100), xticklabels=(3, 10, 30, 100))
    panels[1].set_ylim(8e-4)
    panels[2].set_ylim(1e-4)
    panels[0].set_ylabel(r"$\gamma\,|w|$")
    panels[1].set_ylabel(r"$1 -$ margin$\,/\,\gamma$")
    panels[2].set_ylabel(r"$1 - \cos(w, \hat w)$")
    panels[1].set_xlabel(r"clock  $s = \ln(\eta t/n) - \mathrm{E}_p \ln\alpha$")
    legend(panels[0])
    panels[2].legend(*(part[:1] for part in panels[2].get_legend_handles_labels()), fontsize=8, loc="upper right")
    return figure


PAPERS = ("soudry2018", "ji2021", "wu2023", "wang2022")  # fmt: skip
SOUDRY = "Soudry et al. 2018"
GREY = "The polynomial tail (1+z)^-2 at d >= 10 must not: "


def tailed(statistic: Callable[..., float], name: str, says: str, of: Group, control: Group) -> dict[str, Any]:
    """A statistic on the exponential tails, and its control on the polynomial one."""
    return {
        "statistic": lambda cube, theory: statistic(cube, theory, name, of),
        "control": Control(GREY + says, lambda cube, theory: statistic(cube, theory, name, control, 10)),
        "permute": "step",
        "shuffled": (name,),
    }


STUDY = Study(
    title="Logistic descent creeps to the max-margin direction",
    rows=("logistic-max-margin", "logistic-gd-max-margin"),
    kind="train",
    statement=(
        "On separable data gradient descent on a loss with an exponential tail never stops: Soudry et al. (2018) show "
        "w(t) = ŵ ln t + O(1) with ŵ the hard-margin solution, |ŵ| = 1/γ. So |w| grows as ln t / γ, the risk falls as "
        "1/t, the angle to ŵ and the gap of the margin only as 1/ln t, for every start and step size below stability; "
        "where validation examples are on the wrong side of ŵ their loss grows as ln t. A polynomial tail goes "
        "elsewhere."
    ),
    formula=(
        r"w(t) = \hat{w} \ln t + \tilde{w} + o(1), \quad "
        r"\frac{\eta}{n} e^{-z_i \cdot \tilde{w}} = \alpha_i, \quad \hat{w} = \sum_i \alpha_i z_i"
    ),
    papers=PAPERS,
    parameters={
        "inputs": count(20, "length of the input arrays"),
        "dimension": count(20, "dimension d of the problem; the coordinates beyond are zero"),
        "n_train": count(40, "training examples n"),
        "n_test": count(200, "test examples"),
        "margin": number(0.5, "guaranteed margin of the data", low=0.0),
        "eta": number(0.9, "step size over the stability threshold 2 / curvature", low=0.0),
        "start": number(0.0, "norm of the start w(0), whose direction is random", low=0.0),
    },
    shape=("inputs", "n_train", "n_test"),
    setup=setup,
    measure=measure,
    variables={
        "norm": Variable("norm of w"),
        "misalignment": Variable("1 - cos(w, max-margin direction)", undefined="w = 0"),
        "reached_margin": Variable("margin of w / |w|", "input", undefined="w = 0"),
        "svm_margin": Variable("largest margin", "input", "Lawson & Hanson 1974, chapter 23"),
        "test_hinge": Variable("mean of max(0, -y x.what) on the test set", "1", "dltheory.measures.hard_margin"),
        "multiplier": Variable("hard-margin multiplier", "1/input²", "dltheory.theory.hard_margin", {"support": None}),
        "score": Variable("y x.w of a support vector", "1", "dltheory.measures.hard_margin", {"support": None}),
        "clock": Variable("time of the flow", "1/loss", "dlatlas.optimizers.unit_speed_flow"),
        "weight": Variable("the predictor w", "1/input", "the engine", {"coordinate": None}),
    },
    theory=theory,
    claims=(
        Claim(
            name="norm slope",
            statement="The norm grows as ln t / gamma.",
            source=f"{SOUDRY}, theorem 3 and 5",
            quantity="gamma d|w| / d ln t over the last decade, constant steps [1]",
            expected=Equals(1.0, 0.1),  # corrections of O(1/ln t): about 5 % here
            **tailed(growth, "norm", "its norm grows as a power of t, t^(1/4).", STEPS, STEPS_POLY),
        ),
        Claim(
            name="risk slope",
            statement="The risk falls as 1/t.",
            source=f"{SOUDRY}, theorem 5",
            quantity="d ln risk / d ln t over the last decade, constant steps [1]",
            expected=Equals(-1.0, 0.1),
            **tailed(growth, "train_loss", "its risk falls as t^(-1/2).", STEPS, STEPS_POLY),
        ),
        Claim(
            name="angle exponent",
            statement="1 - cos(w, what) falls as 1/ln^2 t.",
            source=f"{SOUDRY}, theorem 5",
            quantity="exponent of 1 - cos against s, last decade of s, flow [1]",
            expected=Equals(-2.0, 0.5),  # twice the tolerance of the angle itself
            **tailed(decay, "misalignment", "it converges to another direction.", FLOW, FLOW_POLY),
        ),
        Claim(
            name="margin exponent",
            statement="The margin of w/|w| approaches gamma as 1/ln t.",
            source=f"{SOUDRY}, theorem 5",
            quantity="exponent of gamma - margin against s, last decade of s, flow [1]",
            expected=Equals(-1.0, 0.25),  # half-way to 1/sqrt(ln t)
            **tailed(decay, "reached_margin", "its margin stays below gamma.", FLOW, FLOW_POLY),
        ),
        Claim(
            name="support identity",
            statement="(eta/n) exp(-z.wtilde) = alpha on the support vectors, weighted by alpha.",
            source=f"{SOUDRY}, theorem 4, with the factor n of the mean loss",
            quantity="alpha-weighted mean relative error at the end of the flow [1]",
            statistic=lambda cube, theory: identity_error(cube, theory, "tau"),
            expected=AtMost(0.25),  # single ratios of .7 to 1.1 are typical at t = 3e5
            control=Control(
                "The catalogue's form without 1/n must fail, the loss being a mean.",
                lambda cube, theory: identity_error(cube, theory, "time"),
            ),
            permute="step",
            shuffled=("score",),
        ),
        Claim(
            name="one limit",
            statement="The limit of w/|w| does not depend on the start: differences vanish as 1/ln t.",
            source=f"{SOUDRY}, theorem 3; the direction only, not the offset wtilde",
            quantity="exponent against s of the distance of w/|w| between two starts, flow [1]",
            statistic=lambda cube, theory: spread_decay(cube, theory, True),
            expected=AtMost(-0.75),  # -1, or faster where the support vectors span the space
            control=Control(
                "The distance of w itself must not vanish: the offset depends on the start.",
                lambda cube, theory: spread_decay(cube, theory, False),
            ),
            permute="step",
            shuffled=("weight",),
        ),
        Claim(
            name="step size",
            statement="The step size sets the time eta t and nothing else, so it has no part in the limit.",
            source=f"{SOUDRY}, theorem 3; the step below stability",
            quantity="distance of w/|w| between two step sizes over that from what, at equal eta t [1]",
            statistic=lambda cube, theory: step_dependence(cube, theory, True),
            expected=AtMost(0.1),  # a tenth of the way that is left
            control=Control(
                "At equal numbers of steps the larger step must be ahead.",
                lambda cube, theory: step_dependence(cube, theory, False),
            ),
            permute="step",
            shuffled=("weight",),
        ),
        Claim(
            name="validation loss",
            statement="The validation loss grows as ln t times E max(0, -z.what).",
            source=f"{SOUDRY}, section 4.1",
            quantity="d validation loss / d ln t, flow, over E max(0, -z.what), d = 20 [1]",
            statistic=lambda cube, theory: validation(cube, theory, "test_loss"),
            expected=Equals(1.0, 0.2),  # 10 % as for the norm, and as much for the direction, still 0.1 rad off
            control=Control(
                "The training loss, all examples being on the right side, must not grow.",
                lambda cube, theory: validation(cube, theory, "train_loss"),
            ),
            permute="step",
            shuffled=("test_loss",),
        ),
    ),
    figure=figure,
    caption=(
        "Logistic loss, mean and 95 % interval over seeds: constant steps (full), flow to late times (open). Lines: "
        "theory without a fitted constant, on the right the slope alone. Grey: polynomial tail."
    ),
    about=(
        "Norm, risk, direction, offset and validation loss go as predicted; the exponent of 1 - cos is -1.6 over "
        "the last decade of s and still steepening, as runs with a support vector of small alpha lag: its place "
        "is neared only as t^(-alpha |z|²). A first sweep on other seeds tested everything with constant steps to "
        "t = 6·10⁴, where ln t moves by a third in the last decade, and was refuted: exponents of angle -0.91 and "
        "margin -0.88, support identity missed by 0.37, one limit -1.18 (p = 0.26), validation loss 0.71. These "
        "five are therefore measured on the gradient flow, which reaches later times; tolerances are unchanged "
        "and the seeds are new. The catalogue's identity lacked the 1/n of the mean loss, and its offset w̃, "
        "unlike the direction, depends on the start."
    ),
)
