"""Noise leaves a strict saddle in a time that is logarithmic in its temperature, where gradient descent stays.

The half of the catalogue's row on saddles, and on noise along directions that do not help; its half on barriers
(Kramers' time, exponential law) is the study `langevin_escape_kramers`. F = lam (-x_1^2 + x_2^2 + ... + x_d^2) / 2,
started at the saddle, R = 1.

The catalogue says log(beta lam R^2)/(2 lam) + O(1). The O(1) is (gamma + log 2)/(2 lam) - 1/(2 beta lam^2 R^2) + ...,
and the mean at any temperature an integral of Dawson's function, see `dltheory.theory.saddle_escape`. Whether the
dimension counts hangs on what escape is: |x_1| = R does not see it at all, so the claims on dimension and on the
direction of noise are on the fall of F by lam R^2 / 2, where x_1^2 = R^2 + |x_2, ..., x_d|^2. Gradient descent starts
on the saddle's stable manifold, of which the saddle is one point. The catalogue's "ratio by the path curvature" of
noise in the wrong directions is one of barriers; at a saddle it is no ratio but a delay, log(w)/(2 lam).
"""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.declare.claim import Claim, Control
from dlatlas.declare.parameter import choice, count, flag, number
from dlatlas.declare.study import Study
from dlatlas.declare.variable import Variable
from dlatlas.judging.statistics import average, deviation, exponent, extreme
from dlatlas.judging.verdict import AtLeast, AtMost, Equals
from dltheory.models.quadratic_saddle import escape, shares
from dltheory.theory import saddle_escape

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from dlatlas.training.stack import Stack

ISOTROPIC = ["plane", "twenty"]
UNSTABLE = ["twenty", "unstable4", "unstable16", "unstable64"]
STABLE = ["twenty", "stable4", "stable16", "stable64"]
SETTINGS = ("plane", *UNSTABLE, *STABLE[1:], "noiseless", "nudged")
TIMES = np.linspace(0, 20, 401)
"""At which the share of walkers that have left is kept [1/lam]."""


def solve(stack: "Stack") -> dict[str, NDArray[np.float64]]:
    """Mean times to |x_1| = R and to the fall of F, the share that has left by ``TIMES``, and that has not at last."""
    d, walkers, share = stack["d"], stack["walkers"], shares(stack["d"], stack["withheld"], stack["withheld_stable"])
    found = {"exit": [], "fall": [], "left": [], "still": []}
    for run, (beta, lam) in enumerate((h["beta"], h["lam"]) for h in stack.runs):
        rng, start = stack.generator(run), np.zeros((d, walkers))
        if not stack["noise"]:
            start[1:] = rng.standard_normal((d - 1, walkers))
            start /= np.linalg.norm(start, axis=0)
            start[0], beta = stack["nudge"], np.inf
        options = {"step": stack["step"], "horizon": stack["horizon"] / lam}
        times = lam * np.stack(escape(rng, start, beta=beta, lam=lam, share=share, **options))
        found["exit"].append(times[0].mean())
        found["fall"].append(times[1].mean())
        found["left"].append(np.searchsorted(np.sort(times[0]), TIMES, side="right") / walkers)
        found["still"].append(np.isnan(times[0]).mean())
    return {name: np.asarray(values, np.float32 if name == "left" else float) for name, values in found.items()}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """Exact mean exit time, its leading order, that from a well, and the limit law, all in units of 1/lam."""
    import xarray as xr

    b = cube["lam"] * cube["beta"]
    found = {
        "exact": saddle_escape.mean_exit_time(b),
        "leading": saddle_escape.leading_time(b),
        "well": saddle_escape.mean_well_time(b),
    }
    limit = saddle_escape.limit_law(TIMES, b.values[..., None])
    variables = {name: (b.dims, values) for name, values in found.items()}
    coords = {"lam": cube["lam"], "beta": cube["beta"], "time": TIMES}
    return xr.Dataset({**variables, "limit": ((*b.dims, "time"), limit)}, coords)


def growth(cube: "xr.Dataset", theory: "xr.Dataset", time: str = "exit") -> "xr.DataArray":
    """e^(lam T) of one of the times: a power of beta if T is logarithmic."""
    return np.exp(cube[time] if time in cube else theory[time])


