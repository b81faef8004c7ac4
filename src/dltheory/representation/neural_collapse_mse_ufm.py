"""Neural collapse in the unconstrained-features model with the squared loss: threshold, frame, and what decays first.

Corrections of the catalogue, each measured here or by its audit:
- centred cosines cannot tell a bias from none (the centred means of an orthogonal frame are a simplex ETF as well):
  without bias the uncentred cosines are tested.
- the frame needs d >= K without bias; below, only d of the K singular values are learnt.
- "imbalance must break the frame" is false without bias: cosines stay 0, and each class has its own threshold
  c_k = N sqrt(lambda_W lambda_H / n_k). With bias it does break.
- "between-class does not decay" depends on the start; only the within-class part decays from any start.
"""

import numpy as np

from dlatlas import Study, but, choice, claim, count, derived, exchangeable, flag, number, panel, variable, where
from dlatlas.judging.statistics import agreement, deviation, largest, order
from dltheory.models.feature_collapse import CLASSES, DIRECTIONS, FLOW_AT, TIMES, collapse
from dltheory.theory.unconstrained_features import minima

EQUAL, SKEWED = ({"balance": balance, "bias": False, "dim": 10} for balance in ("equal", "skewed"))
LEARNT, FLOW = {**EQUAL, "c": (None, 0.95)}, {**EQUAL, "c": FLOW_AT}
SHOWN, CLASS = {"classes": 5, "ratio": 1.0}, {"class": range(CLASSES)}
NO_FLOW = "another penalty, a bias, unequal classes, or no such direction"


