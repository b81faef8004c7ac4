"""Noise leaves a strict saddle in a time that is logarithmic in its temperature, where gradient descent stays.

The half of the catalogue's row on saddles, and on noise along directions that do not help; its half on barriers is the
study `langevin_escape_kramers`. F = lam (-x_1^2 + x_2^2 + ... + x_d^2) / 2, started at the saddle, R = 1.

Corrections of the catalogue:
- the O(1) of log(beta lam R^2)/(2 lam) + O(1) is (gamma + log 2)/(2 lam) - 1/(2 beta lam^2 R^2) + ...
- whether the dimension counts hangs on what escape is: |x_1| = R does not see it at all, so the claims on dimension and
  on the direction of noise are on the fall of F by lam R^2 / 2, where x_1^2 = R^2 + |x_2, ..., x_d|^2.
- gradient descent starts on the saddle's stable manifold, of which the saddle is one point.
- the "ratio by the path curvature" of noise in wrong directions is one of barriers; here it is a delay, log(w)/(2 lam).
"""

from dlatlas import Study, but, choice, claim, count, derived, exchangeable, flag, number, panel, variable, where
from dlatlas.judging.statistics import average, deviation, slope, statistic
from dltheory.measures.escape_times import apart, off_law
from dltheory.models.quadratic_saddle import TIMES, escapes
from dltheory.theory.saddle_escape import laws

ISOTROPIC, COLD = {"setting": ["plane", "twenty"]}, {"beta": (1e5, None)}
UNSTABLE, STABLE = ({"d": 20, "noise": True, other: 1} for other in ("withheld_stable", "withheld"))
LAW = {"lam": 1.0, "time": TIMES[::16].tolist()}
NEVER = "a walker of the run never left"

