"""Neural collapse in the unconstrained-features model with the squared loss: threshold, frame, and what decays first.

Corrections of the catalogue, each measured here or by its audit:
- centred cosines cannot tell a bias from none (the centred means of an orthogonal frame are a simplex ETF as well):
  without bias the uncentred cosines are tested.
- the frame needs d >= K without bias; below, only d of the K singular values are learnt.
- "imbalance must break the frame" is false without bias: cosines stay 0, and each class has its own threshold
  c_k = N sqrt(lambda_W lambda_H / n_k). With bias it does break.
- "between-class does not decay" depends on the start; only the within-class part decays from any start.
"""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from dlatlas.declare.claim import Claim, Control
from dlatlas.declare.parameter import choice, count, flag, number
from dlatlas.declare.study import Study
from dlatlas.declare.variable import Variable
from dlatlas.judging.statistics import agreement, deviation, extreme, order
from dlatlas.judging.verdict import AtLeast, AtMost
from dlatlas.measures.neural_collapse import class_means, cosines, self_duality, variability
from dltheory.models.unconstrained_features import Features
from dltheory.theory.unconstrained_features import decay_rates, shrinkage, threshold, weight_energy

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from dlatlas.training.stack import Stack

MOST, DIRECTIONS, TIMES, FLOW_AT = 5, 10, (0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 200.0), 0.1
"""Classes and feature dimensions of the largest setting; times of the flow, which is run at one penalty."""


def problem(classes: int, n: int, dim: int, c: float, ratio: float, bias: bool, skewed: bool) -> Features:
    """Penalties of that c (of the mean class) and ratio lambda_H / lambda_W; skewed sizes halve from class to class."""
    sizes = tuple(max(2, round(2.0 ** (1 - k) * n)) if skewed else n for k in range(classes))
    product = c / classes / np.sqrt(sum(sizes) / classes)
    return Features(sizes, dim, product / np.sqrt(ratio), product * np.sqrt(ratio), bias)


def solve(stack: "Stack") -> dict[str, Any]:
    """Minima, and at one penalty the gradient flow from random features, with W fixed and with W trained."""
    shapes = {name: [len(v) for v in variable.dims.values()] for name, variable in VARIABLES.items()}
    found = {name: np.full((len(stack), *shape), np.nan) for name, shape in shapes.items()}
    for run, h in enumerate(stack.runs):
        skewed = h["balance"] == "skewed"
        case = problem(h["classes"], h["n"], h["dim"], h["c"], h["ratio"], h["bias"], skewed)
        k, labels = int(h["classes"]), case.labels
        W, H, b = case.minimise(stack.generator(run, "start"))
        outputs, means = W @ H + b[:, None], class_means(H.T, labels, k)
        found["shrinkage"][run, :k] = [outputs[i, labels == i].mean() for i in range(k)]
        energies = np.linalg.svd(W, compute_uv=False) ** 2
        found["weight_energy"][run, : len(energies)] = energies
        found["weight_energy"][run, len(energies) : k] = 0.0
        start = stack.generator(run, "flow").standard_normal(H.shape)
        found["nc1"][run] = [variability(class_means(start.T, labels, k), k), variability(means, k)]
        if h["c"] < 1:
            centred = means.means - (means.means.mean(0) if case.bias else 0.0)
            expected = -1 / (k - 1) if case.bias else 0.0
            found["frame"][run] = np.abs(cosines(centred) - expected).max()
            found["nc3"][run] = self_duality(W - (W.mean(0) if case.bias else 0.0), centred)
        if h["c"] == FLOW_AT and not case.bias and not skewed:
            fixed = stack.generator(run, "weights").standard_normal(W.shape)
            found["rate"][run], found["decay"][run] = _rates(case, fixed, start)
            found["within"][run], found["between"][run] = _trained(case, 0.3 * fixed, 0.3 * start)
    return found


def _rates(case: Features, W: np.ndarray, H: np.ndarray) -> np.ndarray:
    """Predicted and measured decay of the features about their class means, by direction, at fixed W."""
    until = 20.0
    _, (_, later) = case.flow(W, H, np.array([0.0, until]), train_weights=False)
    axes = np.linalg.svd(W)[2]
    size = [_within(axes @ features, case) for features in (H, later)]
    rates = np.full((2, DIRECTIONS), np.nan)
    rates[0, : case.dim] = decay_rates(W, sum(case.sizes), case.feature_penalty)
    rates[1, : case.dim] = np.log(size[0] / size[1]) / until
    return rates


