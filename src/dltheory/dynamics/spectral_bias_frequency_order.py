"""Networks learn low frequencies first, in times that grow as the inverse eigenvalues of their tangent kernel.

Corrections of the catalogue, by its audit:
- deeper ReLU networks have no steeper law: eigenvalues go as k^-2 at any depth; one hidden layer is trained here.
- biases are needed: without them odd frequencies from 3 on are not learnt at first order.
- the law is that of the tangent kernel, so it needs a target small enough to be fitted before features move: at size 1
  and 4096 units k = 8 takes four to eight times as long, k = 16 longer still.
- "k^4 (biases / outer only)": only the output layer alone gives k^4; biases alone give k^2.
- "exponent d + 1 early" belongs to high frequencies; with weights of order one it is seen throughout.
- plain Jacobi iteration is symmetric in k and N + 1 - k; not run.
"""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from dlatlas.declare.claim import Claim, Control
from dlatlas.declare.parameter import choice, count, flag, number
from dlatlas.declare.study import Study
from dlatlas.declare.variable import Variable
from dlatlas.judging.statistics import deviation, exponent
from dlatlas.judging.verdict import AtLeast, AtMost, Equals
from dltheory.data.circle_waves import FREQUENCIES, amplitudes
from dltheory.theory.arc_cosine import circle_rates

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def measure(trained: Any, stack: Any) -> dict[str, Any]:  # noqa: ANN401
    """What is left of each wave: amplitude of the error at its frequency over the wave's own."""
    outputs, targets = trained.outputs()[..., 0].numpy(), trained.stacked_targets()[..., 0].numpy()
    scale = np.array([run["scale"] for run in stack.runs])[:, None]
    error = np.fft.rfft(outputs - targets, axis=1)[:, list(FREQUENCIES)]
    return {"left": 2 * np.abs(error) / outputs.shape[1] / amplitudes(str(stack["amplitude"])) / scale}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """Steps after which half of each wave is left, by the infinitely wide network's kernel."""
    import xarray as xr

    fixed = json.loads(cube.attrs["fixed"])
    n, lr = int(fixed["n_train"]), float(fixed["lr"])
    found = [
        np.log(0.5) / np.log1p(-lr * circle_rates(n, int(harmonics), FREQUENCIES, bool(outer)))
        for harmonics, outer in zip(cube["harmonics"].values, cube["outer_only"].values)
    ]
    return xr.Dataset({"half": (("network", "frequency"), found)}, cube.coords)


