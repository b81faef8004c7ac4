"""The peak of double descent is noise and initialisation (d'Ascoli, Refinetti, Biroli & Krzakala, ICML 2020).

Ridge regression on P random ReLU features of N samples. Error against clean labels = noise + init + sampling + bias:
E_{F,X} Var_eps f, E_X Var_F(E_eps f), Var_X(E_{F,eps} f) and (f* - E f)^2, estimated without bias by a nested design.
The claims take the power of a divergence or decay along with what stays flat, which no permutation would change.

Corrections of the catalogue:
- "all further gain is a fall of noise and initialisation": of the noise only what the features add; without ridge it is
  s^2 (q / (N - q) + N / (P - N)), where q depends on N and D alone.
- an ensemble's error is always linear in 1/K; where the line ends is proven for Gaussian features, not those of ReLU.
- bias and sampling have a corner, no peak, at P = N; with ridge their exponents there are small, not zero.
- "identity activation must move the singularity to N = D": in N, see ``triple_descent``; in P it peaks at P = N < D.
- ridges go from 1e-4 (at 1e-6 sampling is lost in noise) to 1e-2 (at 0.1 a bump is left); 1 is within 1 % of the best.
"""

from functools import partial

from dlatlas import Study, but, claim, count, derived, exchangeable, instead, number, panel, variable, where
from dlatlas.judging.selection import select
from dlatlas.judging.statistics import Statistic, deviation, exponent, most, peak
from dlatlas.plotting.style import CONTROL
from dltheory.measures.ensembles import averaged, line_to, share
from dltheory.models.relu_regression import MEMBERS, nested_designs
from dltheory.theory.random_feature_ridge import relu_parts

PARTS = ("noise", "init", "sampling", "bias")
AT_PEAK, SMALLEST, EFFECTIVE = {"ratio": 1.0, "ridge": (None, 0.011)}, {"ridge": 1e-4}, {"ridge": 1e-2}
FEW, DASHED = [0.125, 1.0, 3.0], {"color": CONTROL, "linestyle": "--", "linewidth": 1.0, "zorder": 1}


def steepest(along: str, within: dict, *of: str) -> Statistic:
    """The largest exponent of several, without its sign."""
    return most(*(abs(exponent(each, along, where=within)) for each in of))