STUDY = Study(
    title="Noise leaves a saddle in logarithmic time",
    rows=["langevin-barrier-escape-arrhenius"],
    kind="sample",
    papers=["kifer1981", "day1995", "ge2015", "hu2019"],
    says=(
        "Started at a strict saddle of curvature λ, gradient descent stays. With Gaussian noise of inverse temperature "
        "β it is a distance R away after a mean time (log(βλR²) + γ + log 2)/(2λ), in any dimension: colder noise only "
        "sets off closer to the saddle, from where the way is exponentially fast (Kifer 1981; Hu et al. 2019). Noise "
        "along stable directions is wasted: what the unstable one lacks delays by the logarithm of the lack."
    ),
    formula=(
        r"\mathrm{E}\,T = \frac{2}{\lambda} \int_0^{\sqrt{\beta\lambda/2}\,R} D(v)\,dv = \frac{\log(\beta\lambda R^2) "
        r"+ \gamma + \log 2}{2\lambda} + O(\beta^{-1}), \qquad \lambda T - \tfrac12 \log(\beta\lambda R^2) \to -\log|Z|"
    ),
    parameters={
        "setting": choice("plane", ("plane", "twenty", "unstable4", "unstable16", "unstable64", "stable4", "stable16",
                                    "stable64", "noiseless", "nudged"), "name of dimension, noise and start"),
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
    shape=["setting", "d", "withheld", "withheld_stable", "noise", "nudge", "walkers", "step", "horizon"],
    solve=escapes,
    cost=lambda run: 6e4 + run["walkers"] * (10 + run["d"]) * 5.0,
    variables={
        "exit": variable("mean time to |x₁| = R [1/λ]", "exact steps, bridges between", NEVER),
        "fall": variable("mean time until F has fallen by λR²/2 [1/λ]", "the same walk", NEVER),
        "left": variable("share beyond |x₁| = R", "the same walk", time=TIMES),
        "still": variable("share within |x₁| < R at the horizon", "the same walk"),
    },
    theory=laws,
    observables={
        "there": derived("walkers still there", lambda cube, theory: 1 - cube["left"]),
        "delay": derived("delay [1/λ]", lambda cube, _: cube["fall"] - cube["fall"].sel(setting="twenty", drop=True)),
    },
    claims=[
        claim(
            "the mean time is the exact one",
            "At every temperature the mean time to |x₁| = R is the first-passage integral.",
            "Gardiner, Handbook of Stochastic Methods, section 5.2.7",
            deviation("exit", "theory.exact_time", worst=True, where=ISOTROPIC) <= 0.03,
            rival=exchangeable("beta", "exit"), why="four standard errors of a mean",
            fails=but("The leading order log(βλR²)/(2λ) lacks the constant.",
                      prediction="theory.leading_order", where={**ISOTROPIC, "beta": (100, None)}),
        ),
        claim(
            "it grows as log β / 2λ", "Squaring β adds log β / 2λ to the mean time.", "kifer1981",
            slope("exit", along="beta", log="x", where={**ISOTROPIC, "beta": (1000, None)}).within(0.5, 0.02),
            rival=exchangeable("beta", "exit"), why="the exact slope over β ≥ 1000 is 0.500 to 0.501",
            fails=but("Out of a well of the same curvature (by quadrature, λ = 0.1, β ≤ 100) it grows exponentially.",
                      of="theory.time_out_of_a_well", where={**ISOTROPIC, "beta": (None, 100), "lam": 0.1}),
        ),
        claim(
            "dimension does not matter",
            "At low temperature F has fallen by λR²/2 after the same mean time in 20 dimensions as in 2.",
            "the stable coordinates add (d-1)/(2βλ²R²)",
            statistic(apart, "fall", by="runs", words="largest relative difference of {of} in 20 and 2 dimensions",
                      where={"beta": (1e4, None)}) <= 0.02,
            rival=exchangeable("setting", "fall"), why="0.2 % at βλR² = 1000",
            fails=where("At βλR² = 10 the stable coordinates hold F up: a quarter later.", beta=(None, 10), lam=1),
        ),
        claim(
            "noise along stable directions is wasted",
            "Noise of the same trace, of which the unstable direction gets one part in w, is later by log(w)/(2λ).",
            "T is a function of the unstable direction's own temperature: β becomes βw",
            slope("fall", along="withheld", log="x", where={**UNSTABLE, **COLD}).within(0.5, 0.05),
            rival=exchangeable("setting", "fall"),
            fails=but("Taken from a stable direction and given to the others it does not matter.",
                      along="withheld_stable", where={**STABLE, **COLD}),
        ),
        claim(
            "gradient descent stays", "Without noise a start on the stable manifold never leaves.", "x₁ = 0 is kept",
            average("still", where={"setting": "noiseless"}) >= 1, rival=exchangeable("setting", "still"),
            why="the horizon is ten times the mean time at the lowest temperature",
            fails=where("A start 10⁻⁶ off leaves at log(10⁶)/λ.", setting="nudged"),
        ),
        claim(
            "law", "λT - log(βλR²)/2 has the law of -log|Z|, Z standard normal.",
            "day1995: the Ornstein–Uhlenbeck process e^(-λt) x₁ converges to a Gaussian",
            statistic(off_law, "left", "exit", "theory.limit", words="Kolmogorov–Smirnov distance, largest over λ",
                      where={**ISOTROPIC, "beta": (1e6, None)}, keep=("lam", "beta", "time"), law="limit") <= 0.02,
            rival=exchangeable("beta", "left"),
            fails=but("The exponential law of equal mean is that of barriers.", law="exponential"),
        ),
    ],
    picture=[
        panel("exit", "beta", by="lam", where={"setting": "plane", "lam": [0.1, 1.0]}, log="x", ylim=(0, 8.4),
              line={0.1: "exact_time", 1.0: "exact_time"}, labels={0.1: "λ = 0.1", 1.0: "λ = 1"}, legend="lower right",
              title="Logarithmic time", xlabel="inverse temperature  $β$", ylabel="mean time  [1/λ]",
              also=[panel("fall", "beta", where={"setting": "twenty", "lam": 0.1}, marker="s",
                          labels={"fall": "d = 20, F falls"}),
                    panel("theory.time_out_of_a_well", "beta", where={"lam": 0.1}, grey={"y": True},
                          labels={"theory.time_out_of_a_well": "out of a well"})]),
        panel("delay", "withheld", where={**UNSTABLE, **COLD}, log="x", ylim=(-0.2, 2.7), title="Wasted noise",
              xlabel="its noise divided by  $w$", labels={"delay": "the unstable direction"}, legend="upper left",
              also=panel("delay", "withheld_stable", where={**STABLE, **COLD}, grey={"y": True},
                         labels={"delay": "a stable one"})),
        panel("there", "time", by="beta", where={**ISOTROPIC, **LAW, "beta": [1e2, 1e4, 1e6]}, title="Its law",
              legend="right", xlabel="time  [1/λ]", labels={10**k: f"β = $10^{k}$" for k in (2, 4, 6)},
              also=[panel("theory.exponential", "time", where={**LAW, "beta": 1e6}, grey={"y": True}),
                    panel("there", "time", line="", labels={"there": "no noise"}, where={
                        "setting": "noiseless", "lam": 1.0, "time": TIMES[180::40].tolist(), "beta": 1e6}),
                    panel("there", "time", line="", labels={"there": "$10^{-6}$ off"}, grey={"y": True}, where={
                        "setting": "nudged", "lam": 1.0, "time": TIMES[160::40].tolist(), "beta": 1e6})]),
    ],
    caption=(
        "Left, points: simulated walkers with 95 % intervals over seeds; solid: exact; squares: with 20 dimensions' "
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
)  # fmt: skip
