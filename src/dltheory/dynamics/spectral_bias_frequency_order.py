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

from typing import TYPE_CHECKING, Any

import numpy as np

from dlatlas import Study, choice, claim, count, derived, exchangeable, flag, number, panel, variable, where
from dlatlas.judging.statistics import deviation, exponent
from dltheory.data.circle_waves import FREQUENCIES, amplitudes
from dltheory.measures.crossing import first_below
from dltheory.theory.arc_cosine import circle_rates

if TYPE_CHECKING:
    import xarray as xr

WIDE = {"width": (1000, None)}
PLAIN = {"harmonics": 1, "outer_only": False, "scale": 0.03, **WIDE}
OUTER, FOURIER, MOVING = {**PLAIN, "outer_only": True}, {**PLAIN, "harmonics": 16}, {**PLAIN, "scale": 1.0}


def measure(trained: Any, stack: Any) -> dict[str, Any]:  # noqa: ANN401
    """What is left of each wave: amplitude of the error at its frequency over the wave's own."""
    outputs, targets = trained.outputs()[..., 0].numpy(), trained.stacked_targets()[..., 0].numpy()
    scale = np.array([run["scale"] for run in stack.runs])[:, None]
    error = np.fft.rfft(outputs - targets, axis=1)[:, list(FREQUENCIES)]
    return {"left": 2 * np.abs(error) / outputs.shape[1] / amplitudes(str(stack["amplitude"])) / scale}


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """What is left of each wave, and when half of it is, by the infinitely wide network's kernel."""
    import xarray as xr

    rates = [
        circle_rates(int(cube["n_train"]), int(harmonics), FREQUENCIES, bool(outer))
        for harmonics, outer in zip(cube["harmonics"].values, cube["outer_only"].values)
    ]
    decay = np.log1p(-float(cube["lr"]) * xr.DataArray(rates, dims=("network", "frequency")))
    return xr.Dataset({"left": np.exp(decay * cube["step"]), "half": np.log(0.5) / decay}, cube.coords)


STUDY = Study(
    title="Networks learn low frequencies first",
    rows=["spectral-bias-frequency-order", "frequency-principle"],
    kind="train",
    papers=["rahaman2019", "basri2019", "xu2019b", "jacot2018", "cho2009"],
    says=(
        "Rahaman et al., Xu et al. and Basri et al. (2019): trained on a sum of waves, a network learns the slow ones "
        "first, even if the fast ones are larger. On the circle a wide two-layer ReLU network needs a time that grows "
        "as the square of the frequency, the inverse eigenvalue of its tangent kernel, and as its fourth power if only "
        "the output layer is trained. Fourier features of the input make the order vanish."
    ),
    formula=(
        r"\hat r_k(t) = \hat r_k(0)\, e^{-\lambda_k t}, \qquad \Theta(c) = \Sigma(c) + c\,\dot\Sigma(c), \qquad "
        r"\lambda_k \sim k^{-2}"
    ),
    parameters={
        "inputs": count(2, "input dimension: twice the harmonics"),
        "width": count(1024, "hidden units"),
        "outer_only": flag(False, "train the output layer only"),
        "n_train": count(64, "points on the circle", low=33),
        "scale": number(0.03, "of the target: a small one is fitted before features move", low=0.0),
        "amplitude": choice("rising", ("equal", "rising"), "amplitudes of the waves: equal, or in proportion to k"),
        "harmonics": count(1, "harmonics of the angle in the input; more than one are Fourier features"),
    },
    shape=["inputs", "width", "n_train", "harmonics", "amplitude"],
    measure=measure,
    cost=lambda run: 100.0 + run["width"],
    variables={
        "left": variable("error at a frequency over the wave's amplitude", "section 3", frequency=list(FREQUENCIES)),
    },
    theory=theory,
    observables={
        "half": derived("steps until half of a wave is left",
                        lambda cube, theory: first_below(cube["left"], 0.5, along="step")),
    },
    claims=[
        claim(
            "low frequencies first", "Frequencies are learnt in their order although amplitudes rise with frequency.",
            "section 3; xu2019b",
            exponent("half", "frequency", PLAIN) >= 1.0, rival=exchangeable("frequency"), why="at least in proportion",
            fails=where("With Fourier features up to 16 there is no such order.", harmonics=16),
        ),
        claim(
            "square of the frequency", "With both layers trained the time grows as k².",
            "basri2019, theorem 4; eigenvalues of the tangent kernel on the circle go as k⁻²",
            exponent("half", "frequency", {**PLAIN, "frequency": (4, None)}).within(2.0, 0.3),
            rival=exchangeable("frequency"),
            fails=where("With Fourier features it does not grow.", harmonics=16),
        ),
        claim(
            "kernel times",
            "The times themselves are those of the infinitely wide network's kernel, ln ½ / ln(1 - η λ_k).",
            "jacot2018; kernel gradient flow in the eigenbasis",
            deviation("half", where=PLAIN) <= 0.15, rival=exchangeable("frequency"),
            fails=where("A target of size 1 moves the features, and the times with them.", scale=1.0),
        ),
        claim(
            "output layer only", "So are those of the output layer alone, whose eigenvalues go as k⁻⁴.",
            "arc-cosine kernel of order 1 on the circle (cho2009); slope 4.006 for k of 20 on",
            deviation("half", where={**OUTER, "frequency": (None, 4)}) <= 0.15, rival=exchangeable("frequency"),
            fails=where("Those of both layers with a target of size 1 are not the kernel's.",
                        **MOVING, frequency=(4, None)),
        ),
    ],
    picture=[
        panel("left", "step", by="frequency", where={**PLAIN, "step": (1, None)}, log="x", ylim=(-0.03, 1.2),
              labels={k: f"k = {k}" for k in FREQUENCIES}, ylabel="error left at frequency k",
              title="both layers trained", legend="",
              draw=lambda axes, *_: axes.legend(loc="upper left", ncols=5, handlelength=0.8, columnspacing=0.7)),
        panel("half", "frequency", log="xy", legend="upper left", xlabel="frequency  k", title="lines: tangent kernel",
              series={"both layers": PLAIN, "both, target of size 1": MOVING, "output layer": OUTER,
                      "Fourier inputs": FOURIER}, grey={"y": ["Fourier inputs"]}),
    ],
    caption=(
        "Left: what is left of each wave along training. Right: steps until half of it is left. Points: measured; "
        "lines: by the tangent kernel of the infinitely wide network; grey: Fourier features of the angle as input."
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
