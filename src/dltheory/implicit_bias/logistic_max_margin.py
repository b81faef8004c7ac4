"""Logistic regression on separable data slides to the max-margin direction at speed 1 / ln t.

Corrections of the catalogue:
- it said rho -> wtilde with eta exp(-z_n.wtilde) = alpha_n on the support (z = y x): that is the sum over examples; for
  the mean loss it is (eta/n) exp(-z_n.wtilde) = alpha_n, from what/t = (eta/n) sum_n z_n exp(-z_n.w(t)), z_n.what = 1.
- the limit does not depend on the start: the direction does not, wtilde does, in the complement of the support vectors.
- step sizes below stability: for the logistic loss any fixed one converges (Wu, Braverman & Lee 2023), the exponential
  loss needs the condition; here all are below.

With p = alpha / sum(alpha) the identity gives the clock s = gamma |w| = ln(eta t/n) - E_p ln alpha and the relative gap
(ln max alpha - E_p ln alpha) / s. Over the decade that constant steps reach, ln t moves by a third: norm and risk are
tested there, powers of ln t against s on the gradient flow, which such descent follows (its curvature dies as 1/t), by
steps of constant length up to t = e^60. Of the row on logistic descent, stochastic and adaptive rules are not run.
"""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from dlatlas import Study, but, claim, count, derived, exchangeable, instead, number, panel, variable, where
from dlatlas.judging.selection import select
from dlatlas.judging.statistics import average, exponent, slope
from dltheory.theory.hard_margin import log_clock
from dltheory.theory.late_descent import between_starts, between_steps, late, stability_threshold, support_error

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

LARGE, ZERO = {"eta": 0.9}, {"start": 0.0}
STEPS = {"optimizer": "sgd", "loss": ["logistic", "exponential"], **LARGE, **ZERO}
ANY_STEP = {"optimizer": "sgd", "loss": "logistic", **ZERO}
ANY_START = {"optimizer": "unit_speed_flow", "loss": "logistic", **LARGE}
FLOW, WIDE = {**ANY_START, **ZERO}, {**ANY_START, **ZERO, "dimension": 20}
POLY = {"loss": "poly_tail", "dimension": (10, None)}
RUNS = {"by": "runs", "each": ("method", "dimension", "seed")}


def setup(built: Any) -> dict[str, Any]:  # noqa: ANN401
    """The step: eta times its stability threshold; for the flow a length eta margin / (8 max |x|^2).

    The flow's curvature over |g| is at most max |x|^2 / margin: its steps are below a sixteenth of their threshold.
    """
    eta, x, y = built.hyper["eta"], built.x[built.which], built.y[built.which]
    if built.stack["optimizer"] != "sgd":
        return {"lr": eta * built.hyper["margin"] / (8 * x.square().sum(-1).amax(-1))}
    return {"lr": eta * stability_threshold(built.stack["loss"], x, y * (x @ built.parameters["weight"].mT))}


def measure(trained: Any, stack: Any) -> dict[str, Any]:  # noqa: ANN401
    """Geometry of w against the hard-margin solution of each run's own data."""
    from dltheory.measures.hard_margin import against_hard_margin

    return {**against_hard_margin(trained), "clock": trained.parameters["clock"].numpy()}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """The clock s and what it predicts: |w| = s/gamma, the margin's relative gap, the risk 1/(gamma^2 eta t)."""
    import xarray as xr

    time = (cube["lr"] * cube["step"]).where(cube["optimizer"] == "sgd", cube["clock"])
    alpha, tau = cube["multiplier"].isel(step=-1, drop=True).astype(float), time / cube["n_train"]
    s, norm, gap = xr.apply_ufunc(log_clock, tau, alpha, input_core_dims=[[], ["support"]], output_core_dims=[[]] * 3)
    found = xr.Dataset({"time": time, "tau": tau, "clock": s, "norm": norm, "gap": gap})
    found["risk"] = alpha.sum("support") / time
    flow = select(found, {"optimizer": "unit_speed_flow", "loss": "logistic", **ZERO})
    return found.assign(flow_clock=flow["clock"].reset_coords(drop=True))


def drawn(y: str, line: str = "", **options: Any) -> Any:  # noqa: ANN401
    """A panel against the clock: constant steps, the flow with the theory's line, and the control."""
    names = {**dict.fromkeys((2, 5, 10, 20), ""), "clock": r"$\gamma |w| = s$"}
    flow = panel(y, "s", by="dimension", where=FLOW, marker="D", line=line, labels=names)
    grey = panel(y, "s", where={**WIDE, "loss": "poly_tail"}, line="", grey={"y": True}, labels={y: "polynomial tail"})
    return panel(y, "s", by="dimension", where={**ANY_STEP, **LARGE}, log="xy", line="", labels={"dimension": "$d$"},
                 xlim=(2.5, 120), also=[flow, grey], **options)  # fmt: skip


