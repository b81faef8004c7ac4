"""Spectrally normalised margins separate true from random labels.

Bartlett, Foster & Telgarsky (2017) bound the excess risk of a network by |X| R_A / (gamma n) up to logarithms, with
the spectral complexity R_A = (prod s_i) (sum_i (|A_i^T|_{2,1} / s_i)^{2/3})^{3/2} (reference matrices 0) and gamma a
quantile of the margins. Their figures show: margins over R_A |X| / n lie closer to zero for random labels; two data
sets with random labels have nearly one curve; the Lipschitz constant prod s_i grows with the excess risk, and over
the margin it does not grow.

Corrections to the catalogue. It divided by R_A; for different data sets it must be R_A |X| / n, |X| the Frobenius
norm. The normalised margin is invariant under the scaling of a layer only if the network is positively homogeneous:
ReLU without biases, as here. A correlation above .8 and a small distance of two curves are observations of the
paper, not theorems, so their thresholds are conventions. Lipschitz over margin: the paper says that normalising
neutralises growth, so growth is tested, one-sided, not constancy. All runs rest at one training loss
(``cross_entropy_stopped``), n is equal. Of the row on the bound in training, growth with depth is not run.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlatlas.declare.claim import Claim, Control
from dlatlas.declare.parameter import choice, count, flag, number
from dlatlas.declare.study import Study
from dlatlas.declare.variable import Variable
from dlatlas.judging.verdict import AtLeast, AtMost
from dltheory.theory.kolmogorov_smirnov import kolmogorov_smirnov

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

TRUE, RANDOM, NOISE_INPUTS = ("digits", 0.0, False), ("digits", 1.0, False), ("digits", 1.0, True)
OTHER_RANDOM = ("mnist1d", 1.0, False)
FACTOR = 10.0
"""By this the middle layer of a network is scaled in the controls."""
LEVEL = 0.1
"""The quantile margin is the tenth percentile (Jiang et al. 2020)."""


def measure(trained: Any, stack: Any) -> dict[str, Any]:  # noqa: ANN401
    """|X| and the margin quantiles, raw and normalised, after scaling the middle layer by ``FACTOR``."""
    from dlatlas.measures.standard import LEVELS, margin_quantiles, normalised_margin_quantiles

    x, at = trained.data()[0].numpy(), LEVELS.index(LEVEL)
    size = np.sqrt(np.square(x).sum((-2, -1)))
    middle = {"layers.1.weight": FACTOR * trained.parameters["layers.1.weight"]}
    scaled = replace(trained, parameters=trained.parameters | middle)
    return {
        "data_norm": np.broadcast_to(size, len(stack)),
        "scaled_quantile": margin_quantiles(scaled).numpy()[:, at],
        "scaled_normalised_quantile": normalised_margin_quantiles(scaled).numpy()[:, at],
    }


def theory(cube: "xr.Dataset") -> "xr.Dataset":
    """The scale R_A |X| / n of the margins at the end, the only prediction that is a number for each run."""
    scale = cube["spectral_complexity"] * cube["data_norm"] / cube.sizes["example"]
    return scale.isel(step=-1).to_dataset(name="scale")


def place(cube: "xr.Dataset", condition: tuple[str, float, bool]) -> int:
    """Where a condition (data, label noise, input noise) lies on its axis."""
    columns = zip(*(cube[name].values for name in ("data", "label_noise", "input_noise")))
    return next(i for i, (data, q, noise) in enumerate(columns) if (data, float(q), bool(noise)) == condition)


def levels(cube: "xr.Dataset") -> list[int]:
    """The conditions with the digits themselves, by label noise."""
    found = [i for i, data in enumerate(cube["data"].values) if data == "digits" and not cube["input_noise"].values[i]]
    return sorted(found, key=lambda i: float(cube["label_noise"].values[i]))


def final(cube: "xr.Dataset", name: str) -> NDArray[np.float64]:
    """``(condition, seed, ...)`` of a variable at the end."""
    array = cube[name].isel(step=-1) if "step" in cube[name].dims else cube[name]
    return array.transpose("condition", "seed", ...).values


def sample(cube: "xr.Dataset", by: str) -> NDArray[np.float64]:
    """Margins ``(condition, seed, example)``: raw, over R_A |X| / n, or over the Lipschitz product and |X| / n."""
    margins = final(cube, "margins")
    if by == "raw":
        return margins
    scale = final(cube, "spectral_complexity" if by == "complexity" else "lipschitz_product") * final(cube, "data_norm")
    return margins * margins.shape[-1] / scale[..., None]


def distance(low: NDArray[np.float64], high: NDArray[np.float64], one_sided: bool = True) -> float:
    """Kolmogorov-Smirnov distance of two samples ``(seed, example)``, seed by seed, averaged."""
    return float(np.mean([kolmogorov_smirnov(a, b, one_sided) for a, b in zip(low, high)]))


def shift(cube: "xr.Dataset", by: str, factor: float = 1.0) -> float:
    """How far the margins of random labels lie below those of true ones: one-sided distance."""
    margins = sample(cube, by)
    return distance(factor * margins[place(cube, RANDOM)], margins[place(cube, TRUE)])


def relative_shift(cube: "xr.Dataset", by: str) -> float:
    """The shift under another scale over that of the normalised margins."""
    return float(np.divide(shift(cube, by), shift(cube, "complexity")))


def agreement(cube: "xr.Dataset", one: tuple[str, float, bool]) -> float:
    """Distance of a condition from the farther of two other random sets, over that of true from random labels."""
    margins = {key: sample(cube, "complexity")[place(cube, key)] for key in (TRUE, RANDOM, NOISE_INPUTS, OTHER_RANDOM)}
    far = max(distance(margins[one], margins[other], False) for other in (NOISE_INPUTS, OTHER_RANDOM))
    return float(np.divide(far, distance(margins[TRUE], margins[RANDOM], False)))


def over_training(cube: "xr.Dataset", name: str) -> NDArray[np.float64]:
    """``(label noise, seed, step)`` of a variable on the digits."""
    return cube[name].transpose("condition", "seed", "step", ...).values[levels(cube)]


def tracking(cube: "xr.Dataset", risk: str) -> float:
    """Correlation over training, to the rest, of the Lipschitz product with the excess risk; averaged over runs.

    With ``risk`` = test: with the test error instead, true labels only.
    """
    lipschitz, loss, error = (over_training(cube, name) for name in ("lipschitz_product", "train_loss", "test_error"))
    if risk == "excess":
        error = error - over_training(cube, "train_error")
    moving = np.roll(loss, 1, axis=-1) > loss.min() * (1 + 1e-6)
    moving[..., 0] = True  # the later ones repeat the network at rest
    x, y = (np.where(moving, value, np.nan) for value in (lipschitz, error))
    x, y = (value - np.nanmean(value, -1, keepdims=True) for value in (x, y))
    found = np.nansum(x * y, -1) / np.sqrt(np.nansum(x * x, -1) * np.nansum(y * y, -1))
    return float(np.mean(found if risk == "excess" else found[:1]))


def growth(cube: "xr.Dataset", normalised: bool) -> float:
    """Growth of ln(Lipschitz product / median margin) over that of ln(Lipschitz product), from 5 % training error on.

    Without normalisation it is 1.
    """
    lipschitz, error = (over_training(cube, name) for name in ("lipschitz_product", "train_error"))
    middle = list(cube["quantile"].values).index(0.5)
    margin = over_training(cube.transpose("quantile", ...), "margin_quantiles")[..., middle]
    first = (error <= 0.05).argmax(-1)[..., None]

    def grown(value: NDArray[np.float64]) -> float:
        return float(np.log(value[..., -1:] / np.take_along_axis(value, first, -1)).mean())

    return 1 - grown(margin) / grown(lipschitz) if normalised else 1.0


def ordering(cube: "xr.Dataset", scaled: bool = False) -> float:
    """Rank correlation over label noise of the quantile margin with the test error, averaged over seeds.

    The margins are normalised, or raw with the network of random labels ``scaled``.
    """
    at, error = levels(cube), final(cube, "test_error")
    which = list(cube["quantile"].values).index(LEVEL)
    margin = final(cube, "margin_quantiles" if scaled else "normalised_margin_quantiles")[at][..., which]
    if scaled:
        margin[-1] = final(cube, "scaled_quantile")[at[-1]]
    ranks = [value.argsort(0).argsort(0) - (len(at) - 1) / 2 for value in (margin, error[at])]
    return float((ranks[0] * ranks[1]).sum(0).mean() / np.square(ranks[0][:, 0]).sum())


def change(cube: "xr.Dataset", normalised: bool) -> float:
    """Largest relative change of a quantile margin when the middle layer is scaled."""
    which = list(cube["quantile"].values).index(LEVEL)
    word = "normalised_" if normalised else ""
    before = final(cube, f"{word}margin_quantiles")[..., which]
    return float(np.abs(final(cube, f"scaled_{word}quantile") / before - 1).max())


def figure(cube: "xr.Dataset", theory: "xr.Dataset", verdict: dict[str, Any]) -> "Figure":
    """Distributions of raw and normalised margins; Lipschitz product and excess risk over training."""
    from dlatlas.plotting.style import CONTROL, PALETTE, legend, letters, new_figure, shades

    figure, panels = new_figure(3)
    letters(panels, ("raw margins", "normalised margins", "over training"))
    colors = shades(4)
    drawn = [(at, colors[i], "-", f"labels {100 * cube['label_noise'].values[at]:.0f} % random")
             for i, at in enumerate(levels(cube))]  # fmt: skip
    drawn += [
        (place(cube, NOISE_INPUTS), PALETTE[1], "--", "random, noise inputs"),
        (place(cube, OTHER_RANDOM), PALETTE[3], "--", "random, MNIST-1D"),
    ]
    for panel, by in zip(panels, ("raw", "complexity")):
        margins = sample(cube, by) * (1.0 if by == "raw" else 1000.0)
        for at, color, dash, label in drawn:
            values = np.sort(margins[at], axis=None)
            share = np.arange(1, len(values) + 1) / len(values)
            panel.plot(values, share, dash, color=color, label=label if by == "raw" else None, linewidth=1.3)
        panel.set_xlim(0, np.quantile(margins[place(cube, TRUE)], 0.98))
        panel.set(ylabel="share of training examples" if by == "raw" else "")
    panels[0].set_xlabel("margin")
    panels[1].set_xlabel(r"$10^3\,\times$ margin $/\,(R_A |X|_F / n)$")
    excess = over_training(cube, "test_error") - over_training(cube, "train_error")
    lipschitz = over_training(cube, "lipschitz_product")
    for i, color in enumerate(colors):
        panels[2].plot(lipschitz[i].mean(0), excess[i].mean(0), "o-", color=color, markersize=3.5, linewidth=1.0)
    test = over_training(cube, "test_error")[0].mean(0)
    panels[2].plot(
        lipschitz[0].mean(0), test, "s-", color=CONTROL, markersize=3, linewidth=1.0, label="test error, 0 %"
    )
    panels[2].set(xlabel=r"Lipschitz product $s_1 s_2 s_3$", ylabel="excess risk", xlim=(14, 38))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    legend(panels[2])
    return figure


BARTLETT = "Bartlett, Foster & Telgarsky 2017"
PAPERS = ("bartlett2017", "zhang2017", "jiang2020")  # fmt: skip
SCALE = ("margins", "spectral_complexity", "lipschitz_product", "data_norm")


def of_cube(statistic: Callable[..., float], *arguments: Any) -> Callable[..., float]:  # noqa: ANN401
    """A statistic that needs no theory."""
    return lambda cube, theory: statistic(cube, *arguments)


STUDY = Study(
    title="Spectrally normalised margins tell true from random labels",
    rows=("spectral-margin-distribution", "spectral-margin-bound-training"),
    kind="train",
    statement=(
        "A network fits true and random labels alike. Bartlett, Foster & Telgarsky (2017) bound its excess risk by "
        "|X| R_A / (γ n), with the spectral complexity R_A of its weights and a quantile γ of its margins; they "
        "observe that margins divided by R_A |X| / n lie closer to zero the more random the labels are, are alike for "
        "two data sets with random labels, and that the product of spectral norms grows with the excess risk."
    ),
    formula=(
        r"R_A = \prod_i s_i \left( \sum_i \left( \frac{\|A_i^\top\|_{2,1}}{s_i} \right)^{2/3} \right)^{3/2}, "
        r"\quad \Pr[\mathrm{error}] \lesssim \hat{R}_\gamma + \frac{\|X\|_F R_A}{\gamma n}"
    ),
    papers=PAPERS,
    parameters={
        "inputs": count(64, "input dimension"),
        "width": count(128, "units of a hidden layer"),
        "depth": count(2, "hidden layers"),
        "bias": flag(False, "whether the network has biases"),
        "activation": choice("relu", ("relu", "linear"), "a positively homogeneous activation"),
        "n_train": count(200, "training examples"),
        "label_noise": number(0.0, "share of the training labels drawn at random", low=0.0, high=1.0),
        "input_noise": flag(False, "training inputs replaced by Gaussian noise of their moments"),
    },
    shape=("inputs", "width", "depth", "bias", "activation", "n_train"),
    measure=measure,
    variables={
        "data_norm": Variable("Frobenius norm of the training inputs", "input"),
        "scaled_quantile": Variable("margin, tenth percentile, middle layer scaled", "output"),
        "scaled_normalised_quantile": Variable("normalised margin, tenth percentile, middle layer scaled"),
    },
    theory=theory,
    claims=(
        Claim(
            name="random is nearer zero",
            statement="Normalised margins of random labels lie below those of true labels, at equal training loss.",
            source=f"{BARTLETT}, Figure 2",
            quantity="one-sided Kolmogorov-Smirnov distance, random below true [1]",
            statistic=of_cube(shift, "complexity"),
            expected=AtLeast(0.5),  # a convention: half of the mass apart
            control=Control(
                "Raw margins are at the mercy of scale: with one layer of the random network scaled by 10 they must "
                "not lie below.",
                of_cube(shift, "raw", FACTOR),
            ),
            permute="condition",
            shuffled=SCALE,
        ),
        Claim(
            name="raw margins tell less",
            statement="At equal training loss raw margins separate the two less than half as well.",
            source=f"{BARTLETT}, Figure 2; the catalogue: raw margins are not ordered",
            quantity="one-sided distance of raw margins over that of normalised ones [1]",
            statistic=of_cube(relative_shift, "raw"),
            expected=AtMost(0.5),
            control=Control(
                "Margins over the Lipschitz product alone, a normalisation too, must separate as well.",
                of_cube(relative_shift, "lipschitz"),
            ),
            permute="condition",
            shuffled=SCALE,
        ),
        Claim(
            name="random labels are alike",
            statement="Random labels give nearly one curve: digits, noise inputs, MNIST-1D.",
            source=f"{BARTLETT}, Figure 3",
            quantity="distance to the farther of two other random sets over that of true from random [1]",
            statistic=of_cube(agreement, RANDOM),
            expected=AtMost(0.5),
            control=Control("True labels must be as far from the other random sets.", of_cube(agreement, TRUE)),
            permute="condition",
            shuffled=SCALE,
        ),
        Claim(
            name="Lipschitz tracks excess risk",
            statement="Over training the Lipschitz product rises in proportion to test minus training error.",
            source=f"{BARTLETT}, Figure 1",
            quantity="correlation over checkpoints, mean over runs [1]",
            statistic=of_cube(tracking, "excess"),
            expected=AtLeast(0.8),  # the catalogue's figure, an observation
            control=Control(
                "It is not the test error that it tracks: with true labels that falls.", of_cube(tracking, "test")
            ),
            permute="step",
            shuffled=("lipschitz_product",),
        ),
        Claim(
            name="the margin takes up the growth",
            statement="Over the margin, the Lipschitz product no longer grows.",
            source=f"{BARTLETT}, Figure 1",
            quantity="growth of ln(Lipschitz/median margin) over that of ln Lipschitz, from 5 % training error [1]",
            statistic=of_cube(growth, True),
            expected=AtMost(0.25),
            control=Control("Without the margin all of the growth must be left.", of_cube(growth, False)),
            permute="step",
            shuffled=("margin_quantiles",),
        ),
        Claim(
            name="order of test errors",
            statement="The normalised quantile margin orders the test errors of four levels of label noise.",
            source=f"{BARTLETT}, theorem 1.1",
            quantity="rank correlation of quantile margin with test error, mean over seeds [1]",
            statistic=of_cube(ordering),
            expected=AtMost(-0.9),
            control=Control(
                "Raw, with one layer of the random network scaled by 10, the order must be lost.",
                of_cube(ordering, True),
            ),
            permute="condition",
            shuffled=("normalised_margin_quantiles",),
        ),
        Claim(
            name="invariance",
            statement="Scaling a layer leaves the normalised margins of a bias-free ReLU network unchanged.",
            source="positive homogeneity",
            quantity="largest relative change of the tenth percentile [1]",
            statistic=of_cube(change, True),
            expected=AtMost(1e-5),  # weights are float32
            control=Control("Raw margins must change, by the factor.", of_cube(change, False)),
            permute="seed",
            shuffled=("scaled_normalised_quantile",),
        ),
    ),
    figure=figure,
    caption=(
        "Left and middle: distribution functions of the training margins at equal training loss, pooled over seeds. "
        "Right: excess risk against the Lipschitz product over training, mean over seeds; grey: the control."
    ),
    about=(
        "True and random labels separate as in the paper, and the margin more than takes up the growth of the "
        "Lipschitz product, so the ratio falls rather than staying constant. Not confirmed at this scale: with "
        "random labels, digits and noise inputs give like curves (a third of the distance of true from random), "
        "but those of MNIST-1D, narrow and a third apart in scale, are nearly as far as true labels are; and the "
        "correlation with the excess risk is 0.76, because the product stands still while the first excess "
        "appears. The order of test errors is undecided: neighbouring noise levels are exchanged in some of the "
        "eight seeds."
    ),
)
