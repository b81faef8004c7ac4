"""Injected noise turns being stuck into a wait: Kramers' time, exponential in law.

Raginsky (IAS workshop, 2019): gradient descent is stuck in the basin it starts in; with a little Gaussian noise a step
it leaves after a finite mean time, and the normalised wait is exponential. Here V = (x^2 - 1)^2, so that beta is
beta times the barrier h, and time is counted in 1/h; transverse directions have curvature k_well at the minima and
k_saddle at the saddle.

The catalogue calls Kramers' formula the mean time. It is its limit: at beta h = 2, ..., 9 the exact time is 1.250,
1.194, 1.142, 1.107, 1.083, 1.068, 1.057, 1.049 of it, and the next order is 1 + 3/(8 beta h). So the measured mean is
compared with the exact first-passage integral, and the formula with its next order. Its control, a flat (quartic) top,
changes T to beta^(1/4) exp(beta h): a power that simulation cannot resolve, so that time is by quadrature. In one
dimension consecutive waits are independent at any temperature (the strong Markov property at a point); only in more
dimensions does the claim say something.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from dlatlas.declare.claim import Claim, Control
from dlatlas.declare.parameter import choice, count, number
from dlatlas.declare.study import Study
from dlatlas.declare.variable import Variable
from dlatlas.judging.statistics import slope
from dlatlas.judging.verdict import AtLeast, Equals
from dltheory.theory import kramers
from dltheory.theory.exponential_law import lilliefors_p

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

LANDSCAPES = ("line", "plane", "five", "fifty")
HORIZON = 100.0
"""Time for which gradient descent runs: ten mean waits at beta h = 2."""


def solve(stack: Any) -> dict[str, Any]:  # noqa: ANN401
    """Waits of Langevin walkers that start in the left well, and gradient descent from random starts."""
    from dltheory.models.double_well import descend, waits

    d, shape = stack["d"], {"k_well": stack["k_well"], "k_saddle": stack["k_saddle"]}
    generators = [stack.generator(run) for run in range(len(stack))]
    wait, top = waits(
        stack["beta"], generators, d=d, **shape, walkers=stack["walkers"], passages=stack["passages"], dt=stack["dt"]
    )
    box = np.stack([stack.generator(run, "start").random((d, stack["starts"])) for run in range(len(stack))])
    x, y = 3 * box[:, 0] - 2, 2 * box[:, 1:] - 1
    end = descend(
        x.ravel().astype(np.float32),
        y.transpose(1, 0, 2).reshape(d - 1, x.size).astype(np.float32),
        **shape,
        dt=stack["dt"],
        horizon=HORIZON,
    )
    p = lilliefors_p(wait.astype(float).transpose(0, 2, 1))
    return {"wait": wait, "top": top, "p_value": p, "start": x, "end": end.reshape(x.shape)}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """Exact mean waits, Eyring and Kramers' formula, its next order, and the exact time over a flat top."""
    import xarray as xr

    beta = cube["beta"].values
    shapes = list(zip(cube["d"].values.tolist(), cube["k_well"].values, cube["k_saddle"].values))
    exact = [[kramers.mean_exit_time_tube(b, *s) for b in beta] for s in shapes]
    formula = [[kramers.eyring_kramers(b, *s) for b in beta] for s in shapes]
    next_order = [[1 + kramers.first_correction(*s) / b for b in beta] for s in shapes]
    both = ("landscape", "beta")
    return xr.Dataset(
        {
            "exact": (both, exact),
            "formula": (both, formula),
            "corrected": (both, np.multiply(formula, next_order)),
            "flat": ("beta", [kramers.mean_exit_time(b, kramers.flat_top, -2.0, 2.0) for b in beta]),
        },
        coords={"landscape": cube["landscape"], "beta": cube["beta"]},
    )


