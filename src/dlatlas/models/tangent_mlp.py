"""A fully connected network in the parametrisation in which its tangent kernel has a limit."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from dlatlas.models.mlp import ACTIVATIONS

GAINS = {"relu": 2.0, "erf": 1.0}


class TangentMLP(nn.Module):
    """h_0 = x, h_l+1 = sqrt(c / m_l) W_l phi(h_l) + beta b_l, all weights N(0, 1), ``(n, inputs) -> (n, 1)``.

    c is 1 at the first layer, then 2 for ReLU and 1 for erf. With ``mean_field`` the output is divided by sqrt(width)
    once more.

    Source: Jacot, Gabriel & Hongler 2018 (arXiv 1806.07572), section 2; for mean field Mei, Montanari & Nguyen 2018.
    """

    def __init__(
        self,
        inputs: int = 2,
        width: int = 256,
        depth: int = 1,
        activation: str = "relu",
        bias: float = 0.5,
        mean_field: bool = False,
    ) -> None:
        super().__init__()
        sizes = [inputs, *[width] * depth, 1]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        for layer in self.layers:
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
        self.phi, self.gain, self.bias = ACTIVATIONS[activation], GAINS[activation], bias
        self.register_buffer("scale", torch.tensor(width**-0.5 if mean_field else 1.0, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """The output of each row."""
        for number, layer in enumerate(self.layers):
            gain = self.gain if number else 1.0
            x = self.phi(x) if number else x
            x = math.sqrt(gain / layer.in_features) * (x @ layer.weight.mT) + self.bias * layer.bias
        return self.scale.to(x.dtype) * x
