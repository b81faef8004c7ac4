"""Every measure a study can ask for by name. ``names.NAMES`` lists them without importing torch."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from dlatlas.errors import unknown
from dlatlas.measures import curvature, jiang, kernels, losses, norms
from dlatlas.measures import margins as margin
from dlatlas.measures.trained import At, Measure, Trained

LEVELS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
NTK_EXAMPLES = 32
BARTLETT = "Bartlett, Foster & Telgarsky 2017, arXiv 1706.08498"


def measures_named(names: Iterable[str], where: str = "measures") -> dict[str, Measure]:
    """The measures of those names, in that order.

    Raises:
        InputError: if one does not exist; it says ``where`` it was asked for, and the nearest that does.
    """
    chosen = {}
    for name in names:
        if name not in MEASURES:
            raise unknown(where, "measure", name, MEASURES)
        chosen[name] = MEASURES[name]
    return chosen


def train_loss(trained: Trained) -> Tensor:
    """The loss on the training data, ``(run,)``."""
    return torch.vmap(trained.loss)(trained.outputs(), trained.stacked_targets())


def test_loss(trained: Trained) -> Tensor:
    """The loss on the test data, ``(run,)``."""
    return torch.vmap(trained.loss)(trained.outputs("test"), trained.stacked_targets("test"))


def train_error(trained: Trained) -> Tensor:
    """The fraction of training examples classified wrongly, ``(run,)``."""
    return torch.vmap(losses.classification_error)(trained.outputs(), trained.stacked_targets())


def test_error(trained: Trained) -> Tensor:
    """The fraction of test examples classified wrongly, ``(run,)``."""
    return torch.vmap(losses.classification_error)(trained.outputs("test"), trained.stacked_targets("test"))


def training_margins(trained: Trained) -> Tensor:
    """The signed margin of every training example, ``(run, example)``."""
    return margin.margins(trained.outputs(), trained.stacked_targets())


def margin_quantiles(trained: Trained) -> Tensor:
    """Quantiles of the training margins at ``LEVELS``, ``(run, quantile)``."""
    return margin.margin_quantiles(training_margins(trained), LEVELS)


def normalised_margin_quantiles(trained: Trained) -> Tensor:
    """Quantiles of the spectrally normalised training margins at ``LEVELS``, ``(run, quantile)``."""
    x = trained.data()[0]
    size = torch.linalg.vector_norm(x.flatten() if trained.shared_data else x.flatten(1), dim=-1)
    complexity = norms.spectral_complexity(trained.weights())
    return margin.margin_quantiles(margin.normalised_margins(training_margins(trained), complexity, size), LEVELS)


def relative_distance_from_init(trained: Trained) -> Tensor:
    """|W_l - W_l(0)|_F / |W_l(0)|_F, ``(run, layer)``."""
    initial = trained.initial_weights()
    return norms.distances(trained.weights(), initial) / norms.frobenius_norms(initial)


def path_norm(trained: Trained) -> Tensor:
    """The path norm of a fully connected network with or without biases, ``(run,)``."""
    biases = [tensor for tensor in trained.parameters.values() if tensor.ndim == 2]
    return norms.path_norm(trained.weights(), biases or None)


def ntk_change(trained: Trained) -> Tensor:
    """How far the tangent kernel on the first ``NTK_EXAMPLES`` training inputs has moved, ``(run,)``.

    The kernel at step 0 is taken with the buffers of now.
    """
    x = trained.data()[0]
    x = x[:NTK_EXAMPLES] if trained.shared_data else x[:, :NTK_EXAMPLES]
    now, then = (
        kernels.empirical_ntk(trained.model, p, trained.buffers, x, shared_data=trained.shared_data)
        for p in (trained.parameters, trained.initial)
    )
    return kernels.kernel_distance(now, then)


def top_hessian(trained: Trained) -> dict[str, Tensor]:
    """The top eigenvalue of the training loss's Hessian and its residual, ``(run,)`` each."""
    value, residual = curvature.top_hessian_eigenvalue(
        trained.loss_of_parameters,
        trained.parameters,
        trained.buffers,
        *trained.data(),
        keys=trained.keys,
        shared_data=trained.shared_data,
    )
    return {"top_hessian_eigenvalue": value, "top_hessian_residual": residual}


QUANTILE = {"quantile": LEVELS}

