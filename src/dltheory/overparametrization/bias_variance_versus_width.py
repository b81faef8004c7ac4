"""Bias and variance of trained networks against their width: the networks' half of the catalogue's row.

Its linear half stands in ``double_descent``. A seed is a whole nested design, training sets by starts, with test
examples of its own: were training sets drawn again in the bootstrap, a pair of equal ones would show no spread.

Corrections of the catalogue:
- "variance over inits and over data both decline": Neal et al. have the part over training sets "roughly constant", so
  the claim is that it does not grow.
- "parameters ~ n outputs" is 26.5 units here: 65 h + 10 (h + 1) = 200 * 10. That the peak is there is Belkin et al.'s,
  not Neal et al.'s; Yang et al. say only that there is one.
- below the threshold theory has total variance grow, not each of its parts: at two units starts already differ much.

Step size and steps were set on other seeds by the training loss alone: from 32 units on it ends at 1 % of a constant's.
"""

from typing import TYPE_CHECKING

import numpy as np

from dlatlas import Study, but, claim, count, derived, exchangeable, number, panel, variable, where
from dlatlas.judging.statistics import average, exponent, order
from dltheory.measures.error_on_directions import CLASSES, error_on_directions
from dltheory.theory.nested_variance import nested_variance, threshold_width

if TYPE_CHECKING:
    import xarray as xr

BEYOND, BELOW = (32, None), (None, 26)


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """The width at which a network has as many parameters as there are numbers to fit."""
    import xarray as xr

    return xr.Dataset({"threshold": threshold_width(int(cube["n_train"]), int(cube["inputs"]), CLASSES)})


def parts(cube: "xr.Dataset", step: int = -1) -> "tuple[xr.DataArray, ...]":
    """Squared bias, variance over training sets and variance over starts of every replicate, after training."""
    import xarray as xr

    errors, design = cube["error"].isel(step=step).astype(float), ["sample", "start", "direction"]
    return xr.apply_ufunc(nested_variance, errors, input_core_dims=[design], output_core_dims=[[], [], []])


def away(of: "xr.DataArray", theory: "xr.Dataset") -> "xr.DataArray":
    """Octaves between the threshold and the width where a replicate's part is largest."""
    return abs(np.log2(of.fillna(-np.inf).idxmax("width") / theory["threshold"]))


