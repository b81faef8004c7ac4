"""A linear predictor that starts at a chosen distance from the origin."""

import torch
from torch import Tensor, nn


class LinearPredictor(nn.Module):
    """f(x) = w.x without intercept, ``(n, inputs) -> (n, 1)``.

    The start w(0) has norm ``start`` and a uniformly random direction among the first ``dimension`` coordinates. The
    parameter ``clock`` is for rules that keep a time (``optimizers.unit_speed_flow``); the output ignores it.
    """

    def __init__(self, inputs: int = 20, dimension: int = 20, start: float = 0.0) -> None:
        super().__init__()
        direction = torch.randn(inputs, dtype=torch.float64)
        direction[dimension:] = 0.0
        self.weight = nn.Parameter((start * direction / direction.norm())[None])
        self.clock = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Scores, one an example."""
        return x @ self.weight.mT