def part(data: "xr.DataArray", landscapes: tuple[str, ...], low: float, high: float = np.inf) -> np.ndarray:
    """The values ``(landscape, beta, ...)`` of some landscapes at low <= beta <= high."""
    dims = [dim for dim in ("landscape", "beta", "seed", "walker", "passage") if dim in data.dims]
    beta = data["beta"].values
    rows = np.isin(data["landscape"].values, landscapes)
    return data.transpose(*dims).values[rows][:, (beta >= low) & (beta <= high)]


def mean_wait(cube: "xr.Dataset", landscapes: tuple[str, ...], low: float, high: float = np.inf) -> np.ndarray:
    """Mean of the first waits over walkers and seeds, ``(landscape, beta)``."""
    return part(cube["wait"], landscapes, low, high)[..., 0].mean(axis=(2, 3), dtype=float)


def against(cube: "xr.Dataset", prediction: "xr.DataArray", landscapes: tuple[str, ...], low: float) -> float:
    """Geometric mean over landscapes and beta >= low of measured mean wait / prediction."""
    predicted = part(prediction.broadcast_like(cube["d"] * cube["beta"]), landscapes, low)
    return float(np.exp(np.mean(np.log(mean_wait(cube, landscapes, low) / predicted))))


def arrhenius(cube: "xr.Dataset", low: float, high: float = np.inf) -> float:
    """Slope of the logarithm of the mean wait against beta, in one dimension."""
    beta = cube["beta"].values
    return slope(beta[(beta >= low) & (beta <= high)], np.log(mean_wait(cube, ("line",), low, high)[0]))


def to_the_top(cube: "xr.Dataset", low: float, high: float = np.inf) -> float:
    """Mean time to the first visit of the top / mean wait, averaged over beta."""
    top = part(cube["top"], ("line",), low, high).mean(axis=(2, 3), dtype=float)
    return float(np.mean(top / mean_wait(cube, ("line",), low, high)))


def p_value(cube: "xr.Dataset", low: float, high: float = np.inf) -> float:
    """Mean p-value of the test of exponential waits: 1/2 if they are."""
    return float(part(cube["p_value"], ("line",), low, high).mean())


def memory(cube: "xr.Dataset", low: float, *, frozen: bool = False) -> float:
    """Correlation of the logarithms of a walker's first and second wait, averaged over d = 2, 5 and beta.

    With ``frozen`` all beta are one population of walkers, each with a temperature of its own.
    """
    log = np.log(part(cube["wait"], ("plane", "five"), low)[..., :2])
    over = (1, 2, 3) if frozen else (2, 3)
    first, second = np.moveaxis(log - log.mean(axis=over, keepdims=True), -1, 0)
    return float(np.mean((first * second).mean(over) / np.sqrt((first**2).mean(over) * (second**2).mean(over))))


def flat_over_formula(theory: "xr.Dataset", low: float) -> float:
    """The exact time over a flat top / Kramers' formula with the quadratic top's curvature."""
    beta = theory["beta"].values
    ratio = theory["flat"].values[beta >= low] / part(theory["corrected"], ("line",), low)[0]
    return float(np.exp(np.mean(np.log(ratio))))


def coldest(cube: "xr.Dataset") -> float:
    """The second largest beta."""
    return float(np.sort(cube["beta"].values)[-2])


def kept_basin(cube: "xr.Dataset") -> float:
    """Fraction of gradient-descent starts that end in the well of their own basin."""
    return float(np.mean(np.sign(cube["start"].values) == np.sign(cube["end"].values)))


def still_there(cube: "xr.Dataset", beta: float) -> float:
    """Fraction of noisy walkers that are still in the well they started in at gradient descent's horizon."""
    return float(np.mean(part(cube["wait"], ("line",), beta, beta)[..., 0] > HORIZON))