JIANG: tuple[tuple[Callable[[Trained], dict[str, Tensor]], Mapping[int, jiang.Complexity], str, At], ...] = (
    (jiang.of_norms, jiang.NORMS, "", "checkpoints"),
    (jiang.of_operators, jiang.OPERATORS, ", norms of operators", "checkpoints"),
    (jiang.of_flatness, jiang.FLATNESS, "", "final"),
    (jiang.of_magnitude, jiang.MAGNITUDE, "", "final"),
)
"""By what computes them; noise takes hundreds of passes, so it is tried on the last parameters only."""

MEASURES: dict[str, Measure] = {
    "train_loss": Measure(train_loss, (), "loss", "training loss", "the study's own loss"),
    "test_loss": Measure(test_loss, (), "loss", "test loss", "the study's own loss"),
    "train_error": Measure(train_error, (), "1", "training error", "fraction misclassified"),
    "test_error": Measure(test_error, (), "1", "test error", "fraction misclassified"),
    "margins": Measure(training_margins, ("example",), "output", "margin", f"{BARTLETT}, section 1", "final"),
    "margin_quantiles": Measure(
        margin_quantiles, ("quantile",), "output", "margin quantile", f"{BARTLETT}, section 1", coords=QUANTILE
    ),
    "normalised_margin_quantiles": Measure(
        normalised_margin_quantiles,
        ("quantile",),
        "1",
        "margin quantile / (spectral complexity × data norm / n)",
        f"{BARTLETT}, Figure 2",
        coords=QUANTILE,
    ),
    "layer_norms": Measure(
        lambda trained: norms.frobenius_norms(trained.weights()),
        ("layer",),
        "1",
        "Frobenius norm of the weights",
        "Jiang et al. 2020, arXiv 1912.02178, equation 42 by layer",
    ),
    "spectral_norms": Measure(
        lambda trained: norms.spectral_norms(trained.weights()),
        ("layer",),
        "1",
        "spectral norm of the weights",
        f"{BARTLETT}, section 1",
    ),
    "stable_ranks": Measure(
        lambda trained: norms.stable_ranks(trained.weights()),
        ("layer",),
        "1",
        "stable rank of the weights",
        "Jiang et al. 2020, arXiv 1912.02178, equation 33 by layer",
    ),
    "lipschitz_product": Measure(
        lambda trained: norms.lipschitz_product(trained.weights()),
        (),
        "output/input",
        "product of spectral norms",
        f"{BARTLETT}, equation 1.2, first factor",
    ),
    "spectral_complexity": Measure(
        lambda trained: norms.spectral_complexity(trained.weights()),
        (),
        "output/input",
        "spectral complexity, reference 0",
        f"{BARTLETT}, equation 1.2",
    ),
    "path_norm": Measure(path_norm, (), "output/input", "path norm", "Neyshabur et al. 2015, arXiv 1503.00036, p = 2"),
    "weight_norm": Measure(
        lambda trained: norms.total_norm(trained.parameters),
        (),
        "1",
        "norm of all parameters",
        "Jiang et al. 2020, arXiv 1912.02178, equation 100",
    ),
    "distance_from_init": Measure(
        lambda trained: norms.distances(trained.weights(), trained.initial_weights()),
        ("layer",),
        "1",
        "distance of the weights from initialisation",
        "Jiang et al. 2020, arXiv 1912.02178, equation 40 by layer",
    ),
    "relative_distance_from_init": Measure(
        relative_distance_from_init,
        ("layer",),
        "1",
        "distance from initialisation / initial norm",
        "Chizat, Oyallon & Bach 2019, arXiv 1812.07956",
    ),
    "ntk_change": Measure(
        ntk_change,
        (),
        "1",
        "relative change of the tangent kernel",
        "Jacot, Gabriel & Hongler 2018, arXiv 1806.07572",
    ),
    "top_hessian_eigenvalue": Measure(
        top_hessian,
        (),
        "loss/parameter²",
        "top Hessian eigenvalue (algebraic)",
        "Cohen et al. 2021, arXiv 2103.00065",
    ),
    "top_hessian_residual": Measure(
        top_hessian,
        (),
        "loss/parameter²",
        "residual |Hv - λv| of the top Hessian eigenvalue",
        "Golub & Van Loan, 4th edition, section 8.1: an eigenvalue lies within it",
    ),
    **{
        f"jiang_{number}": Measure(
            function,
            (),
            "1",
            f"complexity of equation {number}: {'log of ' if each.log else ''}√({each.meaning}{extra} / m)",
            jiang.SOURCE.format(number),
            at,
            undefined="a tenth of the training examples wrong" if each.margin else "",
        )
        for function, equations, extra, at in JIANG
        for number, each in equations.items()
    },
}
