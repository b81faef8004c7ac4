"""Many workers, one step: majority vote of signs, mean or median, with adversaries among the workers."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from dlatlas.optimizers.rule import State, Tensors, UpdateRule

AGGREGATORS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda sent: sent.mean(0),
    "vote": lambda sent: sent.sign().sum(0).sign(),
    "median": lambda sent: sent.median(0).values,
}
"""What the server makes of the workers' gradients ``(worker, ...)``. An even vote stays where it is; the median of an
even number is the lower one."""

ATTACKS = ("negate", "random_sign", "scale")


def sent(gradients: Tensor, adversaries: Tensor, attack: str, draws: Tensor, scale: Tensor | float) -> Tensor:
    """What the server receives.

    Args:
        gradients: of each worker, ``(worker, ...)``.
        adversaries: how many of the first workers are adversaries; a number between is rounded up.
        attack: ``negate`` sends -g, ``random_sign`` each coordinate with a sign of its own tossed anew, ``scale`` sends
            -scale M g with M the number of workers, which a mean of M cannot outvote.
        draws: uniform numbers in the shape of ``gradients``, for ``random_sign`` only.
        scale: factor of ``scale``.

    Returns:
        ``(worker, ...)``.
    """
    workers = len(gradients)
    false = {
        "negate": lambda: -gradients,
        "random_sign": lambda: gradients.abs() * torch.where(draws < 0.5, -1.0, 1.0),
        "scale": lambda: -scale * workers * gradients,
    }[attack]()
    place = torch.arange(workers, device=gradients.device).reshape(-1, *[1] * (gradients.ndim - 1))
    return torch.where(place < adversaries, false, gradients)


def update(gradients: Tensors, state: State, parameters: Tensors, hyper: Mapping[str, Any]) -> tuple[Tensors, State]:
    """W <- w - lr A(g_1, ..., g_M): Bernstein et al., ICLR 2019, algorithm 1, where A is the vote.

    ``hyper`` holds the words ``aggregator`` and ``attack`` and the numbers ``adversaries`` and ``scale``.
    """
    stepped, begun = {}, 0
    for name, g in gradients.items():
        size = parameters[name].numel() if hyper["attack"] == "random_sign" else 0
        draws = hyper["draws"][:, begun : begun + size].reshape(g.shape) if size else g
        begun += size
        received = sent(g, hyper["adversaries"], hyper["attack"], draws, hyper["scale"])
        stepped[name] = parameters[name] - hyper["lr"] * AGGREGATORS[hyper["aggregator"]](received)
    return stepped, state


def _draws(words: Mapping[str, Any], size: int) -> tuple[int, ...]:
    return (int(words["workers"]), size if words["attack"] == "random_sign" else 0)


MAJORITY_VOTE = UpdateRule(init=lambda parameters: {}, update=update, draws=_draws, per_worker=True)