def figure(cube: "xr.Dataset", theory: "xr.Dataset", verdict: dict[str, Any]) -> "Figure":
    """Mean wait against the barrier, Kramers' constant approached, and the law of the normalised wait."""
    from dlatlas.plotting.style import CONTROL, PALETTE, legend, letters, new_figure, points, reference

    figure, panels = new_figure(3)
    beta = cube["beta"].values
    fine = np.linspace(beta[0], beta[-1], 23)
    for name, color in zip(("line", "plane", "five"), PALETTE):
        here = cube.sel(landscape=name)
        shape = (int(here["d"]), float(here["k_well"]), float(here["k_saddle"]))
        wait = here["wait"].isel(passage=0).mean("walker")
        exact = np.array([kramers.mean_exit_time_tube(b, *shape) for b in fine])
        formula = np.array([kramers.eyring_kramers(b, *shape) for b in fine])
        points(panels[0], beta, wait, color=color, label=f"d = {shape[0]}")
        panels[0].plot(fine, exact, color=color, zorder=2)
        panels[0].plot(fine, formula, color=color, lw=1, ls=(0, (2, 2)), zorder=1)
        points(panels[1], beta, wait / theory["formula"].sel(landscape=name), color=color)
        panels[1].plot(fine, exact / formula, color=color, zorder=2)
    flat = [kramers.mean_exit_time(b, kramers.flat_top, -2.0, 2.0) / kramers.eyring_kramers(b) for b in fine]
    panels[1].plot(fine, flat, color=CONTROL, zorder=2)
    reference(panels[1], y=1)
    panels[1].annotate("flat top", (beta[-1], 4.3), color=CONTROL, fontsize=8, ha="right")
    panels[1].annotate("Eyring–Kramers", (beta[-1], 0.95), color="#444444", fontsize=8, ha="right", va="top")
    panels[0].set(yscale="log", xlabel=r"barrier / temperature  $\beta h$", ylabel="mean wait  [1/h]")
    panels[1].set(yscale="log", xlabel=r"$\beta h$", ylabel="mean wait / formula", ylim=(0.75, 6))
    panels[1].set_yticks([1, 2, 3, 4, 5], ["1", "2", "3", "4", "5"])
    panels[1].minorticks_off()
    grid = np.linspace(0, 5, 41)
    for level, color in ((beta[0], CONTROL), (4.0, PALETTE[5]), (beta[-1], PALETTE[0])):
        sample = np.sort(cube["wait"].sel(landscape="line", beta=level).isel(passage=0).values.ravel().astype(float))
        left = 1 - np.searchsorted(sample / sample.mean(), grid) / len(sample)
        panels[2].plot(grid, left, ".", ms=4.5, color=color, label=rf"$\beta h = {level:g}$")
    panels[2].plot(grid, np.exp(-grid), color="#222222", lw=1.2, zorder=1, label=r"$e^{-t}$")
    panels[2].set(yscale="log", ylim=(2e-3, 1.4), xlabel="wait / mean wait", ylabel="walkers still waiting")
    legend(panels[0], loc="upper left")
    legend(panels[2], loc="lower left")
    letters(panels, ("Arrhenius", "Kramers' constant", "Exponential law"))
    return figure


