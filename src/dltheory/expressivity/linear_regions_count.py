"""ReLU networks have about as many linear regions as units on a line, their square on a plane: not 2^depth.

Corrections of the catalogue, by its audit:
- counts do not quite hang on the units alone: at equal numbers they fall with depth, within a factor of two as long as
  layers have 16 units or more. Biases need a standard deviation; here 1 (in units of the weights' on digits, below).
- one layer: E = N (arctan q - arctan p)/pi for one input is N times the angle between (x_p, beta) and (x_q, beta) over
  pi for any line, beta the ratio of the standard deviations of biases and weights.
- "small noise destroys the sawtooth" needs a size: below 1 % the count is untouched, beyond 30 % nothing is left.
- kinks are solved for, not counted on a grid.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from dlatlas.declare.claim import Claim, Control
from dlatlas.declare.parameter import count, number
from dlatlas.declare.study import Study
from dlatlas.declare.variable import Variable
from dlatlas.judging.statistics import deviation, exponent, extreme
from dlatlas.judging.verdict import AtMost, Equals
from dlatlas.measures.linear_regions import breakpoints, regions, tent

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

LINES, FOLDS, NOISE, PLANE = 4, 10, (0.0, 0.001, 0.01, 0.03, 0.1, 0.3), 64
"""Lines a network; folds of the sawtooth and noise on its weights; most units for which planes are cut."""


def measure(trained: Any, stack: Any) -> dict[str, Any]:  # noqa: ANN401
    """Breaks on segments between training points, regions on a plane through three, breaks of a noisy sawtooth."""
    from dlatlas.identity.streams import stream

    x = trained.data()[0].numpy()
    p = {name: value.double().numpy() for name, value in trained.parameters.items()}
    depth, units = int(stack["depth"]), int(stack["neurons"])
    found = {"breaks": np.full(len(stack), np.nan), "regions": np.full(len(stack), np.nan),
             "angle": np.full(len(stack), np.nan), "sawtooth": np.full((len(stack), len(NOISE)), np.nan)}  # fmt: skip
    for run, key in enumerate(trained.keys):
        points, rng = x if trained.shared_data else x[run], stream(key, "measure")
        layers = [(p[f"layers.{i}.weight"][run], p[f"layers.{i}.bias"][run]) for i in range(depth)]
        pairs = [rng.choice(len(points), 2, replace=False) for _ in range(LINES)]
        found["breaks"][run] = np.mean([len(breakpoints(layers, *points[pair])) for pair in pairs])
        beta = float(stack.runs[run]["bias_sd"]) / np.sqrt(2 / points.shape[1])
        found["angle"][run] = np.mean([_angle(*points[pair], beta) for pair in pairs]) / np.pi
        if units <= PLANE:
            corner, one, other = points[rng.choice(len(points), 3, replace=False)]
            found["regions"][run] = regions(layers, corner, one - corner, other - corner)
        for i, noise in enumerate(NOISE):
            found["sawtooth"][run, i] = len(breakpoints(tent(FOLDS, noise, rng), np.zeros(1), np.ones(1)))
    return found


def _angle(one: np.ndarray, other: np.ndarray, beta: float) -> float:
    a, b = np.append(one, beta), np.append(other, beta)
    return float(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """Expected breaks of one random layer: the share of units that see the ends of a segment from two sides."""
    return (cube["neurons"] * cube["angle"].isel(step=0)).to_dataset(name="breaks")


def at_start(name: str) -> Any:  # noqa: ANN401
    """A variable at initialisation."""
    return lambda cube, theory: cube[name].isel(step=0)


def unevenness(cube: "xr.Dataset", theory: "xr.Dataset") -> float:
    """Largest ratio of the mean breaks a unit of two networks of any size and depth, at random weights."""
    means = (cube["breaks"].isel(step=0) / cube["neurons"]).mean("seed")
    return float(means.max() / means.min())


def folded(cube: "xr.Dataset", theory: "xr.Dataset") -> float:
    """The same ratio of sawtooth networks of ten folds and of one, which has one break, per unit."""
    return float(cube["sawtooth"].sel(noise=0.0).mean() / FOLDS)


def per_unit(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Breaks a unit, before and after training."""
    return cube["breaks"] / cube["neurons"]


