"""A two-layer ReLU network in the scaling of the tangent kernel, with biases and without output at the start."""

import math

import torch
from torch import Tensor, nn


class TwoLayerTangent(nn.Module):
    """``f(x) = sqrt(2 / m) sum_i a_i relu(<w_i, (x, 1)> / sqrt 2)`` minus the same at the start, ``(batch, 1)``.

    All weights N(0, 1). With ``outer_only`` the w_i stay where they are.

    Source: Jacot, Gabriel & Hongler 2018, section 2, with the constants of He et al. 2015.
    """

    def __init__(self, inputs: int = 2, width: int = 1024, outer_only: bool = False) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(width, inputs + 1))
        self.a = nn.Parameter(torch.randn(width))
        self.register_buffer("w0", self.w.detach().clone())
        self.register_buffer("a0", self.a.detach().clone())
        self.register_buffer("moves", torch.tensor(0.0 if outer_only else 1.0))
        self.scale = math.sqrt(2 / width)

    def forward(self, x: Tensor) -> Tensor:
        """The centred output of each row."""
        lifted = torch.cat([x, torch.ones_like(x[:, :1])], dim=1) / math.sqrt(2)
        w = self.w0 + self.moves * (self.w - self.w0)
        output = torch.relu(lifted @ w.T) @ self.a - torch.relu(lifted @ self.w0.T) @ self.a0
        return self.scale * output.unsqueeze(-1)