STUDY = Study(
    title="Noise turns being stuck into an exponential wait",
    rows=("langevin-escape-kramers",),
    kind="sample",
    statement=(
        "Gradient descent never leaves the basin it starts in. With Gaussian noise of inverse temperature β it crosses "
        "a barrier h after a mean time (2π/|λ₋|) √(|det H_saddle| / det H_well) e^{βh} (1 + O(1/β)), half of it to "
        "reach the top, and the wait divided by its mean becomes exponential: the walker forgets between attempts."
    ),
    formula=(
        r"\mathrm{E}\,\tau = \frac{2\pi}{|\lambda_-|} \sqrt{\frac{|\det H_{s}|}{\det H_{m}}}\; e^{\beta h} "
        r"\left( 1 + \frac{3}{8 \beta h} + \dots \right), \qquad \frac{\tau}{\mathrm{E}\,\tau} \to \mathrm{Exp}(1)"
    ),
    papers=("kramers1940", "bovier2004", "raginsky2017"),
    parameters={
        "landscape": choice("line", LANDSCAPES, "name of the landscape"),
        "d": count(1, "dimension"),
        "k_well": number(8.0, "transverse curvature at the minima, in units of the barrier", low=0.0),
        "k_saddle": number(8.0, "transverse curvature at the saddle, in units of the barrier", low=0.0),
        "beta": number(1.0, "inverse temperature times barrier", low=0.0),
        "walkers": count(256, "walkers in a run"),
        "passages": count(2, "consecutive transitions of each walker"),
        "dt": number(0.005, "time step", low=0.0),
        "starts": count(32, "random starts of gradient descent in a run"),
    },
    shape=("landscape", "d", "k_well", "k_saddle", "walkers", "passages", "dt", "starts"),
    solve=solve,
    variables={
        "wait": Variable("wait between transitions", "1/h", "Euler-Maruyama steps", {"walker": None, "passage": None}),
        "top": Variable("time of the first visit of the top", "1/h", "the same walk", {"walker": None}),
        "p_value": Variable("p-value of the exponential law", "1", "Lilliefors 1969", {"passage": None}),
        "start": Variable("x where gradient descent starts", "1", "uniform on [-2, 1]", {"ball": None}),
        "end": Variable("x where gradient descent ends", "1", "no noise", {"ball": None}),
    },
    theory=theory,
    claims=(
        Claim(
            name="mean wait is the exact one",
            statement="The mean wait from well to well is the first-passage integral (d = 1) or the solution of "
            "Dynkin's equation (d = 2, 5).",
            source="Gardiner, Handbook of Stochastic Methods, section 5.2.7; tolerance: steps of 0.005 change the time "
            "by 1 %, sampling by 1 %",
            quantity="measured mean wait / exact, geometric mean over d and βh ≥ 2 [1]",
            statistic=lambda cube, theory: against(cube, theory["exact"], ("line", "plane", "five"), 2),
            expected=Equals(1.0, 0.05),
            control=Control(
                "A flat (quartic) top of the same height over wells of the same curvature has another time.",
                lambda cube, theory: against(cube, theory["flat"], ("line",), 2),
            ),
            permute="beta",
            shuffled=("wait",),
        ),
        Claim(
            name="Arrhenius slope",
            statement="The logarithm of the mean wait grows like β times the barrier.",
            source="Freidlin & Wentzell; the exact slope over βh = 3 to 6 is 1 - 3/8 (1/3 - 1/6)/3 + ... = 0.97",
            quantity="slope of ln(mean wait) against βh ≥ 3, d = 1 [1]",
            statistic=lambda cube, theory: arrhenius(cube, 3),
            expected=Equals(1.0, 0.06),
            control=Control(
                "At βh ≤ 1 there is no barrier to speak of and diffusion sets the time.",
                lambda cube, theory: arrhenius(cube, 0, 1),
            ),
            permute="beta",
            shuffled=("wait",),
        ),
        Claim(
            name="Kramers' constant",
            statement="In one dimension the mean wait is 2π/(h √32) e^{βh} (1 + 3/(8βh) + O(1/β²)).",
            source="Kramers 1940; next order by Laplace's method; tolerance: the order after it, 0.7/(βh)² at βh = 4",
            quantity="mean wait / formula with its next order, geometric mean over βh ≥ 4 [1]",
            statistic=lambda cube, theory: against(cube, theory["corrected"], ("line",), 4),
            expected=Equals(1.0, 0.08),
            control=Control(
                "Over a flat (quartic) top the time, by quadrature, is no multiple of the formula near one.",
                lambda cube, theory: flat_over_formula(theory, 4),
            ),
            permute="beta",
            shuffled=("wait",),
        ),
        Claim(
            name="Eyring's determinants",
            statement="Transverse directions that widen at the saddle multiply the wait by √(k_saddle/k_well) each.",
            source="Bovier et al. 2004, theorem 3.2; next order by Laplace's method; tolerance: the order after it, "
            "about (1.5/5)² at d = 5",
            quantity="mean wait / formula with its next order, geometric mean over d = 2, 5 and the two largest βh [1]",
            statistic=lambda cube, theory: against(cube, theory["corrected"], ("plane", "five"), coldest(cube)),
            expected=Equals(1.0, 0.15),
            control=Control(
                "The formula of d = 1, without the determinants.",
                lambda cube, theory: against(
                    cube, theory["corrected"].sel(landscape="line"), ("plane", "five"), coldest(cube)
                ),
            ),
            permute="beta",
            shuffled=("wait",),
        ),
        Claim(
            name="half to reach the top",
            statement="Reaching the top takes half of the transition time: from there both wells are equally near.",
            source="symmetry; exact ratio 0.490 at βh = 4, 0.376 at 1/2",
            quantity="mean time to the top / mean wait, mean over βh ≥ 4, d = 1 [1]",
            statistic=lambda cube, theory: to_the_top(cube, 4),
            expected=Equals(0.5, 0.04),
            control=Control(
                "At βh = 1/2 the way down takes most of the time.", lambda cube, theory: to_the_top(cube, 0, 0.5)
            ),
            permute="beta",
            shuffled=("top",),
        ),
        Claim(
            name="waits are exponential",
            statement="At βh ≥ 4 the wait divided by its mean is Exp(1).",
            source="Bovier et al. 2004, theorem 3.4; tolerance: 5 standard errors of a mean of 50 uniform p-values",
            quantity="mean p-value of Lilliefors' test, 1/2 if exponential [1]",
            statistic=lambda cube, theory: p_value(cube, 4),
            expected=Equals(0.5, 0.2),
            control=Control("At βh = 1/2 the wait is not exponential.", lambda cube, theory: p_value(cube, 0, 0.5)),
            permute="beta",
            shuffled=("p_value",),
        ),
        Claim(
            name="waits are independent",
            statement="Consecutive waits of one walker are uncorrelated in two and five dimensions.",
            source="the walker equilibrates in time 1/8 between attempts; tolerance: a tenth, twice the standard error "
            "of one run",
            quantity="correlation of ln(first wait) and ln(second wait), mean over d = 2, 5 and βh ≥ 4 [1]",
            statistic=lambda cube, theory: memory(cube, 4),
            expected=Equals(0.0, 0.1),
            control=Control(
                "Walkers of different temperatures, each frozen along its path: the first wait tells of the second.",
                lambda cube, theory: memory(cube, 3, frozen=True),
            ),
            permute="beta",
            shuffled=("wait",),
        ),
        Claim(
            name="gradient descent stays",
            statement="Without noise every start ends in the well of its own basin, so success is the basin's volume.",
            source="the loss decreases along gradient descent",
            quantity="fraction of starts that end in their own basin by time 100/h [1]",
            statistic=lambda cube, theory: kept_basin(cube),
            expected=AtLeast(0.999),
            control=Control(
                "With noise at βh = 2 (mean wait 10/h) walkers have left by then.",
                lambda cube, theory: still_there(cube, 2.0),
            ),
            permute="ball",
            shuffled=("end",),
        ),
    ),
    figure=figure,
    caption=(
        "Points: mean wait of simulated walkers with 95 % intervals over seeds. Solid: exact first-passage theory. "
        "Dashed: Eyring and Kramers' formula, the limit of a high barrier. Grey: where it must fail."
    ),
    about=(
        "The simulated means follow exact first-passage theory to a percent in d = 1, 2, 5, and the formula only "
        "with its next order: at βh = 6 the exact time is still 1.08 (d = 1), 1.14 (d = 2) and 1.38 (d = 5) times "
        "it. The catalogue takes the formula for an equality; its flat-top control differs by a power β^(1/4) "
        "that simulation here cannot resolve, so it is by quadrature, at four times the formula. Two things were "
        "changed after earlier sweeps, which left Kramers' constant (p = 0.06) and the top (0.54) undecided, and "
        "judged on new seeds: ratios are averaged geometrically, since by arithmetic means even a cube made by "
        "the theory stays undecided; and levels are moved, as a walk seen at its steps crosses them late "
        "(Broadie, Glasserman & Kou 1997)."
    ),
)
