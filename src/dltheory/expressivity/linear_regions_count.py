"""ReLU networks have about as many linear regions as units on a line, their square on a plane: not 2^depth.

Corrections of the catalogue, by its audit:
- counts do not quite hang on the units alone: at equal numbers they fall with depth, within a factor of two as long as
  layers have 16 units or more. Biases need a standard deviation; here 1 (in units of the weights' on digits, below).
- one layer: E = N (arctan q - arctan p)/pi for one input is N times the angle between (x_p, beta) and (x_q, beta) over
  pi for any line, beta the ratio of the standard deviations of biases and weights.
- "small noise destroys the sawtooth" needs a size: below 1 % the count is untouched, beyond 30 % nothing is left.
- kinks are solved for, not counted on a grid.
"""

from typing import TYPE_CHECKING

from dlatlas import Study, but, claim, count, derived, exchangeable, instead, number, panel, variable, where
from dlatlas.judging.statistics import average, deviation, exponent, largest, smallest
from dltheory.measures.cut_by_units import FOLDS, NOISE, PLANE, cut_by_units

if TYPE_CHECKING:
    import xarray as xr

START, SHALLOW = {"step": 0}, {"step": 0, "depth": (None, 2)}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """Expected breaks of one random layer: the share of units that see the ends of a segment from two sides."""
    return (cube["neurons"] * cube["angle"].isel(step=0, drop=True)).to_dataset(name="breaks")


STUDY = Study(
    title="Networks have as many linear regions as units, not 2^depth",
    rows=["linear-regions-count"],
    kind="train",
    papers=["hanin2019", "hanin2019b", "telgarsky2015"],
    says=(
        "Hanin & Rolnick (2019): a ReLU network could cut a line into exponentially many pieces in its depth, as the "
        "sawtooth of Telgarsky does. At random weights, and after training, it has of the order of one break a unit on "
        "a line, and of N² regions on a plane, however its N units are stacked; and a little noise undoes the sawtooth."
    ),
    formula=(
        r"\mathbb E\,\#\mathrm{breaks} = \frac{N}{\pi} \angle\big((x_p, \beta), (x_q, \beta)\big) \;(\text{1 layer}), "
        r"\qquad \mathbb E\,\#\mathrm{regions} = O\big(N^k / k!\big)"
    ),
    parameters={
        "inputs": count(64, "input dimension"),
        "neurons": count(64, "hidden units N in all layers"),
        "width": count(64, "units of a hidden layer"),
        "depth": count(1, "hidden layers"),
        "bias_sd": number(1.0, "standard deviation of the biases at the start", low=0.0),
        "n_train": count(200, "training examples"),
    },
    shape=["inputs", "neurons", "width", "depth", "n_train"],
    measure=cut_by_units,
    cost=lambda run: 100.0 + run["neurons"] * (20 if run["neurons"] <= PLANE else 1),
    variables={
        "breaks": variable("breaks on a segment between two training points", "theorem 1"),
        "regions": variable("linear regions on a parallelogram through three", "hanin2019b, theorem 5",
                            undefined="more units than `PLANE`"),
        "angle": variable("share of first-layer units that break it, expected", "angle over π; derived"),
        "sawtooth": variable("breaks of a sawtooth of ten folds with noise", "telgarsky2015", noise=NOISE),
    },
    theory=theory,
    observables={
        "per_unit": derived("breaks a unit", lambda cube, theory: cube["breaks"] / cube["neurons"]),
        "sawtooth_per_unit": derived(
            "breaks a unit of a sawtooth without noise",
            lambda cube, theory: cube["sawtooth"].sel(noise=0.0) / (2 * FOLDS),
        ),
        "left": derived("share of the sawtooth's breaks that is left",
                        lambda cube, theory: cube["sawtooth"] / (2**FOLDS - 1)),
    },
    claims=[
        claim(
            "one layer", "A random layer breaks a segment N/π times the angle between its ends, biases included.",
            "probability that a Gaussian hyperplane separates two points; derived",
            deviation("breaks", where={"depth": 1, **START}) <= 0.05, rival=exchangeable("network", "breaks"),
            fails=where("More layers with as many units break it less often.", depth=(4, None)),
        ),
        claim(
            "linear on lines", "Breaks on a line grow as the number of units.", "theorem 1",
            exponent("breaks", "neurons", SHALLOW).within(1.0, 0.1), rival=exchangeable("network", "breaks"),
            fails=but("Regions on a plane grow faster.", of="regions"),
        ),
        claim(
            "quadratic on planes", "Regions on a plane grow as its square.",
            "hanin2019b, theorem 5: N^k/k! in k dimensions, up to constants",
            exponent("regions", "neurons", SHALLOW).within(2.0, 0.25), rival=exchangeable("network", "regions"),
            fails=but("Breaks on a line grow slower.", of="breaks"),
        ),
        claim(
            "depth does not multiply",
            "In one to eight layers of 16 units or more, breaks a unit are equal up to a factor of two.",
            "theorem 1; the factor by the audit",
            largest("per_unit", START, by="mean") / smallest("per_unit", START, by="mean") <= 2.0,
            rival=exchangeable("network", "breaks"),
            fails=instead("Ten folds of a sawtooth have a thousand times the breaks of one.",
                          average("sawtooth", {"noise": 0.0}) / FOLDS),
        ),
        claim(
            "also after training", "Before and after training there are at most a few breaks a unit.", "section 4",
            largest("per_unit", by="mean") <= 3.0, rival=exchangeable("network", "breaks"),
            fails=but("The sawtooth has fifty.", of="sawtooth_per_unit"),
        ),
        claim(
            "sawtooth is fragile", "Noise of 30 % on its weights leaves less than a tenth of the sawtooth's breaks.",
            "figure 2; the size by the audit",
            largest("left", {"noise": 0.3}, by="mean") <= 0.1, rival=exchangeable("noise"),
            fails=where("Noise of a tenth of a per cent leaves all of them.", noise=0.001),
        ),
    ],
    picture=[
        panel("breaks", "neurons", by="depth", where=START, line={1: "breaks"}, log="xy", xlabel="units  N",
              ylabel="breaks on a segment", title="lines between digits",
              also=panel("breaks", "neurons", by="depth", where={"step": (1, None)}, line="", marker="x",
                         labels=dict.fromkeys(range(1, 17), ""))),
        panel("regions", "neurons", by="depth", where={**SHALLOW, "neurons": (None, PLANE)}, log="xy",
              slope=[(2, "N²")], xlabel="units  N", ylabel="regions on a parallelogram", title="planes"),
        panel("left", "noise", where=START, line="", log="x", grey={"y": True}, xlabel="relative noise on its weights",
              ylabel="breaks left of 1,023", ylim=(-0.03, None), title="a sawtooth of ten layers"),
    ],
    caption=(
        "Left: breaks on segments between digits, at random weights (points) and after training (crosses), by depth; "
        "line: theory of one layer. Middle: regions on planes. Right: breaks of a sawtooth network with noise on its "
        "weights."
    ),
    about=(
        "Regions on a plane grow with an exponent of 1.7 up to 64 units, so 2 ± 0.25 is undecided: lines that do "
        "not cross inside the parallelogram add a term linear in N. A first version of the claim on depth compared "
        "networks with equal numbers of units only; shuffling could not make it fail, so it now compares breaks a unit "
        "of all networks, at the same factor. Training leaves shallow networks as they were and multiplies the breaks "
        "of eight layers by 2.4."
    ),
)  # fmt: skip
