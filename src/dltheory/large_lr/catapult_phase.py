"""The catapult phase of gradient descent on a two-layer linear network with one sample.

Everything follows from an exact map of two numbers, f and its tangent kernel k (dltheory.theory.catapult), with x = 1,
y = 0, loss f^2 / 2, step size h and k_0 at initialisation. Corrections of the catalogue:
- h k <= 2 at the end is an upper bound, loose and not monotone in h k_0, so no curve is drawn through 2.
- the edge at 4 and the monotone fall below 2 are exact at every width, since h^2 f^2 / n <= (h k)^2 / 4; only the edge
  at 2 is blunt, by h^2 f_0^2 / n.
- k_0 fluctuates about 2 by O(n^(-1/2)), so the step size is set from each run's measured k_0.
- "about 12 / k_0" for ReLU is an observation of the paper on other data, no theorem, and is not tested here.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from dlatlas import Study, claim, count, derived, exchangeable, flag, number, panel, variable, where
from dlatlas.judging.statistics import average, exponent, largest, slope
from dltheory.theory.catapult import EDGE, MAXIMUM, catapult_map

if TYPE_CHECKING:
    import xarray as xr

LANDED = 1e-3
"""A run has landed when its last loss is below this part of its largest: a growing linear model never is."""
SAME = 1e-6
"""Relative deviation up to which a run and the map are the same; float64 round-off grows where the map is chaotic."""
NETWORK, LAZY = {"linearised": False}, (None, 1.99)
CATAPULT = {**NETWORK, "eta_lambda0": (2.01, 3.99)}
INSIDE = {**NETWORK, "eta_lambda0": (2.4, 3.6)}
"""Away from both edges, for laws in the width."""


def setup(built: Any) -> dict[str, Any]:  # noqa: ANN401
    """The step size in units of the measured initial kernel: lr = eta_lambda0 / lambda_0."""
    from dlatlas.measures.kernels import empirical_ntk

    kernel = empirical_ntk(built.model, built.parameters, built.buffers, built.x[0])[:, 0, 0]
    return {"lr": built.hyper["eta_lambda0"] / kernel}


def measure(trained: Any, stack: Any) -> dict[str, Any]:  # noqa: ANN401
    """Output and tangent kernel on the one sample."""
    from dlatlas.measures.kernels import empirical_ntk

    kernel = empirical_ntk(trained.model, trained.parameters, trained.buffers, trained.x)[:, 0, 0]
    return {"output": trained.outputs()[:, 0, 0].numpy(), "kernel": kernel.detach().numpy()}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """The exact map from each run's own initial output and kernel, for as many steps."""
    import xarray as xr

    start = cube[["output", "kernel"]].isel(step=0, drop=True)
    f, kernel, lr, width = xr.broadcast(start["output"], start["kernel"], cube["lr"], cube["width"])
    mapped = xr.Dataset({name: f.copy(data=value) for name, value in
                         catapult_map(f, kernel, lr, width, int(cube["steps"])).items()})  # fmt: skip
    return mapped.assign(sharpness=mapped["kernel"] * lr)