def _within(features: np.ndarray, case: Features) -> np.ndarray:
    means = class_means(features.T, case.labels, len(case.sizes)).means
    return np.linalg.norm(features - means[case.labels].T, axis=1)


def _trained(case: Features, W: np.ndarray, H: np.ndarray) -> np.ndarray:
    """Traces of the covariances within and between classes along the flow of both."""
    _, path = case.flow(W, H, np.array(TIMES), train_weights=True)
    found = [class_means(features.T, case.labels, len(case.sizes)) for features in path]
    return np.array([[np.trace(means.within) for means in found], [np.trace(means.between) for means in found]])


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """Singular values by class; with one threshold for all classes as ``common``; rates, and without lambda_H."""
    import xarray as xr

    n = int(json.loads(cube.attrs["fixed"])["n"])
    dims = ("setting", "balance", "c", "ratio", "class")
    own, common, energy = (np.full([*(cube.sizes[dim] for dim in dims[:4]), MOST], np.nan) for _ in range(3))
    for place in np.ndindex(own.shape[:4]):
        k, dim = (int(cube[name].values[place[0]]) for name in ("classes", "dim"))
        c, ratio = float(cube["c"].values[place[2]]), float(cube["ratio"].values[place[3]])
        case = problem(k, n, dim, c, ratio, False, cube["balance"].values[place[1]] == "skewed")
        penalties = case.weight_penalty, case.feature_penalty
        own[(*place, slice(k))] = shrinkage(threshold(case.sizes, *penalties))
        common[(*place, slice(k))] = shrinkage(c)
        energy[(*place, slice(k))] = weight_energy(n, c, *penalties)
    found = {"shrinkage": (dims, own), "common": (dims, common), "weight_energy": (dims, energy)}
    product = cube["c"] / cube["classes"] / np.sqrt(n) * np.sqrt(cube["ratio"])
    return xr.Dataset({**found, "rate": cube["rate"], "bare": cube["rate"] - product}, cube.coords)