def law(axes: "Axes", cube: "xr.Dataset", theory: "xr.Dataset") -> None:
    """1 / s^2, to compare the slope with."""
    from dlatlas.plotting.style import power

    power(axes, [15, 60], -2, (30, 5e-3), "$s^{-2}$")


STUDY = Study(
    title="Logistic descent creeps to the max-margin direction",
    rows=["logistic-max-margin", "logistic-gd-max-margin"],
    kind="train",
    papers=["soudry2018", "ji2021", "wu2023", "wang2022"],
    says=(
        "On separable data gradient descent on a loss with an exponential tail never stops: Soudry et al. (2018) show "
        "w(t) = ŵ ln t + O(1) with ŵ the hard-margin solution, |ŵ| = 1/γ. So |w| grows as ln t / γ, the risk falls as "
        "1/t, the angle to ŵ and the gap of the margin as 1/ln t, for every start and step size below stability; where "
        "validation examples are on the wrong side of ŵ their loss grows as ln t. A polynomial tail goes elsewhere."
    ),
    formula=(
        r"w(t) = \hat{w} \ln t + \tilde{w} + o(1), \quad "
        r"\frac{\eta}{n} e^{-z_i \cdot \tilde{w}} = \alpha_i, \quad \hat{w} = \sum_i \alpha_i z_i"
    ),
    parameters={
        "inputs": count(20, "length of the input arrays"),
        "dimension": count(20, "dimension d of the problem; the coordinates beyond are zero"),
        "n_train": count(40, "training examples n"),
        "n_test": count(200, "test examples"),
        "margin": number(0.5, "guaranteed margin of the data", low=0.0),
        "eta": number(0.9, "step size over the stability threshold 2 / curvature", low=0.0),
        "start": number(0.0, "norm of the start w(0), whose direction is random", low=0.0),
    },
    shape=["inputs", "n_train", "n_test"],
    setup=setup,
    measure=measure,
    variables={
        "norm": variable("norm of w"),
        "misalignment": variable("1 - cos(w, max-margin direction)", undefined="w = 0"),
        "reached_margin": variable("margin of w / |w| [input]", undefined="w = 0"),
        "svm_margin": variable("largest margin [input]", "Lawson & Hanson 1974, chapter 23"),
        "test_hinge": variable("mean of max(0, -y x.what) on the test set", "dltheory.measures.hard_margin"),
        "multiplier": variable("hard-margin multiplier [1/input²]", "dltheory.theory.hard_margin", support=None),
        "score": variable("y x.w of a support vector", "dltheory.measures.hard_margin", support=None),
        "clock": variable("time of the flow [1/loss]", "dlatlas.optimizers.unit_speed_flow"),
        "weight": variable("the predictor w [1/input]", "the engine", coordinate=None),
    },
    theory=theory,
    observables={
        "grown": derived("γ |w| over the last decade", lambda cube, theory: late(cube["svm_margin"] * cube["norm"])),
        "risk": derived("risk over the last decade", lambda cube, theory: late(cube["train_loss"])),
        "turned": derived("1 - cos(w, ŵ) over the last decade", lambda cube, theory: late(cube["misalignment"])),
        "missing": derived("γ - margin over the last decade",
                           lambda cube, theory: late(cube["svm_margin"] - cube["reached_margin"])),
        "support_error": derived("error of (η/n) exp(-z·w̃) = α, weighted by α", partial(support_error, clock="tau")),
        "sum_error": derived("error of η exp(-z·w̃) = α, weighted by α", partial(support_error, clock="time")),
        "starts_apart": derived("distance of w/|w| between two starts", partial(between_starts, normalised=True)),
        "offsets_apart": derived("distance of w between two starts", partial(between_starts, normalised=False)),
        "abreast": derived("distance of w/|w| between two steps at equal ηt", partial(between_steps, same_time=True)),
        "ahead": derived("distance of w/|w| between two steps at equal t", partial(between_steps, same_time=False)),
        "left": derived("distance of w/|w| from the limit",
                        lambda cube, theory: np.sqrt(2 * cube["misalignment"].isel(eta=0, step=-1))),
        "unseen": derived("validation loss over the last decade", lambda cube, theory: late(cube["test_loss"])),
        "hinge": derived("E max(0, -z·ŵ)", lambda cube, theory: cube["test_hinge"].isel(step=-1)),
        "s": derived(r"clock  $s = \ln(\eta t/n) - \mathrm{E}_p \ln\alpha$",  # a polynomial tail has none of its own
                     lambda cube, theory: theory["clock"].where(cube["loss"] != "poly_tail", theory["flow_clock"])),
        "scaled_norm": derived(r"$\gamma\,|w|$", lambda cube, theory: cube["svm_margin"] * cube["norm"]),
        "gap": derived(r"$1 -$ margin$\,/\,\gamma$",
                       lambda cube, theory: 1 - cube["reached_margin"] / cube["svm_margin"]),
    },
    claims=[
        claim(
            "norm slope", "The norm grows as ln t / γ.", "theorem 3 and 5",
            slope("grown", "theory.tau", STEPS, **RUNS, log="x").within(1.0, 0.1), rival=exchangeable("step", "norm"),
            why="corrections of O(1/ln t): about 5 % here",
            fails=where("With the polynomial tail (1+z)^-2 it grows as a power of t, t^(1/4).", **POLY),
        ),
        claim(
            "risk slope", "The risk falls as 1/t.", "theorem 5",
            exponent("risk", "theory.tau", STEPS, **RUNS).within(-1.0, 0.1), rival=exchangeable("step", "train_loss"),
            fails=where("With the polynomial tail it falls as t^(-1/2).", **POLY),
        ),
        claim(
            "angle exponent", "1 - cos(w, ŵ) falls as 1/ln² t.", "theorem 5",
            exponent("turned", "theory.flow_clock", FLOW, each=["dimension"]).within(-2.0, 0.5),
            rival=exchangeable("step", "misalignment"), why="twice the tolerance of the angle itself",
            fails=where("With the polynomial tail w converges to another direction.", **POLY),
        ),
        claim(
            "margin exponent", "The margin of w/|w| approaches γ as 1/ln t.", "theorem 5",
            exponent("missing", "theory.flow_clock", FLOW, each=["dimension"]).within(-1.0, 0.25),
            rival=exchangeable("step", "reached_margin"), why="half-way to 1/sqrt(ln t)",
            fails=where("With the polynomial tail the margin stays below γ.", **POLY),
        ),
        claim(
            "support identity", "(η/n) exp(-z·w̃) = α on the support vectors, weighted by α.",
            "theorem 4, with the factor n of the mean loss",
            average("support_error", FLOW) <= 0.25, rival=exchangeable("step", "score"),
            why="single ratios of .7 to 1.1 are typical at t = 3e5",
            fails=but("The catalogue's form without 1/n must fail, the loss being a mean.", of="sum_error"),
        ),
        claim(
            "one limit", "The limit of w/|w| does not depend on the start: differences vanish as 1/ln t.",
            "theorem 3; the direction only, not the offset w̃",
            exponent("starts_apart", "theory.flow_clock", ANY_START, each=["dimension"]) <= -0.75,
            rival=exchangeable("step", "weight"), why="-1, or faster where the support vectors span the space",
            fails=but("The distance of w itself must not vanish: the offset depends on the start.", of="offsets_apart"),
        ),
        claim(
            "step size", "The step size sets the time ηt and nothing else, so it has no part in the limit.",
            "theorem 3; the step below stability",
            average("abreast", ANY_STEP) / average("left", ANY_STEP) <= 0.1, rival=exchangeable("step", "weight"),
            why="a tenth of the way that is left",
            fails=instead("At equal numbers of steps the larger step must be ahead.",
                          average("ahead", ANY_STEP) / average("left", ANY_STEP)),
        ),
        claim(
            "validation loss", "The validation loss grows as ln t times E max(0, -z·ŵ).", "section 4.1",
            (slope("unseen", "theory.tau", WIDE, **RUNS, log="x") / average("hinge", WIDE)).within(1.0, 0.2),
            rival=exchangeable("step", "test_loss"),
            why="10 % as for the norm, and as much for the direction, still 0.1 rad off",
            fails=instead("The training loss, all examples being on the right side, must not grow.",
                          slope("risk", "theory.tau", WIDE, **RUNS, log="x") / average("hinge", WIDE)),
        ),
    ],
    picture=[
        drawn("scaled_norm", "clock", title="norm", ylim=(2, 200)),
        drawn("gap", "same", title="gap of the margin", ylim=(8e-4, 0.4), legend=""),
        drawn("misalignment", title="angle to max margin", ylim=(1e-4, 0.3), legend="", draw=law),
    ],
    caption=(
        "Logistic loss, mean and 95 % interval over seeds: constant steps (circles), flow to late times (diamonds). "
        "Lines: theory without a fitted constant, on the right the slope alone. Grey: polynomial tail."
    ),
    about=(
        "Norm, risk, direction, offset and validation loss go as predicted; the exponent of 1 - cos is -1.6 over the "
        "last decade of s and still steepening, as runs with a support vector of small alpha lag: its place is neared "
        "only as t^(-alpha |z|²). A first sweep on other seeds tested everything with constant steps to t = 6·10⁴, "
        "where ln t moves by a third in the last decade, and was refuted: exponents of angle -0.91 and margin -0.88, "
        "support identity missed by 0.37, one limit -1.18 (p = 0.26), validation loss 0.71. These five are measured on "
        "the gradient flow since, which reaches later times; tolerances are unchanged and the seeds are new."
    ),
)  # fmt: skip