def with_times(cube: "xr.Dataset") -> "xr.Dataset":
    """The cube and ``half``: the step at which half of a wave is left, log-interpolated; NaN if it never is."""
    left = np.moveaxis(cube["left"].values, cube["left"].get_axis_num("step"), -1)
    steps, below = cube["step"].values.astype(float), left < 0.5
    at = below.argmax(-1)
    after, before = (np.take_along_axis(left, np.maximum(i, 0)[..., None], -1)[..., 0] for i in (at, at - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.log(before / 0.5) / np.log(before / after)
    time = np.where(below.any(-1) & (at > 0), steps[at - 1] + share * (steps[at] - steps[at - 1]), np.nan)
    dims = [dim for dim in cube["left"].dims if dim != "step"]
    return cube.assign(half=(dims, time))


def half(cube: "xr.Dataset", theory: "xr.Dataset") -> "xr.DataArray":
    """The step at which half of each wave is left."""
    return with_times(cube)["half"]


def off_kernel(cube: "xr.Dataset", theory: "xr.Dataset", **settings: Any) -> float:  # noqa: ANN401
    """Mean relative deviation of those steps from the kernel's."""
    return deviation(with_times(cube), theory, of="half", **settings)


def figure(cube: "xr.Dataset", theory: "xr.Dataset", verdict: dict[str, Any]) -> "Figure":
    """Error by frequency along training, and time to half of each frequency."""
    from dlatlas.judging.statistics import select
    from dlatlas.plotting.style import CONTROL, PALETTE, legend, letters, new_figure, shades, versus

    figure, (left, right) = new_figure(2)
    wide = int(cube["width"].max())
    path = select(cube, {**PLAIN, "width": wide})["left"].mean("seed")
    for color, k in zip(shades(len(FREQUENCIES)), FREQUENCIES):
        left.plot(path["step"][1:], path.sel(frequency=k)[1:], "o-", color=color, markersize=3, linewidth=1.0,
                  label=f"k = {k}")  # fmt: skip
    timed = with_times(cube)
    shown = (
        (PALETTE[0], PLAIN, "both layers"),
        (PALETTE[2], MOVING, "both, target of size 1"),
        (PALETTE[1], OUTER, "output layer"),
        (CONTROL, FOURIER, "Fourier inputs"),
    )
    for color, name, text in shown:
        where = {**name, "width": wide}
        versus(right, timed, theory, "half", "frequency", where, color=color, label=text)
    left.set(xscale="log", xlabel="step", ylabel="error left at frequency k", ylim=(-0.03, 1.2))
    right.set(xscale="log", yscale="log", xlabel="frequency  k", ylabel="steps until half is left")
    right.set_xticks(FREQUENCIES, [str(k) for k in FREQUENCIES])
    right.minorticks_off()
    legend(left, loc="upper left", ncols=5, handlelength=0.8, columnspacing=0.9)
    legend(right, loc="upper left")
    letters((left, right), ("both layers trained", "lines: tangent kernel"))
    return figure


RAHAMAN, BASRI = "Rahaman et al. 2019", "Basri et al. 2019"
PLAIN = {"harmonics": 1, "outer_only": False, "scale": 0.03}
OUTER = {"harmonics": 1, "outer_only": True, "scale": 0.03}
FOURIER = {"harmonics": 16, "outer_only": False, "scale": 0.03}
MOVING = {"harmonics": 1, "outer_only": False, "scale": 1.0}
WIDE = {"width": (1000, None)}

STUDY = Study(
    title="Networks learn low frequencies first",
    rows=("spectral-bias-frequency-order", "frequency-principle"),
    kind="train",
    statement=(
        "Rahaman et al., Xu et al. and Basri et al. (2019): trained on a sum of waves, a network learns the slow ones "
        "first, even if the fast ones are larger. On the circle a wide two-layer ReLU network needs a time that grows "
        "as the square of the frequency, the inverse eigenvalue of its tangent kernel, and as its fourth power if only "
        "the output layer is trained. Fourier features of the input make the order vanish."
    ),
    formula=(
        r"\hat r_k(t) = \hat r_k(0)\, e^{-\lambda_k t}, \qquad \Theta(c) = \Sigma(c) + c\,\dot\Sigma(c), \qquad "
        r"\lambda_k \sim k^{-2}"
    ),
    papers=("rahaman2019", "basri2019", "xu2019b", "jacot2018", "cho2009"),
    parameters={
        "inputs": count(2, "input dimension: twice the harmonics"),
        "width": count(1024, "hidden units"),
        "outer_only": flag(False, "train the output layer only"),
        "n_train": count(64, "points on the circle", low=33),
        "scale": number(0.03, "of the target: a small one is fitted before features move", low=0.0),
        "amplitude": choice("rising", ("equal", "rising"), "amplitudes of the waves: equal, or in proportion to k"),
        "harmonics": count(1, "harmonics of the angle in the input; more than one are Fourier features"),
    },
    shape=("inputs", "width", "n_train", "harmonics", "amplitude"),
    measure=measure,
    variables={
        "left": Variable("error at a frequency over the wave's amplitude", "1", f"{RAHAMAN}, section 3",
                         {"frequency": list(FREQUENCIES)}),
    },
    cost=lambda run: 100.0 + run["width"],
    theory=theory,
    claims=(
        Claim(
            name="low frequencies first",
            statement="Frequencies are learnt in their order although amplitudes rise with frequency.",
            source=f"{RAHAMAN}, section 3; Xu et al. 2019",
            quantity="log-log slope of the steps to half against k, rising amplitudes [1]",
            statistic=exponent,
            holds={"of": half, "along": "frequency", "where": {**PLAIN, **WIDE}},
            expected=AtLeast(1.0),  # at least in proportion
            control=Control("With Fourier features up to 16 there is no such order.",
                            {"where": {**FOURIER, **WIDE}}),
            permute="frequency",
        ),
        Claim(
            name="square of the frequency",
            statement="With both layers trained the time grows as k².",
            source=f"{BASRI}, theorem 4; eigenvalues of the tangent kernel on the circle go as k⁻²",
            quantity="log-log slope of the steps to half against k, 4 to 16 [1]",
            statistic=exponent,
            holds={"of": half, "along": "frequency", "where": {**PLAIN, **WIDE, "frequency": (4, None)}},
            expected=Equals(2.0, 0.3),
            control=Control("With Fourier features it does not grow.",
                            {"where": {**FOURIER, **WIDE, "frequency": (4, None)}}),
            permute="frequency",
        ),
        Claim(
            name="kernel times",
            statement="The times themselves are those of the infinitely wide network's kernel, ln ½ / ln(1 - η λ_k).",
            source="Jacot et al. 2018; kernel gradient flow in the eigenbasis",
            quantity="mean relative deviation, both layers [1]",
            statistic=off_kernel,
            holds={"where": {**PLAIN, **WIDE}},
            expected=AtMost(0.15),
            control=Control("A target of size 1 moves the features, and the times with them.",
                            {"where": {**MOVING, **WIDE}}),
            permute="frequency",
        ),
        Claim(
            name="output layer only",
            statement="So are those of the output layer alone, whose eigenvalues go as k⁻⁴.",
            source="arc-cosine kernel of order 1 on the circle (Cho & Saul 2009); slope 4.006 for k of 20 on",
            quantity="mean relative deviation, k up to 4 [1]",
            statistic=off_kernel,
            holds={"where": {**OUTER, **WIDE, "frequency": (None, 4)}},
            expected=AtMost(0.15),
            control=Control("Those of both layers with a target of size 1 are not the kernel's.",
                            {"where": {**MOVING, **WIDE, "frequency": (4, None)}}),
            permute="frequency",
        ),
    ),
    figure=figure,
    caption=(
        "Left: what is left of each wave along training. Right: steps until half of it is left, measured (points) and "
        "by the tangent kernel of the infinitely wide network (lines); grey: Fourier features of the angle as input."
    ),
    about=(
        "With a small target all times are the kernel's: within 7 % with both layers, 1 % with the output layer "
        "alone. Undecided is that claim only because its control is: a target of size 1 moves the features, so "
        "that k = 8 takes several times as long and k = 16 is not half learnt in 2600 steps, but what is never "
        "learnt has no time and is left out of the mean. A first sweep had targets of size 1 throughout and "
        "refuted k² and the kernel's times; the linearised networks of the same width gave them, so the claims "
        "were restated for the kernel's regime, and the sweep repeated on new seeds."
    ),
)  # fmt: skip