STUDY = Study(
    title="Free features collapse to a frame, up to a sharp threshold",
    rows=["neural-collapse-mse-ufm", "ufm-within-between-dynamics"],
    kind="solve",
    papers=["tirer2022", "papyan2020", "zhu2021"],
    says=(
        "Tirer & Bruna (2022): if the last layer's features are free variables, the squared loss with penalties on "
        "classifier and features is least where all features of a class coincide and the class means are orthogonal "
        "(with a bias: a simplex). The outputs are shrunk to 1 - c of their targets, c = K√(n λ_W λ_H), and nothing is "
        "learnt from c = 1 on. Along the gradient flow the features' scatter within classes decays at known rates."
    ),
    formula=(
        r"\min_{W,H} \frac{1}{2Kn}\|WH - Y\|^2 + \frac{\lambda_W}{2}\|W\|^2 + \frac{\lambda_H}{2}\|H\|^2: \quad "
        r"WH = (1 - c)_+ Y, \quad c = K\sqrt{n \lambda_W \lambda_H}"
    ),
    parameters={
        "classes": count(5, "classes K", low=2),
        "n": count(20, "examples of a class, on average"),
        "dim": count(10, "dimension d of the features"),
        "c": number(0.5, "K √(n λ_W λ_H)", low=0.0),
        "ratio": number(1.0, "λ_H / λ_W", low=0.0),
        "bias": flag(False, "whether there is a bias, without penalty"),
        "balance": choice("equal", ("equal", "skewed"), "sizes of the classes; skewed: each half of the one before"),
    },
    shape=["classes", "dim"],
    solve=collapse,
    variables={
        "shrinkage": variable("mean output on examples of the class", "theorem 3.1", "beyond K", **CLASS),
        "weight_energy": variable("squared singular value of W", "theorem 3.1", "beyond K", **CLASS),
        "nc1": variable("tr(S_W S_B⁺)/K", "papyan2020, NC1", stage=["start", "minimum"]),
        "frame": variable("deviation of the cosines of class means from the frame's", "theorem 3.1",
                          undefined="means that are 0"),
        "nc3": variable("distance of classifier and class means, both normalised", "papyan2020, NC3",
                        undefined="means that are 0"),
        "rate": variable("predicted decay of features within classes, W fixed [1/time]", "section 5", NO_FLOW,
                         direction=range(DIRECTIONS)),
        "decay": variable("measured decay of features within classes, W fixed [1/time]", "gradient flow", NO_FLOW,
                          direction=range(DIRECTIONS)),
        "within": variable("trace of the covariance within classes [feature²]", "gradient flow", NO_FLOW, time=TIMES),
        "between": variable("trace of the covariance between classes [feature²]", "gradient flow", NO_FLOW, time=TIMES),
    },
    theory=minima,
    observables={
        "gap": derived("deviation of an output from that of its class",
                       lambda cube, theory: abs(cube["shrinkage"] - theory["shrinkage"])),
        "common_gap": derived("deviation of an output from that of the mean class",
                              lambda cube, theory: abs(cube["shrinkage"] - theory["common"])),
        "bare_rate": derived("predicted decay without λ_H [1/time]", lambda cube, theory: cube["rate"] - (
            cube["c"] / cube["classes"] * np.sqrt(cube["ratio"] / cube["n"]))),
    },
    claims=[
        claim(
            "soft threshold", "Outputs are 1 - c times their targets.", "theorem 3.1",
            deviation("shrinkage", worst=True, where=LEARNT) <= 1e-3, rival=exchangeable("c"),
            fails=where("In fewer dimensions than classes only d of K are learnt.", dim=3),
        ),
        claim(
            "nothing beyond", "From c = 1 on the minimum is zero.", "theorem 3.1",
            largest("shrinkage", where={**EQUAL, "c": (1.05, None)}) <= 1e-3, rival=exchangeable("c"),
            fails=where("Below it is not.", c=LEARNT["c"]),
        ),
        claim(
            "balance", "The classifier's squared singular values are √(n λ_H / λ_W) (1 - c).", "theorem 3.1",
            deviation("weight_energy", worst=True, where=LEARNT) <= 1e-2, rival=exchangeable("c"),
            fails=where("In fewer dimensions than classes some are zero.", dim=3),
        ),
        claim(
            "features collapse", "At the minimum all features of a class coincide.", "theorem 3.1; papyan2020, NC1",
            largest("nc1", where={**LEARNT, "stage": "minimum"}) <= 1e-6, rival=exchangeable("stage"),
            fails=where("At the random start they do not.", stage="start"),
        ),
        claim(
            "orthogonal frame", "Without bias the class means are orthogonal.", "theorem 3.1",
            largest("frame", where=LEARNT) <= 1e-3, rival=exchangeable("setting"),
            fails=where("Five of them do not fit into three dimensions.", dim=3),
        ),
        claim(
            "simplex with a bias", "With a bias the centred class means are a simplex: cosines -1/(K-1).",
            "section 4; zhu2021, theorem 3.1",
            largest("frame", where={**LEARNT, "bias": True}) <= 1e-3, rival=exchangeable("balance"),
            fails=where("Classes of unequal sizes break it.", balance="skewed"),
        ),
        claim(
            "each class its threshold",
            "Without bias each class is shrunk by c_k = N√(λ_W λ_H / n_k): rare classes vanish first.",
            "derived: one-hot targets of different classes are orthogonal",
            largest("gap", where=SKEWED) <= 1e-3, rival=exchangeable("c"),
            fails=but("One threshold for all classes misses them.", of="common_gap"),
        ),
        claim(
            "rates within classes",
            "With W fixed, scatter within classes decays at s²/N + λ_H along each singular vector of W.", "section 5",
            agreement("decay", 0.02, "rate", where=FLOW) >= 0.95, rival=exchangeable("direction", "decay"),
            fails=but("Without λ_H in the rate the slow directions are missed.", prediction="bare_rate"),
        ),
        claim(
            "within decays, between does not",
            "With both trained, scatter within classes only falls; that between classes rises first.",
            "section 5, from small class means",
            order("within", "time", where=FLOW) <= -0.99, rival=exchangeable("time"),
            fails=but("Between classes.", of="between"),
        ),
    ],
    picture=[
        panel("shrinkage", "c", where={**EQUAL, **SHOWN}, line={"shrinkage": "shrinkage"},
              grey={"dim": 3}, labels={"shrinkage": "d = 10", "grey": "d = 3 < K"}, mark={"x": (1, "c = 1")},
              title="threshold, K = 5", xlabel=r"$c = K\sqrt{n \lambda_W \lambda_H}$", ylim=(-0.03, 1.03),
              ylabel="mean output on its own class"),
        panel("shrinkage", "c", by="class", where={**SKEWED, **SHOWN}, title="skewed classes",
              labels=dict(enumerate(("2n examples", "n", "n / 2", "n / 4", "n / 8"))), xlabel="c of the mean class",
              ylabel=" ", ylim=(-0.03, 1.03)),
        panel(["within", "between"], "time", where={**FLOW, **SHOWN}, log="y",
              joined=True, title="gradient flow", ylabel="trace of the covariance",
              labels={"within": "within classes", "between": "between classes"}),
    ],
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