def sawtooth_per_unit(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Breaks a unit of the sawtooth without noise."""
    return cube["sawtooth"].sel(noise=0.0) / (2 * FOLDS)


def left(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Breaks of the noisy sawtooth over those without noise."""
    return cube["sawtooth"] / (2**FOLDS - 1)


def figure(cube: "xr.Dataset", theory: "xr.Dataset", verdict: dict[str, Any]) -> "Figure":
    """Breaks against units by depth before and after training, regions on planes, and the noisy sawtooth."""
    from dlatlas.judging.statistics import select
    from dlatlas.plotting.style import CONTROL, legend, letters, new_figure, points, power, shades

    figure, (one, two, three) = new_figure(3)
    depths = np.unique(cube["depth"].values)
    for color, depth in zip(shades(len(depths)), depths):
        part = select(cube, {"depth": [int(depth)]})
        for step, fill in ((0, color), (-1, "none")):
            shown = part["breaks"].isel(step=step)
            points(one, part["neurons"], shown, color=color, markerfacecolor=fill,
                   label=f"depth {depth}" if step == 0 else None)  # fmt: skip
        flat = part["regions"].isel(step=0).dropna("network", how="all")
        if depth <= 2 and flat.sizes["network"]:
            points(two, flat["neurons"], flat, color=color, label=f"depth {depth}")
    single = select(theory, {"depth": [1]})["breaks"].mean("seed")
    one.plot(single["neurons"], single, color="black", linewidth=1.0, label="theory, one layer")
    edge = cube["neurons"].values[[0, -1]].astype(float)
    few = select(cube, {"neurons": [int(edge[0])]})["regions"].isel(step=0)
    power(two, np.array([edge[0], PLANE]), 2.0, (edge[0], float(few.mean())), "N²")
    shares = left(cube, theory).isel(step=0)
    noise = np.where(np.array(NOISE) == 0, 3e-4, NOISE)
    points(three, noise, shares.stack(all=("network", "seed")).drop_vars(("all", "network", "seed"))
           .rename(all="seed"), color=CONTROL)  # fmt: skip
    for panel in (one, two):
        panel.set(xscale="log", yscale="log", xlabel="units  N")
        ticks = [n for n in np.unique(cube["neurons"].values) if panel is one or n <= PLANE]
        panel.set_xticks(ticks, [str(n) for n in ticks])
        panel.minorticks_off()
    one.set(ylabel="breaks on a segment", xlim=(0.8 * edge.min(), 1.25 * edge.max()))
    two.set(ylabel="regions on a parallelogram")
    three.set(xscale="log", xlabel="relative noise on its weights", ylabel="breaks left of 1,023", ylim=(-0.03, None))
    shown = [0, 1, 2, 4]
    three.set_xticks(noise[shown], ["0", *(f"{NOISE[i]:g}" for i in shown[1:])])
    three.minorticks_off()
    for panel in (one, two):
        legend(panel, fontsize=7)
    letters((one, two, three), ("lines between digits", "planes", "a sawtooth of ten layers"))
    return figure


HANIN = "Hanin & Rolnick 2019"
STUDY = Study(
    title="Networks have as many linear regions as units, not 2^depth",
    rows=("linear-regions-count",),
    kind="train",
    statement=(
        "Hanin & Rolnick (2019): a ReLU network could cut a line into exponentially many pieces in its depth, as the "
        "sawtooth of Telgarsky does. At random weights, and after training, it has of the order of one break a unit on "
        "a line, and of N² regions on a plane, however its N units are stacked; and a little noise undoes the sawtooth."
    ),
    formula=(
        r"\mathbb E\,\#\mathrm{breaks} = \frac{N}{\pi} \angle\big((x_p, \beta), (x_q, \beta)\big) \;(\text{1 layer}), "
        r"\qquad \mathbb E\,\#\mathrm{regions} = O\big(N^k / k!\big)"
    ),
    papers=("hanin2019", "hanin2019b", "telgarsky2015"),
    parameters={
        "inputs": count(64, "input dimension"),
        "neurons": count(64, "hidden units N in all layers"),
        "width": count(64, "units of a hidden layer"),
        "depth": count(1, "hidden layers"),
        "bias_sd": number(1.0, "standard deviation of the biases at the start", low=0.0),
        "n_train": count(200, "training examples"),
    },
    shape=("inputs", "neurons", "width", "depth", "n_train"),
    measure=measure,
    variables={
        "breaks": Variable("breaks on a segment between two training points", "1", f"{HANIN}, theorem 1"),
        "regions": Variable("linear regions on a parallelogram through three", "1", "Hanin & Rolnick 2019b, theorem 5",
                            undefined="more units than `PLANE`"),
        "angle": Variable("share of first-layer units that break it, expected", "1", "angle over π; derived"),
        "sawtooth": Variable("breaks of a sawtooth of ten folds with noise", "1", "Telgarsky 2015", {"noise": NOISE}),
    },
    cost=lambda run: 100.0 + run["neurons"] * (20 if run["neurons"] <= PLANE else 1),
    theory=theory,
    claims=(
        Claim(
            name="one layer",
            statement="A random layer breaks a segment N/π times the angle between its ends, biases included.",
            source="probability that a Gaussian hyperplane separates two points; derived",
            quantity="mean relative deviation over numbers of units [1]",
            statistic=deviation,
            holds={"of": "breaks", "where": {"depth": 1, "step": 0}},
            expected=AtMost(0.05),
            control=Control("More layers with as many units break it less often.",
                            {"where": {"depth": (4, None), "step": 0}}),
            permute="network",
            shuffled=("breaks",),
        ),
        Claim(
            name="linear on lines",
            statement="Breaks on a line grow as the number of units.",
            source=f"{HANIN}, theorem 1",
            quantity="log-log slope against N, one and two layers [1]",
            statistic=exponent,
            holds={"of": at_start("breaks"), "along": "neurons", "where": {"depth": (None, 2)}},
            expected=Equals(1.0, 0.1),
            control=Control("Regions on a plane grow faster.", {"of": at_start("regions")}),
            permute="network",
            shuffled=("breaks",),
        ),
        Claim(
            name="quadratic on planes",
            statement="Regions on a plane grow as its square.",
            source="Hanin & Rolnick 2019b, theorem 5: N^k/k! in k dimensions, up to constants",
            quantity="log-log slope against N, one and two layers, N up to 64 [1]",
            statistic=exponent,
            holds={"of": at_start("regions"), "along": "neurons", "where": {"depth": (None, 2)}},
            expected=Equals(2.0, 0.25),
            control=Control("Breaks on a line grow slower.", {"of": at_start("breaks")}),
            permute="network",
            shuffled=("regions",),
        ),
        Claim(
            name="depth does not multiply",
            statement="In one to eight layers of 16 units or more, breaks a unit are equal up to a factor of two.",
            source=f"{HANIN}, theorem 1; the factor by the audit",
            quantity="largest ratio of mean breaks a unit [1]",
            statistic=unevenness,
            expected=AtMost(2.0),
            control=Control("Ten folds of a sawtooth have a thousand times the breaks of one.", folded),
            permute="network",
            shuffled=("breaks",),
        ),
        Claim(
            name="also after training",
            statement="Before and after training there are at most a few breaks a unit.",
            source=f"{HANIN}, section 4",
            quantity="largest mean number of breaks a unit [1]",
            statistic=extreme,
            holds={"of": per_unit, "end": "largest", "average": True},
            expected=AtMost(3.0),
            control=Control("The sawtooth has fifty.", {"of": sawtooth_per_unit}),
            permute="network",
            shuffled=("breaks",),
        ),
        Claim(
            name="sawtooth is fragile",
            statement="Noise of 30 % on its weights leaves less than a tenth of the sawtooth's breaks.",
            source=f"{HANIN}, figure 2; the size by the audit",
            quantity="largest mean share of breaks left [1]",
            statistic=extreme,
            holds={"of": left, "end": "largest", "average": True, "where": {"noise": 0.3}},
            expected=AtMost(0.1),
            control=Control("Noise of a tenth of a per cent leaves all of them.", {"where": {"noise": 0.001}}),
            permute="noise",
        ),
    ),
    figure=figure,
    caption=(
        "Left: breaks on segments between digits, at random weights (full) and after training (open), by depth; line: "
        "theory of one layer. Middle: regions on planes. Right: breaks of a sawtooth network with noise on its weights."
    ),
    about=(
        "Regions on a plane grow with an exponent of 1.7 up to 64 units, so 2 ± 0.25 is undecided: lines that do "
        "not cross inside the parallelogram add a term linear in N. A first version of the claim on depth compared "
        "networks with equal numbers of units only; shuffling could not make it fail, so it now compares breaks a unit "
        "of all networks, at the same factor. Training leaves shallow networks as they were and multiplies the breaks "
        "of eight layers by 2.4."
    ),
)  # fmt: skip
