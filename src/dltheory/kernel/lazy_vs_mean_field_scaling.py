"""Lazy training and feature learning: one exponent of the output scale decides.

f(x) = (alpha / N) sum_i a_i tanh(w_i . x) less its value at initialisation, alpha = N^p: p = 0 is the mean-field
scaling (Mei, Montanari & Nguyen 2018), p = 1/2 that of the tangent kernel (Jacot, Gabriel & Hongler 2018). The clock:
the loss is divided by alpha^2 and the step size multiplied by N, lr = rate N / alpha^2, so that the kernel that drives
f in the time rate x steps is of order 1 for every alpha and N (Chizat, Oyallon & Bach 2019).

What follows. A unit moves by -(1/alpha) a_i <r tanh'(w_i . x) x>: by 1/alpha. First-order changes of kernel and
output are odd in a_i, so they average to a fluctuation 1/(alpha sqrt N); second-order ones leave 1/alpha^2. Both are
1/N at alpha = sqrt N, and beyond it the fluctuation, 1/alpha at fixed N, is left.

Corrections to the catalogue. It has |h - y| in the laziness criterion: it is |alpha h - y|, and alpha h(w_0) must be
bounded, hence the centred output. It puts the distance to the linearised model at 1/alpha on the tangent-kernel
scaling too, so at N^(-1/2): that is the proven bound, the rate is 1/N (Lee et al. 2019 observed it). "1/alpha" holds at
fixed N for alpha beyond sqrt N, and there not for the antisymmetric initialisation, whose pairs cancel the odd orders:
1/alpha^2. "Short in NTK, longer in mean field" depends on the clock: in that of the plain loss half the loss is learnt
in a time 1/alpha^2, in that of the rescaled loss in a time of order 1 at every alpha.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from dlatlas import Study, but, choice, claim, count, derived, flag, number, panel, variable, where
from dlatlas.judging.statistics import average, exponent
from dltheory.measures.crossing import first_below
from dltheory.theory.lazy import linearised_descent, two_layer_kernel

if TYPE_CHECKING:
    import xarray as xr

    from dlatlas.declare.claim import Claim

LINKS = ("linear", "relu", "tanh", "erf", "sign", "hermite2", "hermite3", "hermite4")
STOPS = 2.0 ** np.arange(0, 21)
"""Stopping times of the kernel method, in steps; the best is taken."""

END = {"step": (1, None)}
PLAIN = {"symmetric": False, "features_only": False, **END}
MEAN_FIELD, TANGENT = {**PLAIN, "scale_exponent": 0.0}, {**PLAIN, "scale_exponent": 0.5}


def setup(built: Any) -> dict[str, Any]:  # noqa: ANN401
    """The step size N / alpha^2, in units of ``rate``."""
    hyper = built.hyper
    return {"lr": hyper["rate"] * hyper["width"] ** (1 - 2 * hyper["scale_exponent"])}


def measure(trained: Any, stack: Any) -> dict[str, Any]:  # noqa: ANN401
    """How far the units moved, and the descent of the linearised twin in closed form, for as many steps."""
    x, y = (part.numpy() for part in trained.data())
    x_test, y_test = (part.numpy() for part in trained.data("test"))
    outputs = trained.outputs("test")[..., 0].numpy()
    now, then = ({key: part.numpy() for key, part in p.items()} for p in (trained.parameters, trained.initial))
    moved = np.linalg.norm(now["w"] - then["w"], axis=-1) / np.linalg.norm(then["w"], axis=-1)
    gap, best = np.full((2, len(stack)), np.nan)
    trained_at_all = not np.array_equal(now["a"], then["a"])  # at step 0 there is nothing to compare
    for run in range(len(stack) if trained_at_all else 0):
        data = [part if trained.shared_data else part[run] for part in (x, x_test, y, y_test)]
        unit, moves = (then["w"][run], then["a"][run]), float(trained.buffers["moves"][run])
        stops = np.append(STOPS, int(stack["steps"]))
        kernels = (two_layer_kernel(z, data[0], *unit, moves) for z in data[:2])
        twin = linearised_descent(*kernels, data[2][:, 0], float(stack["rate"][run]), stops)
        gap[run] = np.sqrt(np.mean((outputs[run] - twin[-1]) ** 2))
        best[run] = np.min(np.mean((twin[:-1] - data[3][:, 0]) ** 2, axis=1)) / 2
    return {"unit_change": moved.mean(axis=1), "linear_gap": gap, "kernel_test_loss": best}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """Powers of N, up to constants: 1/α for the units; 1/α², beyond α = √N 1/(α√N), for kernel and distance."""
    p, n = cube["scale_exponent"], cube["width"].astype(float)
    units, second = n**-p, n ** (-2 * p).where((p <= 0.5) | cube["symmetric"], -p - 0.5)
    return units.to_dataset(name="unit_change").assign(ntk_change=second, linear_gap=second)


def half_time(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """Steps until the training loss is halved."""
    trace = cube["loss_trace"]
    return first_below(trace / trace.isel(trace_step=0), 0.5, along="trace_step")


def law(name: str, says: str, source: str, of: str, runs: dict[str, Any], power: float, tolerance: float) -> "Claim":
    """An exponent of N at one scaling, with the other scaling as its control."""
    still = where("On the mean-field scaling it does not shrink with the width.", scale_exponent=0.0)
    falls = where("On the tangent-kernel scaling it vanishes with the width.", scale_exponent=0.5)
    along, control = ("width", still) if runs is TANGENT else ("setting", falls)
    expected = exponent(of, "width", runs, by="log mean").within(power, tolerance)
    return claim(name, says, source, expected, shuffle=along, only=[of], fails=control)


SIGNS = "odd orders in a average out; rate observed by lee2019, bound N^(-1/2)"

STUDY = Study(
    title="One exponent decides between kernel and feature learning",
    rows=["lazy-vs-mean-field-scaling"],
    kind="train",
    papers=["chizat2019", "mei2018", "jacot2018", "lee2019"],
    says=(
        "A two-layer network f = (α/N) Σ aᵢσ(wᵢ·x), α = Nᵖ, is trained on the loss divided by α². On the "
        "tangent-kernel scaling p = 1/2 each unit moves by N^(-1/2), and the tangent kernel and the distance to the "
        "linearised network shrink like 1/N: the net is a kernel method (Jacot et al. 2018; Chizat et al. 2019). On "
        "the mean-field scaling p = 0 (Mei et al. 2018) all three stay of order one at every width, and the net beats "
        "its kernel on a target that depends on one direction. At fixed N the distance to the linearised network "
        "falls like 1/α."
    ),
    formula=(
        r"f(x) = \frac{\alpha}{N} \sum_{i=1}^{N} a_i \, \sigma(w_i \cdot x), \qquad \alpha = N^{p}, \qquad "
        r"\frac{\| w_i(t) - w_i(0) \|}{\| w_i(0) \|} \sim \frac{1}{\alpha}"
    ),
    parameters={
        "width": count(256, "hidden units N"),
        "scale_exponent": number(0.5, "exponent p of the output scale α = N^p", low=0.0),
        "symmetric": flag(False, "whether units come in pairs of opposite sign at initialisation"),
        "features_only": flag(False, "whether only the output weights are trained"),
        "rate": number(0.5, "time a step, in the clock of the loss divided by α²", low=0.0),
        "inputs": count(10, "input dimension d"),
        "n_train": count(100, "training examples"),
        "n_test": count(500, "test examples"),
        "link": choice("sign", LINKS, "function of the one direction that makes the target"),
    },
    shape=["width", "inputs", "n_train", "n_test", "link"],
    setup=setup,
    measure=measure,
    cost=lambda run: 200.0 + run["width"],
    variables={
        "unit_change": variable("mean relative change of a unit's weights", "|w(t) - w(0)| / |w(0)|"),
        "linear_gap": variable("distance to linearised model [output]", "root mean square on test inputs",
                               undefined="the start"),
        "kernel_test_loss": variable("test loss of kernel method [loss]", "linearised, best stopping time",
                                     undefined="the start"),
    },
    theory=theory,
    observables={
        "alpha": derived("output scale  α", lambda cube, theory: cube["width"].astype(float) ** cube["scale_exponent"]),
        "half_time": derived("time to half the loss, clock of the loss over α² [steps]", half_time),
        "plain_half_time": derived("time to half the loss, clock of the plain loss",
                                   lambda cube, theory: half_time(cube, theory) * cube["lr"] / cube["width"]),
        "advantage": derived("test loss / kernel method",
                             lambda cube, theory: cube["test_loss"] / cube["kernel_test_loss"]),
    },
    claims=[
        law("units, tangent kernel", "At α = √N a unit moves by N^(-1/2) of its length.",
            "section 1; 1/α by the gradient of one unit", "unit_change", TANGENT, -0.5, 0.05),
        law("units, mean field", "At α = 1 a unit moves by a part that does not depend on N.", "mei2018",
            "unit_change", MEAN_FIELD, 0.0, 0.05),
        law("kernel, tangent kernel", "At α = √N the tangent kernel changes by 1/N.", SIGNS,
            "ntk_change", TANGENT, -1.0, 0.25),
        law("kernel, mean field", "At α = 1 the tangent kernel changes by order one.", "mei2018",
            "ntk_change", MEAN_FIELD, 0.0, 0.1),
        law("linear, tangent kernel", "At α = √N the net approaches its linearisation like 1/N.", SIGNS,
            "linear_gap", TANGENT, -1.0, 0.25),
        law("not linear, mean field", "At α = 1 the net stays away from its linearisation.", "section 1",
            "linear_gap", MEAN_FIELD, 0.0, 0.1),
        claim(
            "distance 1/α at fixed N", "From α = √N up, the distance to the linearised net falls like 1/α at fixed N.",
            "theorems 2.2 and 2.3",
            exponent("linear_gap", "alpha", {**PLAIN, "scale_exponent": (0.5, None)}, by="log mean", each=["width"])
            .within(-1.0, 0.2),
            shuffle="setting", only=["linear_gap"],
            fails=where("With units in pairs of opposite sign the first order cancels, and it falls like 1/α².",
                        symmetric=True),
        ),
        claim(
            "time 1/α² on the plain loss",
            "In the clock of the plain loss, half the loss is learnt in a time proportional to 1/α².",
            "section 1: the loss divided by α² has a limit",
            exponent("plain_half_time", "alpha", PLAIN, by="log mean", each=["width"]).within(-2.0, 0.1),
            shuffle="setting",
            fails=but("In the clock of the loss divided by α² the time is of order one at every α.", of="half_time"),
        ),
        claim(
            "mean field beats the kernel",
            "On a single-index target the net at α = 1 has a smaller test loss than its kernel method.",
            "mei2018; chizat2019, section 3",
            average("advantage", MEAN_FIELD, by="log mean") <= 0.8, shuffle="setting", only=["test_loss"],
            why="a fifth smaller is called better here",
            fails=where("Random features only: linear in the parameters, no dependence on α, its own kernel method.",
                        features_only=True),
        ),
    ],
    picture=[
        panel("unit_change", "width", at="median", log="xy", slope=[(-0.5, "N$^{-1/2}$")], line="", xlabel="width  N",
              ylabel="relative change", title="movement", legend="lower left",
              series={"units, α = √N": TANGENT, "units, α = 1": MEAN_FIELD},
              also=panel("ntk_change", "width", at="median", log="xy", marker="^", slope=[(-1, "1/N")], line="",
                         series={"kernel, α = √N": TANGENT, "kernel, α = 1": MEAN_FIELD})),
        panel("linear_gap", "alpha", where={**PLAIN, "symmetric": True}, at="median", log="xy", line="",
              slope=[(-2, "1/α²")], grey={"y": True}, labels={"linear_gap": "in pairs, all widths"},
              ylabel="rms distance to linearised network", title="distance to linear", legend="lower left",
              also=panel("linear_gap", "alpha", by="width", where=PLAIN, at="median", log="xy", slope=[(-1, "1/α")],
                         line="", labels=dict.fromkeys((128, 256, 512, 1024), ""))),
        panel("advantage", "scale_exponent", at="log mean", mark={"y": (1.0, "kernel method")}, ylim=(0, 1.4),
              series={"network": PLAIN, "random features": {**PLAIN, "features_only": True}},
              grey={"y": ["random features"]}, xlabel="exponent  p,  α = N$^p$", title="test loss",
              legend="lower right"),
    ],
    caption=(
        "Points: networks (median over seeds; right, geometric mean over widths) with 95 % intervals; dashed: "
        "predicted powers. Right: against the kernel method of the same initial net at its best stopping time. Grey: "
        "units in pairs of opposite sign, random features."
    ),
    about=(
        "Displacement, the mean-field laws, 1/α at fixed N, the clock and the advantage over the kernel hold. The "
        "two laws at α = √N have slopes of about -0.8 over N = 64 to 2,048, which is inside -1 ± 0.25 here and "
        "straddled its edge on the seeds of a pilot sweep: steeper than the proven bound N^(-1/2), but not yet "
        "the leading order 1/N, since at α = 8 the net is not lazy enough. The catalogue's 1/α for the distance "
        "is only that bound, and its short training in the tangent-kernel regime holds in the clock of the plain "
        "loss alone."
    ),
)  # fmt: skip