def by_dimension(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Relative difference of the mean times to the fall of F in 20 and 2 dimensions; NaN if a run never leaves."""
    mean = cube["fall"].mean("seed", skipna=False)
    return np.abs(mean.sel(setting="twenty", drop=True) / mean.sel(setting="plane", drop=True) - 1)


def off_limit(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Distance of the distribution function of the exit time, of both dimensions together, from its limit."""
    return np.abs(cube["left"].mean(("setting", "seed")) - theory["limit"])


def off_exponential(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Its distance from the exponential law of equal mean."""
    left, mean = (cube[name].mean(("setting", "seed")) for name in ("left", "exit"))
    return np.abs(left - (1 - np.exp(-cube["time"] / mean)))


def figure(cube: "xr.Dataset", theory: "xr.Dataset", verdict: dict[str, Any]) -> "Figure":
    """Mean time against beta, delay by noise in the wrong directions, and the law of the time."""
    from dlatlas.plotting.style import CONTROL, PALETTE, legend, letters, new_figure, points

    figure, panels = new_figure(3)
    note = {"fontsize": 8, "color": "#444444"}
    beta, lams = np.geomspace(cube["beta"].min(), cube["beta"].max(), 200), cube["lam"].values
    for lam, color in zip(lams[::-1], PALETTE):
        at = cube.sel(lam=lam)
        panels[0].plot(beta, saddle_escape.mean_exit_time(beta * lam), color=color, zorder=2)
        panels[0].plot(beta, saddle_escape.mean_fall_time(beta * lam, 20), color=color, lw=1, ls=(0, (2, 2)), zorder=1)
        points(panels[0], at["beta"], at["exit"].sel(setting="plane"), color=color, label=f"λ = {lam:g}")
        falls = {"marker": "s", "markersize": 6.0, "mfc": "none", "zorder": 2.5}
        points(panels[0], at["beta"], at["fall"].sel(setting="twenty"), color=color, **falls)
    well = saddle_escape.mean_well_time(beta * lams[0])
    panels[0].plot(beta[well < 8], well[well < 8], color=CONTROL, zorder=1)
    panels[0].annotate("out of\na well", (beta[well < 7][-1], 7), xytext=(5, 0), textcoords="offset points",
                       fontsize=8, color=CONTROL)  # fmt: skip
    panels[0].set(xscale="log", ylim=(0, 8.4), xlabel="inverse temperature  β", ylabel="mean time  [1/λ]")
    cold = cube.isel(beta=-1).sel(lam=lams[-1])
    rest = float(cold["fall"].sel(setting="twenty").mean())
    share = np.geomspace(1, cube["withheld"].max(), 50)
    panels[1].plot(share, np.log(share) / 2, color=PALETTE[0], zorder=2)
    panels[1].axhline(0, color=CONTROL, lw=1.5, zorder=1)
    for names, along, color, label in (
        (UNSTABLE, "withheld", PALETTE[0], "the unstable direction"),
        (STABLE, "withheld_stable", CONTROL, "a stable one"),
    ):
        here = cold.isel(setting=np.isin(cold["setting"], names[1:]))
        points(panels[1], here[along], here["fall"] - rest, color=color, label=label)
    panels[1].annotate("log(w) / 2", (8, np.log(8) / 2), xytext=(6, -10), textcoords="offset points", **note)
    panels[1].set(xscale="log", xlabel="its noise divided by  w", ylabel="delay  [1/λ]", ylim=(-0.2, 2.7))
    panels[1].set_xticks([1, 4, 16, 64], ["1", "4", "16", "64"])
    panels[1].minorticks_off()
    for level, color in zip((100, 1e4, 1e6), PALETTE[1:]):
        at = cube["left"].sel(lam=lams[-1], setting=ISOTROPIC).sel(beta=level, method="nearest")
        left, limit = at.mean(("setting", "seed")), saddle_escape.limit_law(TIMES, lams[-1] * float(at["beta"]))
        panels[2].plot(TIMES[::6], 1 - left[::6], ".", ms=5, color=color, label=f"$10^{np.log10(level):.0f}$")
        panels[2].plot(TIMES, 1 - limit, color=color, lw=1.2)
    panels[2].plot(TIMES, np.exp(-TIMES / float(cold["exit"].sel(setting="plane").mean())), color=CONTROL, zorder=1)
    for name in ("noiseless", "nudged"):
        panels[2].plot(TIMES, 1 - cold["left"].sel(setting=name).mean("seed"), color="#222222", lw=1.2, zorder=1.5)
    panels[2].annotate("no noise", (19.8, 1.02), ha="right", **note)
    panels[2].annotate("no noise, $10^{-6}$ off", (14.2, 0.5), rotation=90, va="center", **note)
    panels[2].annotate("Exp law", (14.3, 0.17), fontsize=8, color=CONTROL)
    panels[2].set(xlim=(0, 20), ylim=(-0.03, 1.1), xlabel="time  [1/λ]", ylabel="walkers still there")
    panels[0].plot([], [], "o", color=CONTROL, ms=4, label="d = 2, |x₁| = R")
    panels[0].plot([], [], "s", color=CONTROL, ms=6, mfc="none", label="d = 20, F falls")
    legend(panels[0], loc="lower right", bbox_to_anchor=(1.03, 0))
    legend(panels[1], loc="upper left", title="noise taken from", alignment="left", title_fontsize=8)
    legend(panels[2], loc="upper left", bbox_to_anchor=(0.4, 0.9), handletextpad=0, title="    β", title_fontsize=8)
    letters(panels, ("Logarithmic time", "Wasted noise", "Its law"))
    return figure


NEVER = "a walker of the run never left"

STUDY = Study(
    title="Noise leaves a saddle in logarithmic time",
    rows=("langevin-barrier-escape-arrhenius",),
    kind="sample",
    statement=(
        "Started at a strict saddle of curvature λ, gradient descent stays. With Gaussian noise of inverse temperature "
        "β it is a distance R away after a mean time (log(βλR²) + γ + log 2)/(2λ), in any dimension: colder noise only "
        "sets off closer to the saddle, from where the way is exponentially fast (Kifer 1981; Hu et al. 2019). Noise "
        "along stable directions is wasted: what the unstable one lacks delays by the logarithm of the lack."
    ),
    formula=(
        r"\mathrm{E}\,T = \frac{2}{\lambda} \int_0^{\sqrt{\beta\lambda/2}\,R} D(v)\,dv = \frac{\log(\beta\lambda R^2) "
        r"+ \gamma + \log 2}{2\lambda} + O(\beta^{-1}), \qquad \lambda T - \tfrac12 \log(\beta\lambda R^2) \to -\log|Z|"
    ),
    papers=("kifer1981", "day1995", "ge2015", "hu2019"),
    parameters={
        "setting": choice("plane", SETTINGS, "name of dimension, noise and start"),
        "d": count(2, "dimension", low=2),
        "lam": number(1.0, "curvature of the saddle", low=0.0),
        "beta": number(1000.0, "inverse temperature, R = 1", low=0.0),
        "withheld": number(1.0, "part of its noise that the unstable direction keeps: one in this many", low=1.0),
        "withheld_stable": number(1.0, "part that the first stable direction keeps: one in this many", low=1.0),
        "noise": flag(True, "whether there is noise; without, the start is on the stable manifold at distance 1"),
        "nudge": number(0.0, "distance of a start without noise from the stable manifold", low=0.0),
        "walkers": count(1024, "walkers in a run"),
        "step": number(0.1, "time step [1/lam]", low=0.0),
        "horizon": number(80.0, "when to stop [1/lam]", low=0.0),
    },
    shape=("setting", "d", "withheld", "withheld_stable", "noise", "nudge", "walkers", "step", "horizon"),
    solve=solve,
    variables={
        "exit": Variable("mean time to |x₁| = R", "1/λ", "exact steps, bridges between", {}, NEVER),
        "fall": Variable("mean time until F has fallen by λR²/2", "1/λ", "the same walk", {}, NEVER),
        "left": Variable("share beyond |x₁| = R", "1", "the same walk", {"time": TIMES}),
        "still": Variable("share within |x₁| < R at the horizon", "1", "the same walk"),
    },
    cost=lambda run: 6e4 + run["walkers"] * (10 + run["d"]) * 5.0,
    theory=theory,
    claims=(
        Claim(
            name="the mean time is the exact one",
            statement="At every temperature the mean time to |x₁| = R is the first-passage integral.",
            source="Gardiner, Handbook of Stochastic Methods, section 5.2.7; tolerance: four standard errors of a mean",
            quantity="largest relative deviation of the mean time, d = 2 and 20 [1]",
            statistic=deviation,
            holds={"of": "exit", "prediction": "exact", "worst": True, "where": {"setting": ISOTROPIC}},
            expected=AtMost(0.03),
            control=Control(
                "The leading order log(βλR²)/(2λ) lacks the constant.",
                {"prediction": "leading", "where": {"setting": ISOTROPIC, "beta": (99, None)}},
            ),
            permute="beta",
            shuffled=("exit",),
        ),
        Claim(
            name="it grows as log β / 2λ",
            statement="Squaring β adds log β / 2λ to the mean time.",
            source="Kifer 1981; the exact slope over β ≥ 1000 is 0.500 to 0.501",
            quantity="slope of λ × mean time against log β, β ≥ 1000 [1]",
            statistic=exponent,
            holds={
                "of": growth,
                "along": "beta",
                "by": "log mean",
                "where": {"setting": ISOTROPIC, "beta": (999, None)},
            },
            expected=Equals(0.5, 0.02),
            control=Control(
                "Out of a well of the same curvature (by quadrature, λ = 0.1, β ≤ 100) it grows exponentially.",
                {"of": partial(growth, time="well"), "where": {"setting": ISOTROPIC, "beta": (None, 101), "lam": 0.1}},
            ),
            permute="beta",
            shuffled=("exit",),
        ),
        Claim(
            name="dimension does not matter",
            statement="At low temperature F has fallen by λR²/2 after the same mean time in 20 dimensions as in 2.",
            source="the stable coordinates add (d-1)/(2βλ²R²); 0.2 % at βλR² = 1000",
            quantity="largest relative difference of the mean times, β ≥ 10⁴ [1]",
            statistic=extreme,
            holds={"of": by_dimension, "end": "largest", "where": {"beta": (9999, None)}},
            expected=AtMost(0.02),
            control=Control(
                "At βλR² = 10 the stable coordinates hold F up: a quarter later.",
                {"where": {"beta": (None, 11), "lam": 1}},
            ),
            permute="setting",
            shuffled=("fall",),
        ),
        Claim(
            name="noise along stable directions is wasted",
            statement="Noise of the same trace, of which the unstable direction gets one part in w, is later by "
            "log(w)/(2λ).",
            source="T is a function of the unstable direction's own temperature: β becomes βw",
            quantity="slope of λ × mean time to the fall of F against log w, d = 20, β ≥ 10⁵ [1]",
            statistic=exponent,
            holds={
                "of": partial(growth, time="fall"),
                "along": "withheld",
                "by": "log mean",
                "where": {"setting": UNSTABLE, "beta": (99999, None)},
            },
            expected=Equals(0.5, 0.05),
            control=Control(
                "Taken from a stable direction and given to the others it does not matter.",
                {"along": "withheld_stable", "where": {"setting": STABLE, "beta": (99999, None)}},
            ),
            permute="setting",
            shuffled=("fall",),
        ),
        Claim(
            name="gradient descent stays",
            statement="Without noise a start on the stable manifold never leaves.",
            source="x₁ = 0 is invariant; horizon: ten times the mean time at the lowest temperature",
            quantity="share of starts that are within |x₁| < R at time 80/λ [1]",
            statistic=average,
            holds={"of": "still", "where": {"setting": "noiseless"}},
            expected=AtLeast(1.0),
            control=Control("A start 10⁻⁶ off leaves at log(10⁶)/λ.", {"where": {"setting": "nudged"}}),
            permute="setting",
            shuffled=("still",),
        ),
        Claim(
            name="law",
            statement="λT - log(βλR²)/2 has the law of -log|Z|, Z standard normal.",
            source="the Ornstein–Uhlenbeck process e^(-λt) x₁ converges to a Gaussian; Day 1995",
            quantity="Kolmogorov–Smirnov distance at the lowest temperature, largest over λ [1]",
            statistic=extreme,
            holds={"of": off_limit, "end": "largest", "where": {"setting": ISOTROPIC, "beta": (999999, None)}},
            expected=AtMost(0.02),
            control=Control("The exponential law of equal mean is that of barriers.", {"of": off_exponential}),
            permute="beta",
            shuffled=("left",),
        ),
    ),
    figure=figure,
    caption=(
        "Left, points: simulated walkers with 95 % intervals over seeds; solid: exact; dashed: with 20 dimensions' "
        "stable part. Middle: what less noise in one direction costs, the trace kept. Right: walkers left at λ = 1, "
        "with the limit law. Grey: controls."
    ),
    about=(
        "All six hold. The leading order alone is two thirds of the time at βλR² = 10 and still 8 % short at 10⁶, so "
        "the constant belongs to the law. In 20 dimensions F falls 27 % later at βλR² = 10, as the equilibrium of the "
        "stable coordinates says, and by theory 0.2 % at 1000; |x₁| = R never sees the dimension. The runs keep to the "
        "saddle's own axes, where x₁ = 0 is exact: in axes turned at random, rounding is noise, and gradient descent "
        "at such a saddle leaves after about 38/λ in double and 18/λ in single precision."
    ),
)