STUDY = Study(
    title="Bias falls with width, variance peaks and falls again",
    rows=["bias-variance-versus-width"],
    kind="train",
    papers=["neal2018", "yang2020", "belkin2019"],
    says=(
        "Neal et al. (2018) and Yang et al. (2020): of networks trained until they fit, bias falls with width while "
        "variance rises, then falls, so that the error has no U-curve. By the law of total variance it is variance "
        "over initialisations that falls; over training sets it levels off. Belkin et al. (2019) expect the turn "
        "where a network of K outputs has n K parameters for n examples."
    ),
    formula=(
        r"\mathbb E\,|f - y|^2 = |\mathbb E f - y|^2 + \mathrm{Var}_S\,\mathbb E[f \mid S] + "
        r"\mathbb E_S\,\mathrm{Var}[f \mid S], \qquad (d + 1 + K)\,h + K = n K"
    ),
    parameters={
        "inputs": count(64, "input dimension"),
        "width": count(64, "hidden units h"),
        "scale": number(0.41, "of initial weights, times He's; 0.41 is PyTorch's own", low=0.0),
        "n_train": count(200, "training examples n"),
        "tests": count(500, "test examples"),
        "label_noise": number(0.1, "share of the training labels drawn at random", low=0.0, high=1.0),
        "sample": count(0, "training set", low=0),
        "start": count(0, "initialisation, another one on each training set", low=0),
    },
    shape=["inputs", "width", "n_train", "tests"],
    measure=error_on_directions,
    cost=lambda run: 100.0 + run["width"],
    variables={
        "error": variable("outputs less targets on random directions of all test outputs",
                          "neal2018, section 4; directions: this study", direction=None),
    },
    theory=theory,
    observables={
        "risk": derived("squared error", lambda cube, theory: sum(parts(cube))),
        "bias": derived("squared bias", lambda cube, theory: parts(cube)[0]),
        "first_bias": derived("squared bias before training", lambda cube, theory: parts(cube, step=0)[0]),
        "variance": derived("total variance", lambda cube, theory: sum(parts(cube)[1:])),
        "over_sets": derived("variance over training sets", lambda cube, theory: parts(cube)[1]),
        "over_starts": derived("variance over initialisations", lambda cube, theory: parts(cube)[2]),
        "peak_away": derived("octaves between the width with n K parameters and that of the largest variance",
                             lambda cube, theory: away(sum(parts(cube)[1:]), theory)),
        "bias_away": derived("octaves between the width with n K parameters and that of the largest bias",
                             lambda cube, theory: away(parts(cube)[0], theory)),
    },
    claims=[
        claim(
            "bias falls", "Squared bias falls with width.", "yang2020, abstract and figure 1; neal2018, abstract",
            order("bias", "width") <= -0.9, rival=exchangeable("width"),
            fails=but("Before training the mean output is zero at every width.", of="first_bias"),
        ),
        claim(
            "variance peaks at the threshold",
            "Total variance is largest within a factor of two of the width with n K parameters.",
            "yang2020, abstract: unimodal; belkin2019: at n K parameters",
            average("peak_away") <= 1.0, rival=exchangeable("width"),
            fails=but("Bias is largest at the smallest width.", of="bias_away"),
        ),
        claim(
            "over training sets it levels off", "Beyond, variance over training sets does not grow with width.",
            "neal2018, abstract of version 2: roughly constant",
            exponent("over_sets", "width", where={"width": BEYOND}) <= 0.1, rival=exchangeable("width"),
            fails=where("Below, it grows with what can be fitted.", width=BELOW),
        ),
        claim(
            "over initialisations it falls", "Beyond, variance over initialisations falls with width.",
            "neal2018, abstract of version 1 and section 4",
            exponent("over_starts", "width", where={"width": BEYOND}) <= 0, rival=exchangeable("width"),
            fails=but("Total variance, below, grows.", of="variance", where={"width": BELOW}),
        ),
        claim(
            "no U-curve", "Beyond, the error falls with width.",
            "neal2018, abstract: test error keeps decreasing in wider networks",
            exponent("risk", "width", where={"width": BEYOND}) <= 0, rival=exchangeable("width"),
            fails=but("Total variance, below, grows.", of="variance", where={"width": BELOW}),
        ),
    ],
    picture=[
        panel(["risk", "bias", "variance", "first_bias"], "width", log="xy", joined=True, grey={"y": ["first_bias"]},
              mark={"x": ("threshold", "parameters = n K")}, title="error = bias² + variance", ylim=(0.007, 2.2),
              ylabel="squared error of an example", legend="lower left",
              labels={"risk": "error", "bias": "bias²", "first_bias": "bias² before training"}),
        panel(["variance", "over_sets", "over_starts"], "width", log="xy", joined=True, ylim=(0.007, 2.2), ylabel=" ",
              mark={"x": ("threshold", "parameters = n K")}, title="what the variance is over",
              legend="upper left", labels={"over_sets": "over training sets", "over_starts": "over initialisations"}),
    ],
    caption=(
        "Left: squared error of networks of one hidden layer on 200 digits, one label in ten drawn at random, and its "
        "parts; grey: before training. Right: variance over training sets, and over initialisations on one of them."
    ),
    about=(
        "Two of five are supported: beyond as many parameters as numbers to fit, the error falls as h^-0.20 and "
        "variance over initialisations as h^-0.52. That bias falls is refuted as stated: it falls fivefold up to 32 "
        "units, then stays (exponent 0.02, interval -0.04 to 0.09), at the bias of 200 noisy examples; on a plateau, "
        "and in the control, ranks are noise of 8 %. Variance is largest at 8 to 16 units, before the count of "
        "parameters: over initialisations, its larger part, at 8, where networks do not fit yet, over training sets "
        "at 16. The latter does not grow beyond (the whole interval is allowed, the control fails), but a flat curve "
        "is what shuffled widths give, too: the test could support it only if it fell."
    ),
)  # fmt: skip
