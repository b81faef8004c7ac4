"""Multi-layer perceptron."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "erf": torch.erf, "linear": lambda x: x}


class MLP(nn.Module):
    """``depth`` hidden layers of ``width`` units, ``(n, inputs) -> (n, outputs)``.

    Weights are N(0, (scale gain)^2 / fan-in) with gain^2 = 2 for ReLU (He et al. 2015) and 1 otherwise; biases are
    N(0, bias_sd^2).
    Without biases a ReLU network is positively homogeneous in each layer.
    """

    def __init__(
        self,
        inputs: int = 64,
        width: int = 64,
        depth: int = 1,
        outputs: int = 10,
        activation: str = "relu",
        bias: bool = True,
        bias_sd: float = 0.0,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        sizes = [inputs, *[width] * depth, outputs]
        self.layers = nn.ModuleList(nn.Linear(a, b, bias=bias) for a, b in pairwise(sizes))
        self.phi = ACTIVATIONS[activation]
        gain = math.sqrt(2.0) if activation == "relu" else 1.0
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=scale * gain / math.sqrt(layer.in_features))
            if bias:
                nn.init.normal_(layer.bias, std=bias_sd) if bias_sd else nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits or regression outputs."""
        for layer in self.layers[:-1]:
            x = self.phi(layer(x))
        return self.layers[-1](x)