def in_phase(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Whether a run falls at once below 2, rises and lands between 2 and 4, and does not land above 4."""
    rate, rises = cube["eta_lambda0"], cube["peak_step"] > 0
    landed = cube["output"].isel(step=-1) ** 2 / 2 < LANDED * cube["peak"]
    return (landed == (rate <= MAXIMUM)) & (~landed | (rises == (rate > EDGE)))


def time(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """The step of the peak in units of 1 / (2 ln|h k_0 - 1|), the time in which the loss grows by e."""
    step = cube["peak_step"]
    return (2 * np.log(abs(cube["eta_lambda0"] - 1)) * step).where(step > 0, 0.0)


def drop(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """The part of the kernel that is lost, 1 - k_T / k_0; positive, so that it has a logarithm."""
    return (1 - cube["kernel"].isel(step=-1) / cube["kernel"].isel(step=0)).clip(min=1e-300)


STUDY = Study(
    title="Between 2/λ₀ and 4/λ₀ loss jumps, then lands flatter",
    rows=["catapult-phase"],
    kind="train",
    papers=["lewkowycz2020"],
    says=(
        "Lewkowycz et al. (2020): a two-layer linear network f = n^(-1/2) v·u x is trained by gradient descent with "
        "step size η on one sample; λ is its tangent kernel. For ηλ₀ < 2 the loss falls and λ stays up to O(1/n). For "
        "2 < ηλ₀ < 4 the loss first grows to O(n) within O(ln n) steps, λ drops by O(1), and training ends in a "
        "flatter minimum with ηλ ≤ 2. For ηλ₀ > 4 it diverges. The linearised network diverges at every ηλ₀ > 2."
    ),
    formula=(
        r"f_{t+1} = \left(1 - \eta\lambda_t + \frac{\eta^2 f_t^2}{n}\right) f_t, \qquad "
        r"\lambda_{t+1} = \lambda_t + \frac{\eta f_t^2}{n} \left(\eta\lambda_t - 4\right)"
    ),
    parameters={
        "inputs": count(1, "input dimension"),
        "width": count(512, "hidden units n"),
        "linearised": flag(False, "the network, or its first-order expansion at initialisation"),
        "eta_lambda0": number(1.0, "step size times initial tangent kernel", low=0.0),
    },
    shape=["inputs", "width", "linearised"],
    setup=setup,
    measure=measure,
    cost=lambda run: 1000.0 + run["width"],
    variables={
        "output": variable("output on the sample [output]", "f, warm-up model"),
        "kernel": variable("tangent kernel of the sample [output²]", "λ, warm-up model"),
    },
    theory=theory,
    observables={
        "in_phase": derived("runs in the phase of ηλ₀", in_phase),
        "mapped": derived("runs whose final kernel is the map's within 1e-6",
                          lambda cube, theory: abs(cube["kernel"].isel(step=-1) / theory["kernel"] - 1) < SAME),
        "sharpness": derived("final ηλ", lambda cube, theory: cube["kernel"].isel(step=-1) * cube["lr"]),
        "first": derived("initial ηλ", lambda cube, theory: cube["kernel"].isel(step=0) * cube["lr"]),
        "drop": derived("drop 1 - λ/λ₀", drop),
        "drop_over_f": derived("drop (1 - λ/λ₀)/f₀²",
                               lambda cube, theory: drop(cube, theory) / cube["output"].isel(step=0) ** 2),
        "distance": derived("ln(n/f₀²)",
                            lambda cube, theory: np.log(cube["width"] / cube["output"].isel(step=0) ** 2)),
        "time": derived("2 ln|ηλ₀ - 1| × step of the peak", time),
    },
    claims=[
        claim(
            "three phases", "The loss falls below 2/λ₀, rises and lands between 2/λ₀ and 4/λ₀, diverges above 4/λ₀.",
            "warm-up model; exact at 4, up to O(1/n) at 2",
            average("in_phase", NETWORK) >= 0.95, rival=exchangeable("eta_lambda0"),
            fails=where("The network linearised at initialisation never lands above 2/λ₀.", linearised=True),
            why="the blunt edge at 2 can move at most the runs of width 32 next to it",
        ),
        claim(
            "two-variable map", "Output and kernel of a network of any width follow the map of two numbers exactly.",
            "the two update equations of the warm-up model",
            average("mapped", CATAPULT) >= 0.95, rival=exchangeable("seed", "kernel"),
            fails=where("The linearised network keeps its kernel, so the map must miss it.", linearised=True),
        ),
        claim(
            "flatter minimum", "Every run of the catapult phase ends with ηλ at most 2.",
            "warm-up model: only such minima are stable",
            largest("sharpness", CATAPULT) <= EDGE, rival=exchangeable("eta_lambda0", "kernel"),
            fails=where("The linearised network keeps ηλ = ηλ₀ > 2.", linearised=True),
        ),
        claim(
            "peak grows as n", "In the catapult phase the largest loss is of order n.",
            "warm-up model; at most n λ₀²/8 by |f| ≤ n^(1/2) λ/2",
            exponent("peak", "width", INSIDE, by="log mean").within(1.0, 0.1), rival=exchangeable("network", "peak"),
            fails=where("Below 2/λ₀ the largest loss is the first, of order 1.", eta_lambda0=LAZY),
        ),
        claim(
            "peak after ln n steps",
            "The loss grows by (ηλ₀ - 1)² a step, so the peak comes at ln(n/f₀²) / (2 ln(ηλ₀ - 1)).",
            "the map while f² is small against n; t of order ln n in the warm-up model",
            slope("time", "distance", INSIDE, by="runs", each=["eta_lambda0"]).within(1.0, 0.1),
            rival=exchangeable("network", "peak_step"),
            fails=where("Below 2/λ₀ the peak is at step 0.", eta_lambda0=LAZY),
        ),
        claim(
            "lazy drop is 1/n", "Below 2/λ₀ the kernel is constant up to O(1/n); the edge at 2 sharpens with n.",
            "the map to first order in 1/n: relative drop proportional to f₀²/n",
            exponent("drop_over_f", "width", {**NETWORK, "eta_lambda0": LAZY}, by="log mean").within(-1.0, 0.1),
            rival=exchangeable("network", "kernel"),
            fails=where("Between 2/λ₀ and 4/λ₀ the drop does not shrink with the width.", eta_lambda0=(2.4, 3.6)),
        ),
        claim(
            "catapult drop is O(1)",
            "Between 2/λ₀ and 4/λ₀ the kernel drops by a part that does not depend on the width.", "warm-up model",
            exponent("drop", "width", INSIDE, by="log mean").within(0.0, 0.1), rival=exchangeable("eta_lambda0", "kernel"),
            fails=where("Below 2/λ₀ the drop is 1/n.", eta_lambda0=LAZY),
        ),
    ],
    picture=[
        panel("first", "eta_lambda0", where={"linearised": True}, at="median", grey={"y": True},
              mark={"x": [(EDGE, "catapult"), (MAXIMUM, "diverges")], "y": (EDGE, "ηλ = 2")},
              labels={"first": "linearised"}, title="sharpness after training", xlabel="initial  ηλ₀",
              ylabel="final  ηλ", xlim=(0.3, 5.0), ylim=(0, 5), legend="upper left",
              also=panel("sharpness", "eta_lambda0", by="width", where={**NETWORK, "width": [32, 512]}, at="median")),
        panel("peak", "width", by="eta_lambda0", where={**NETWORK, "eta_lambda0": [1.9, 2.5, 3.1]}, at="median",
              log="xy", grey={"eta_lambda0": 1.9}, labels={"eta_lambda0": "ηλ₀"}, title="largest loss",
              ylabel="largest loss"),
    ],
    caption=(
        "Left: sharpness ηλ at the end against that at the start. Right: the largest loss, in proportion to the width. "
        "Points: networks (median and 95 % interval over seeds); lines: the two-variable map; grey: the linearised "
        "network, and networks below 2/λ₀."
    ),
    about=(
        "All seven claims hold, and float64 networks follow the map to 1e-6 even where it is chaotic. The few "
        "runs in another phase than the limit says are of width 32 at ηλ₀ = 2.1, where the edge lies at 2 + "
        "η²f₀²/n. The final ηλ is 1.89 at ηλ₀ = 2.1, falls to almost 0 near 3.1 and scatters up to about 1.7 "
        "beyond: 2 is a bound, no curve. The observation that ReLU networks train up to about 12/λ₀ is not "
        "tested."
    ),
)  # fmt: skip
