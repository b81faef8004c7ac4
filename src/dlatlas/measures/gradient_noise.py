"""How single examples differ: eigenvalues of the gradients' covariance, and curvature along one direction. float64."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.func import grad, jvp

from dlatlas.measures.trained import Trained, double

GRADIENT_NUMBERS = 2**25  # numbers of per-example gradients held at once (256 MiB): runs beyond go in turns


def gradient_covariance_eigenvalues(trained: Trained, top: int) -> Tensor:
    """The largest eigenvalues of K = (1/n) sum_i (g_i - g)(g_i - g)^T, descending, ``(run, top)``.

    From the n x n Gram matrix of the centred gradients of single examples, which has the same ones but for zeros.

    Args:
        trained: a stack of networks whose loss is a mean over examples.
        top: how many, at most the number of examples.

    Source: Jastrzebski et al. 2020 (arXiv 2002.09572), section 2.
    """

    def eigenvalues(p: dict[str, Tensor], held: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        rows = torch.vmap(grad(_one(trained)), in_dims=(None, None, 0, 0))(p, held, x, y)
        g = torch.cat([row.flatten(1) for row in rows.values()], dim=1)
        g = g - g.mean(0)
        return torch.linalg.eigvalsh(g @ g.T / len(g)).flip(-1)[:top]

    return _over_runs(trained, eigenvalues)


def curvature_along(trained: Trained, direction: Tensor) -> Tensor:
    """v^T H_i v of the loss of every example i along one direction of each run, ``(run, n)``.

    Args:
        trained: a stack of networks.
        direction: v, ``(run, p)``, parameters in the order of their dict.

    Source: the h_i of Jastrzebski et al. 2020, appendix A; here as second derivatives along a line.
    """
    shapes = [tensor.shape[1:] for tensor in trained.parameters.values()]
    pieces = direction.double().split([shape.numel() for shape in shapes], dim=1)
    v = {name: piece.reshape(len(piece), *shape) for name, shape, piece in zip(trained.parameters, shapes, pieces)}

    def curvatures(p: dict[str, Tensor], held: dict[str, Tensor], x: Tensor, y: Tensor, v: dict[str, Tensor]) -> Tensor:
        losses = torch.vmap(_one(trained), in_dims=(None, None, 0, 0))

        def slope(t: Tensor) -> Tensor:
            along = {name: value + t * v[name] for name, value in p.items()}
            return jvp(lambda q: losses(q, held, x, y), (along,), (v,))[1]

        zero = x.new_zeros(())
        return jvp(slope, (zero,), (torch.ones_like(zero),))[1]

    return _over_runs(trained, curvatures, v)


def _one(trained: Trained):  # noqa: ANN202
    """The loss of one example as a function of parameters and buffers."""
    return lambda p, held, x, y: trained.loss_of_parameters(p, held, x[None], y[None])


def _over_runs(trained: Trained, function, *more: Mapping[str, Tensor]) -> Tensor:  # noqa: ANN001
    x, y = trained.data()
    p = {name: double(value) for name, value in trained.parameters.items()}
    held = {name: double(value) for name, value in trained.buffers.items()}
    axis = None if trained.shared_data else 0
    numbers = (len(x) if trained.shared_data else x.shape[1]) * sum(value[0].numel() for value in p.values())
    stacked = torch.vmap(
        function, in_dims=(0, 0, axis, axis, *[0] * len(more)), chunk_size=max(1, GRADIENT_NUMBERS // numbers)
    )
    return stacked(p, held, x, y, *more)