def gap(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Distance of the singular values from the classes' own."""
    return abs(cube["shrinkage"] - theory["shrinkage"])


def common_gap(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Distance of the singular values from a common one."""
    return abs(cube["shrinkage"] - theory["common"])


def figure(cube: "xr.Dataset", theory: "xr.Dataset", verdict: dict[str, Any]) -> "Figure":
    """Singular value against c, by class for skewed sizes, and decay within and between classes."""
    from dlatlas.plotting.style import CONTROL, PALETTE, legend, letters, new_figure, reference, shades, versus

    figure, (left, middle, right) = new_figure(3)
    ratio = float(cube["ratio"].values[0])
    plain = {"bias": False, "ratio": ratio, "classes": 5}
    grid = np.linspace(0, float(cube["c"].max()), 200)
    left.plot(grid, shrinkage(grid), color=PALETTE[0], linewidth=1.0, label="theory 1 − c")
    for dim, color, text in ((10, PALETTE[0], "d = 10"), (3, CONTROL, "d = 3 < K")):
        where = {**plain, "balance": "equal", "dim": dim}
        versus(left, cube, None, lambda c, t: c["shrinkage"].mean("class"), "c", where, color=color, label=text)
    reference(left, x=1.0)
    sizes = problem(5, int(json.loads(cube.attrs["fixed"])["n"]), 10, 0.1, 1.0, False, True).sizes
    for color, k in zip(shades(MOST), range(MOST)):
        where = {**plain, "balance": "skewed", "dim": 10, "class": k}
        versus(middle, cube, theory, "shrinkage", "c", where, color=color, label=f"{sizes[k]} examples")
    flow = {"c": FLOW_AT, "balance": "equal", "dim": 10, **plain}
    versus(right, cube, None, "within", "time", flow, color=PALETTE[0], label="within classes", linestyle="-")
    versus(right, cube, None, "between", "time", flow, color=PALETTE[1], label="between classes", linestyle="-")
    left.set(xlabel=r"$c = K\sqrt{n \lambda_W \lambda_H}$", ylabel="singular value of the outputs", ylim=(-0.03, 1.03))
    middle.set(xlabel="c of the mean class", ylabel="output on its own class", ylim=(-0.03, 1.03))
    right.set(xlabel="time", ylabel="trace of the covariance", yscale="log")
    for panel in (left, middle, right):
        legend(panel, fontsize=7)
    letters((left, middle, right), ("threshold, K = 5", "skewed classes", "gradient flow"))
    return figure


TIRER = "Tirer & Bruna 2022"
EQUAL = {"balance": "equal", "bias": False, "dim": 10}
LEARNT = {**EQUAL, "c": (None, 0.95)}
SMALL = {**LEARNT, "dim": 3}
SKEWED = {**EQUAL, "balance": "skewed"}
CLASS = {"class": range(MOST)}
NO_FLOW = "another penalty, a bias, unequal classes, or no such direction"
VARIABLES = {
    "shrinkage": Variable("mean output on examples of the class", "1", f"{TIRER}, theorem 3.1", CLASS, "beyond K"),
    "weight_energy": Variable("squared singular value of W", "1", f"{TIRER}, theorem 3.1", CLASS, "beyond K"),
    "nc1": Variable("tr(S_W S_B⁺)/K", "1", "Papyan et al. 2020, NC1", {"stage": ["start", "minimum"]}),
    "frame": Variable("largest deviation of a cosine of class means from the frame's", "1", f"{TIRER}, theorem 3.1",
                      undefined="means that are 0"),
    "nc3": Variable("distance of classifier and class means, both normalised", "1", "Papyan et al. 2020, NC3",
                    undefined="means that are 0"),
    "rate": Variable("predicted decay of features within classes, W fixed", "1/time", f"{TIRER}, section 5",
                     {"direction": range(DIRECTIONS)}, NO_FLOW),
    "decay": Variable("measured decay of features within classes, W fixed", "1/time", "gradient flow",
                      {"direction": range(DIRECTIONS)}, NO_FLOW),
    "within": Variable("trace of the covariance within classes", "feature²", "gradient flow", {"time": TIMES}, NO_FLOW),
    "between": Variable("trace of the covariance between classes", "feature²", "gradient flow", {"time": TIMES},
                        NO_FLOW),
}  # fmt: skip

STUDY = Study(
    title="Free features collapse to a frame, up to a sharp threshold",
    rows=("neural-collapse-mse-ufm", "ufm-within-between-dynamics"),
    kind="solve",
    statement=(
        "Tirer & Bruna (2022): if the last layer's features are free variables, the squared loss with penalties on "
        "classifier and features is least where all features of a class coincide and the class means are orthogonal "
        "(with a bias: a simplex). The outputs are shrunk to 1 - c of their targets, c = K√(n λ_W λ_H), and nothing is "
        "learnt from c = 1 on. Along the gradient flow the features' scatter within classes decays at known rates."
    ),
    formula=(
        r"\min_{W,H} \frac{1}{2Kn}\|WH - Y\|^2 + \frac{\lambda_W}{2}\|W\|^2 + \frac{\lambda_H}{2}\|H\|^2: \quad "
        r"WH = (1 - c)_+ Y, \quad c = K\sqrt{n \lambda_W \lambda_H}"
    ),
    papers=("tirer2022", "papyan2020", "zhu2021"),
    parameters={
        "classes": count(5, "classes K", low=2),
        "n": count(20, "examples of a class, on average"),
        "dim": count(10, "dimension d of the features"),
        "c": number(0.5, "K √(n λ_W λ_H)", low=0.0),
        "ratio": number(1.0, "λ_H / λ_W", low=0.0),
        "bias": flag(False, "whether there is a bias, without penalty"),
        "balance": choice("equal", ("equal", "skewed"), "sizes of the classes; skewed: each half of the one before"),
    },
    shape=("classes", "dim"),
    solve=solve,
    variables=VARIABLES,
    theory=theory,
    claims=(
        Claim(
            name="soft threshold",
            statement="Outputs are 1 - c times their targets.",
            source=f"{TIRER}, theorem 3.1",
            quantity="largest relative deviation, c of 0.95 or less [1]",
            statistic=deviation,
            holds={"of": "shrinkage", "worst": True, "where": LEARNT},
            expected=AtMost(1e-3),
            control=Control("In fewer dimensions than classes only d of K are learnt.", {"where": SMALL}),
            permute="c",
        ),
        Claim(
            name="nothing beyond",
            statement="From c = 1 on the minimum is zero.",
            source=f"{TIRER}, theorem 3.1",
            quantity="largest output on the own class, c of 1.05 or more [1]",
            statistic=extreme,
            holds={"of": "shrinkage", "end": "largest", "where": {**EQUAL, "c": (1.05, None)}},
            expected=AtMost(1e-3),
            control=Control("Below it is not.", {"where": LEARNT}),
            permute="c",
        ),
        Claim(
            name="balance",
            statement="The classifier's squared singular values are √(n λ_H / λ_W) (1 - c).",
            source=f"{TIRER}, theorem 3.1",
            quantity="largest relative deviation, c of 0.95 or less [1]",
            statistic=deviation,
            holds={"of": "weight_energy", "worst": True, "where": LEARNT},
            expected=AtMost(1e-2),
            control=Control("In fewer dimensions than classes some are zero.", {"where": SMALL}),
            permute="c",
        ),
        Claim(
            name="features collapse",
            statement="At the minimum all features of a class coincide.",
            source=f"{TIRER}, theorem 3.1; Papyan et al. 2020, NC1",
            quantity="largest tr(S_W S_B⁺)/K, c of 0.95 or less [1]",
            statistic=extreme,
            holds={"of": "nc1", "end": "largest", "where": {**LEARNT, "stage": "minimum"}},
            expected=AtMost(1e-6),
            control=Control("At the random start they do not.", {"where": {**LEARNT, "stage": "start"}}),
            permute="stage",
        ),
        Claim(
            name="orthogonal frame",
            statement="Without bias the class means are orthogonal.",
            source=f"{TIRER}, theorem 3.1",
            quantity="largest cosine of two class means [1]",
            statistic=extreme,
            holds={"of": "frame", "end": "largest", "where": LEARNT},
            expected=AtMost(1e-3),
            control=Control("Five of them do not fit into three dimensions.", {"where": SMALL}),
            permute="setting",
        ),
        Claim(
            name="simplex with a bias",
            statement="With a bias the centred class means are a simplex: cosines -1/(K-1).",
            source=f"{TIRER}, section 4; Zhu et al. 2021, theorem 3.1",
            quantity="largest deviation of a cosine [1]",
            statistic=extreme,
            holds={"of": "frame", "end": "largest", "where": {**LEARNT, "bias": True}},
            expected=AtMost(1e-3),
            control=Control("Classes of unequal sizes break it.",
                            {"where": {**LEARNT, "bias": True, "balance": "skewed"}}),
            permute="balance",
        ),
        Claim(
            name="each class its threshold",
            statement="Without bias each class is shrunk by c_k = N√(λ_W λ_H / n_k): rare classes vanish first.",
            source="derived: one-hot targets of different classes are orthogonal",
            quantity="largest deviation of an output from 1 - c_k, skewed sizes [1]",
            statistic=extreme,
            holds={"of": gap, "end": "largest", "where": SKEWED},
            expected=AtMost(1e-3),
            control=Control("One threshold for all classes misses them.", {"of": common_gap}),
            permute="c",
        ),
        Claim(
            name="rates within classes",
            statement="With W fixed, scatter within classes decays at s²/N + λ_H along each singular vector of W.",
            source=f"{TIRER}, section 5",
            quantity="fraction of directions whose mean rate is within 2 % [1]",
            statistic=agreement,
            holds={"of": "decay", "prediction": "rate", "tolerance": 0.02, "where": {**EQUAL, "c": FLOW_AT}},
            expected=AtLeast(0.95),
            control=Control("Without λ_H in the rate the slow directions are missed.", {"prediction": "bare"}),
            permute="direction",
            shuffled=("decay",),
        ),
        Claim(
            name="within decays, between does not",
            statement="With both trained, scatter within classes only falls; that between classes rises first.",
            source=f"{TIRER}, section 5, from small class means",
            quantity="rank correlation with time [1]",
            statistic=order,
            holds={"of": "within", "along": "time", "where": {**EQUAL, "c": FLOW_AT}},
            expected=AtMost(-0.99),
            control=Control("Between classes.", {"of": "between"}),
            permute="time",
        ),
    ),
    figure=figure,
    caption=(
        "Left: output on the own class against c; grey: fewer dimensions than classes. Middle: classes of unequal "
        "sizes, each with its own threshold. Right: scatter of features along the gradient flow. Lines: theory."
    ),
    about=(
        "All of it holds to the optimiser's precision. Skewed classes keep the orthogonal frame as long as there is no "
        "bias; each has its own threshold, and the rarest of 40, 20, 10, 5 and 2 examples is not learnt from c = 0.36 "
        "of the mean class on."
    ),
)  # fmt: skip