STUDY = Study(
    title="The peak of double descent is noise and initialisation, not bias",
    rows=["rf-noise-init-sampling-variance"],
    kind="solve",
    papers=["dascoli2020b", "jacot2020", "simon2024"],
    says=(
        "d'Ascoli, Refinetti, Biroli & Krzakala: the error of random-feature regression is the sum of bias and of "
        "variances from the labels' noise, the random features and the sampling of data. At P = N features the peak is "
        "made by noise and initialisation alone; bias and sampling are finite there and, beyond, independent of P. "
        "Jacot et al.: infinitely many predictors averaged are kernel regression with a larger, effective ridge."
    ),
    formula=(
        r"E = \mathrm{E}_{F,X} \mathrm{Var}_\varepsilon f + \mathrm{E}_X \mathrm{Var}_F \mathrm{E}_\varepsilon f "
        r"+ \mathrm{Var}_X \mathrm{E}_{F,\varepsilon} f + (f^* - \mathrm{E} f)^2, \quad "
        r"\tilde\lambda = \lambda + \frac{\tilde\lambda}{P}\, \mathrm{tr}\, K (K + \tilde\lambda)^{-1}"
    ),
    parameters={
        "n": count(80, "samples N"),
        "d": count(100, "inputs D"),
        "ratio": number(1.0, "features over samples P / N", low=1e-3),
        "sets": count(4, "data sets of a run", low=2),
        "draws": count(12, "draws of the features for each data set; a multiple of 12", low=12),
        "variance": number(0.5, "variance of the labels' noise", low=0.0),
        "ridge": number(1e-4, "coefficient of |a|^2 beside the sum of squares", low=1e-12),
        "tests": count(64, "test points"),
    },
    shape=["n", "d", "ratio", "sets", "draws", "tests"],
    cost=lambda run: 1 + run["sets"] * run["draws"] * run["n"] * (0.3 + run["ratio"]) / 500,
    solve=nested_designs,
    variables={
        "noise": variable("variance by the labels' noise [teacher's variance]", "dascoli2020b"),
        "init": variable("variance by the features [teacher's variance]", "dascoli2020b"),
        "sampling": variable("variance by the data [teacher's variance]", "dascoli2020b"),
        "bias": variable("squared error of the mean [teacher's variance]", "dascoli2020b"),
        "error": variable("test error against clean labels [teacher's variance]", "mean over all of a run"),
        "ensemble": variable("test error of the mean of K predictors [teacher's variance]", "same data",
                             members=list(MEMBERS)),
        "kernel": variable("test error of the kernel, effective ridge [teacher's variance]", "jacot2020"),
        "bare": variable("test error of the kernel, same ridge [teacher's variance]", "control"),
    },
    theory=relu_parts,
    observables={
        "tamed": derived("initialisation ridge^(1/2)", lambda cube, theory: cube["init"] * cube["ridge"] ** 0.5),
        "gathered": derived("initialisation (P/N - 1)", lambda cube, theory: cube["init"] * (cube["ratio"] - 1)),
        "averaged": derived("error of the mean of $K$ predictors", averaged),
        "share": derived("$1/K$", share),
        "to_kernel": derived("the line to the kernel with the effective ridge", partial(line_to, "kernel")),
        "to_bare": derived("the line to the kernel with the same ridge", partial(line_to, "bare")),
    },
    claims=[
        claim(
            "noise and initialisation diverge", "At P = N the parts of noise and initialisation grow as ridge^(-1/2).",
            "dascoli2020b; exponent by the proportional limit",
            most(*(abs(exponent(of, "ridge", where=AT_PEAK) + 0.5) for of in ("noise", "init"))) <= 0.15,
            rival=exchangeable("ridge"), fails=where("At P = 2 N they do not diverge.", ratio=2.0),
        ),
        claim(
            "bias and sampling stay finite",
            "There bias and sampling do not depend on the ridge; initialisation grows as ridge^(-1/2).", "dascoli2020b",
            steepest("ridge", AT_PEAK, "bias", "sampling", "tamed") <= 0.1, rival=exchangeable("ridge"),
            fails=instead("Noise and initialisation do.", steepest("ridge", AT_PEAK, "noise", "init")),
        ),
        claim(
            "flat beyond the peak",
            "From P = 2 N on bias and sampling do not depend on P; initialisation falls as N / (P - N).",
            "dascoli2020b; decay by the proportional limit",
            steepest("ratio", {**SMALLEST, "ratio": (2.0, None)}, "bias", "sampling", "gathered") <= 0.1,
            rival=exchangeable("size"),
            fails=instead("Before P = N bias falls and sampling grows.",
                          steepest("ratio", {**SMALLEST, "ratio": (None, 0.71)}, "bias", "sampling")),
        ),
        claim(
            "peak at P = N", "At the smallest ridge a replicate's error is largest at P = N.", "dascoli2020b",
            peak("error", "ratio", where=SMALLEST, by="runs").within(1.0, 0.05), rival=exchangeable("size"),
            fails=where("With the best ridge at P = N there is no peak.", ridge=1.0),
        ),
        claim(
            "ensembles end at the effective ridge",
            "The error of K predictors falls linearly in 1/K to that of the kernel with the effective ridge.",
            "jacot2020; dascoli2020b",
            deviation("ensemble", "to_kernel", where=EFFECTIVE, worst=True) <= 0.05, rival=exchangeable("size", "kernel"),
            fails=but("Not to that of the kernel with the ridge itself.", prediction="to_bare"),
        ),
    ],
    picture=[
        panel(PARTS, "ratio", where=SMALLEST, log="xy", ylim=(0.007, 60), mark={"x": (1, "$P = N$")},
              title=r"$\lambda = 10^{-4}$", xlabel="features over samples  $P/N$", ylabel="part of the test error",
              legend="", also=panel("error", "ratio", where={"ridge": 1.0}, grey={"y": True}),
              draw=lambda axes, *_: axes.text(0.125, 1.3, r"sum, $\lambda = 1$", fontsize=8, color=CONTROL)),
        panel(PARTS, "ridge", where=AT_PEAK, log="xy", ylim=(0.007, 60), slope=[(-0.5, r"$\lambda^{-1/2}$")],
              title="$P = N$", xlabel=r"ridge  $\lambda$", ylabel=" ", legend="lower left",
              labels=dict(zip(PARTS, ("noise", "initialisation", "sampling", "bias")))),
        panel("averaged", "share", by="ratio", where={**EFFECTIVE, "ratio": FEW}, ylim=(0, None), legend="upper left",
              line=dict.fromkeys(FEW, partial(line_to, "kernel")), title=r"ensembles, $\lambda = 0.01$",
              labels=dict(zip(FEW, ("$P = N / 8$", "$P = N$", "$P = 3 N$"))),
              draw=lambda axes, cube, _: axes.plot([0, 1], select(cube, {**EFFECTIVE, "ratio": FEW[0]})[
                  ["bare", "error"]].mean("seed").to_array(), **DASHED)),
    ],
    caption=(
        "Parts of the test error of random ReLU features with 95 % intervals over replicates, and the proportional "
        "limit as lines; grey: the error with ridge 1 (control). Right: error of ensembles, and the lines to kernel "
        "regression with the effective ridge, at 1/K = 0; grey, dashed: with the ridge itself, P = N / 8 (control)."
    ),
    about=(
        "All five hold. The exponents at P = N are -0.530, -0.511, -0.025 and 0.055 for noise, initialisation, "
        "sampling and bias; the theory for these ridges has -0.524, -0.506, -0.030 and 0.046. Beside the peak, at P/N "
        "= 0.85 and 1.2, noise and initialisation exceed the limit by 10 to 13 %, a finite size: at 0.85 noise by 29, "
        "12, 6 and 1 % at N = 40, 80, 160 and 320, of which only 80 is swept. From P = 2 N on initialisation falls to "
        "zero, noise only to q / (N - q) of its variance, which no number of features or predictors removes. Ensembles "
        "end within 1 % of the kernel with the effective ridge at every P. Claims were tried out on other seeds."
    ),
)  # fmt: skip
