"""How far trained networks are from their limit of infinite width: fixed kernel, fixed weights, linear outputs."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dltheory.theory.tangent_kernel import limit_kernels

if TYPE_CHECKING:
    from torch import Tensor

    from dlatlas.measures.trained import Trained

LINKS = {"none": lambda f: f, "sigmoid": lambda f: (f + 1.3).sigmoid()}
"""What follows the output where its Hessian is taken; a sigmoid has no second derivative at 0."""


def from_wide_limit(trained: "Trained", stack: Any) -> dict[str, NDArray[np.float64]]:  # noqa: ANN401
    """Distances of a stack of `dlatlas.models.tangent_mlp` of one output from the limit of infinite width.

    Args:
        trained: on inputs that all runs share, by full-batch descent on ``half_mse`` at the step size ``lr``.
        stack: with ``depth``, ``activation``, ``bias`` and the last of the ``steps``.

    Returns:
        Relative distances of the kernel on training and test inputs from its limit (``kernel_gap``), from the output's
        covariance (``covariance_gap``) and from its start (``kernel_drift``), of the weights from theirs
        (``weight_change``); of test outputs, root mean squared, from descent with the start's kernel (``linear_gap``)
        and with the limit's (``limit_gap``), all ``(run,)``; ``hessian_norm`` of the output at the first input,
        ``(run, link)``. The outputs' are NaN at the start, the Hessian's after it.

    Source: Jacot, Gabriel & Hongler 2018, theorems 1 and 2; Lee et al. 2019, theorem 2.1; Liu, Zhu & Belkin 2020,
    theorem 3.1.
    """
    import torch

    from dlatlas.measures.kernels import empirical_ntk, kernel_distance
    from dltheory.measures.kernel_descent import kernel_descent_gap

    splits = (trained.data("train")[0], trained.data("test")[0])
    x = torch.cat([inputs if trained.shared_data else inputs[0] for inputs in splits])
    then = empirical_ntk(trained.model, trained.initial, trained.buffers, x)
    now = empirical_ntk(trained.model, trained.parameters, trained.buffers, x)
    power = trained.buffers["scale"].double().square()[:, None, None]  # 1, or 1/m in mean-field scaling
    covariance, limit = (
        torch.from_numpy(each).expand_as(now)
        for each in limit_kernels(x.numpy(), stack["depth"], stack["activation"], stack["bias"])
    )
    changed = [(trained.parameters[name] - value, value) for name, value in trained.initial.items()]
    moved, size = (sum(part.double().square().flatten(1).sum(1) for part in parts) for parts in zip(*changed))
    found = {
        "kernel_gap": kernel_distance(now / power, limit).numpy(),
        "covariance_gap": kernel_distance(now / power, covariance).numpy(),
        "kernel_drift": kernel_distance(now, then).numpy(),
        "weight_change": (moved / size).sqrt().numpy(),
        "linear_gap": np.full(len(stack), np.nan),
        "limit_gap": np.full(len(stack), np.nan),
        "hessian_norm": np.full((len(stack), len(LINKS)), np.nan),
    }
    if moved.any():
        found["linear_gap"] = kernel_descent_gap(trained, then.numpy(), int(stack["steps"]))
        found["limit_gap"] = kernel_descent_gap(trained, (power * limit).numpy(), int(stack["steps"]))
    else:
        found["hessian_norm"] = np.stack([_hessian_norm(trained, x[:1], link) for link in LINKS.values()], axis=1)
    return found


def _hessian_norm(trained: "Trained", x: "Tensor", link: Any) -> NDArray[np.float64]:  # noqa: ANN401
    """Largest absolute eigenvalue of the Hessian of link(f(x)) of every run, by Lanczos, ``(run,)``."""
    from torch.func import functional_call

    from dlatlas.measures.curvature import hessian_eigenvalues

    ends = hessian_eigenvalues(
        lambda p, held, x, _: link(functional_call(trained.model, (p, held), (x,)).sum()),
        trained.parameters, trained.buffers, x, x, keys=trained.keys, steps=16, bottom=1,
    )  # fmt: skip
    return ends.values.abs().amax(1).numpy()
