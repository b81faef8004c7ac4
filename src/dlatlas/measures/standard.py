"""The measures that make sense of almost any network: losses, errors, margins, norms, kernels, curvature."""

import torch
from torch import Tensor

from dlatlas.measures import curvature, kernels, norms
from dlatlas.measures import margins as margin
from dlatlas.measures.accuracy import classification_error
from dlatlas.measures.measure import family, measure
from dlatlas.measures.trained import Trained

LEVELS = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
QUANTILE = {"quantile": LEVELS}
NTK_EXAMPLES = 32
BARTLETT = "Bartlett, Foster & Telgarsky 2017, arXiv 1706.08498"

JIANG = "Jiang et al. 2020, arXiv 1912.02178, equation"


@measure("Frobenius norm of the weights", "1", f"{JIANG} 42 by layer", ("layer",))
def layer_norms(trained: Trained) -> Tensor:
    """|W_l|_F, ``(run, layer)``."""
    return norms.frobenius_norms(trained.weights())


@measure("spectral norm of the weights", "1", f"{BARTLETT}, section 1", ("layer",))
def spectral_norms(trained: Trained) -> Tensor:
    """|W_l|_2, ``(run, layer)``."""
    return norms.spectral_norms(trained.weights())


@measure("stable rank of the weights", "1", f"{JIANG} 33 by layer", ("layer",))
def stable_ranks(trained: Trained) -> Tensor:
    """|W_l|_F^2 / |W_l|_2^2, ``(run, layer)``."""
    return norms.stable_ranks(trained.weights())


@measure("product of spectral norms", "output/input", f"{BARTLETT}, equation 1.2, first factor")
def lipschitz_product(trained: Trained) -> Tensor:
    """The product of the layers' spectral norms, ``(run,)``."""
    return norms.lipschitz_product(trained.weights())


@measure("spectral complexity, reference 0", "output/input", f"{BARTLETT}, equation 1.2")
def spectral_complexity(trained: Trained) -> Tensor:
    """The spectral complexity with reference matrices of 0, ``(run,)``."""
    return norms.spectral_complexity(trained.weights())


@measure("norm of all parameters", "1", f"{JIANG} 100")
def weight_norm(trained: Trained) -> Tensor:
    """|w|, ``(run,)``."""
    return norms.total_norm(trained.parameters)


@measure("distance of the weights from initialisation", "1", f"{JIANG} 40 by layer", ("layer",))
def distance_from_init(trained: Trained) -> Tensor:
    """|W_l - W_l(0)|_F, ``(run, layer)``."""
    return norms.distances(trained.weights(), trained.initial_weights())


@measure("training loss", "loss", "the study's own loss")
def train_loss(trained: Trained) -> Tensor:
    """The loss on the training data, ``(run,)``."""
    return torch.vmap(trained.loss)(trained.outputs(), trained.stacked_targets())


@measure("test loss", "loss", "the study's own loss")
def test_loss(trained: Trained) -> Tensor:
    """The loss on the test data, ``(run,)``."""
    return torch.vmap(trained.loss)(trained.outputs("test"), trained.stacked_targets("test"))


@measure("training error", source="fraction misclassified")
def train_error(trained: Trained) -> Tensor:
    """The fraction of training examples classified wrongly, ``(run,)``."""
    return torch.vmap(classification_error)(trained.outputs(), trained.stacked_targets())


@measure("test error", source="fraction misclassified")
def test_error(trained: Trained) -> Tensor:
    """The fraction of test examples classified wrongly, ``(run,)``."""
    return torch.vmap(classification_error)(trained.outputs("test"), trained.stacked_targets("test"))


@measure("margin", "output", f"{BARTLETT}, section 1", ("example",), at="final")
def margins(trained: Trained) -> Tensor:
    """The signed margin of every training example, ``(run, example)``."""
    return margin.margins(trained.outputs(), trained.stacked_targets())


@measure("margin quantile", "output", f"{BARTLETT}, section 1", ("quantile",), coords=QUANTILE)
def margin_quantiles(trained: Trained) -> Tensor:
    """Quantiles of the training margins at ``LEVELS``, ``(run, quantile)``."""
    return margin.margin_quantiles(margin.margins(trained.outputs(), trained.stacked_targets()), LEVELS)


@measure(
    "margin quantile / (spectral complexity × data norm / n)",
    "1",
    f"{BARTLETT}, Figure 2",
    ("quantile",),
    coords=QUANTILE,
)
def normalised_margin_quantiles(trained: Trained) -> Tensor:
    """Quantiles of the spectrally normalised training margins at ``LEVELS``, ``(run, quantile)``."""
    x = trained.data()[0]
    size = torch.linalg.vector_norm(x.flatten() if trained.shared_data else x.flatten(1), dim=-1)
    complexity = norms.spectral_complexity(trained.weights())
    signed = margin.margins(trained.outputs(), trained.stacked_targets())
    return margin.margin_quantiles(margin.normalised_margins(signed, complexity, size), LEVELS)


@measure(
    "distance from initialisation / initial norm", "1", "Chizat, Oyallon & Bach 2019, arXiv 1812.07956", ("layer",)
)
def relative_distance_from_init(trained: Trained) -> Tensor:
    """|W_l - W_l(0)|_F / |W_l(0)|_F, ``(run, layer)``."""
    initial = trained.initial_weights()
    return norms.distances(trained.weights(), initial) / norms.frobenius_norms(initial)


@measure("path norm", "output/input", "Neyshabur et al. 2015, arXiv 1503.00036, p = 2")
def path_norm(trained: Trained) -> Tensor:
    """The path norm of a fully connected network with or without biases, ``(run,)``."""
    biases = [tensor for tensor in trained.parameters.values() if tensor.ndim == 2]
    return norms.path_norm(trained.weights(), biases or None)


@measure("relative change of the tangent kernel", "1", "Jacot, Gabriel & Hongler 2018, arXiv 1806.07572")
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


top_hessian_eigenvalue, top_hessian_residual = family(
    top_hessian,
    {
        "long_name": "top Hessian eigenvalue (algebraic)",
        "units": "loss/parameter²",
        "source": "Cohen et al. 2021, arXiv 2103.00065",
    },
    {
        "long_name": "residual |Hv - λv| of the top Hessian eigenvalue",
        "units": "loss/parameter²",
        "source": "Golub & Van Loan, 4th edition, section 8.1: an eigenvalue lies within it",
    },
)
