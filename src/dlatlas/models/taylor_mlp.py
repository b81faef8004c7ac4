"""A ReLU network of several outputs in the parametrisation of the tangent kernel, and its first-order expansion."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from dlatlas.identity.content import canonical
from dlatlas.identity.streams import torch_seed


class TaylorMLP(nn.Module):
    """h_0 = x, h_l+1 = sqrt(c / m_l) W_l relu(h_l), all weights N(0, 1), no biases, ``(n, inputs) -> (n, outputs)``.

    c is 1 at the first layer, then 2. With ``linearised`` the output is the first-order Taylor expansion in the weights
    about the initial ones, which are kept as buffers. Both start from the same weights: they are drawn from ``seed``
    and the sizes alone, not from the engine's own stream, whose name would contain ``linearised``.

    Source: Jacot, Gabriel & Hongler 2018 (arXiv 1806.07572), section 2, with the constants of He et al. 2015.
    """

    def __init__(
        self,
        inputs: int = 64,
        width: int = 64,
        depth: int = 2,
        outputs: int = 10,
        linearised: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        sizes = [inputs, *[width] * depth, outputs]
        name = canonical({"sizes": sizes, "seed": seed})
        generator = torch.Generator().manual_seed(torch_seed(name, "init"))
        start = [torch.randn(b, a, generator=generator, dtype=torch.float64) for a, b in pairwise(sizes)]
        self.weights = nn.ParameterList(start)
        self.scales = [math.sqrt((2 if layer else 1) / size) for layer, size in enumerate(sizes[:-1])]
        self.linearised = linearised
        if linearised:
            for layer, weight in enumerate(start):
                self.register_buffer(f"start{layer}", weight.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """The outputs, or their linearisation, of each row."""
        if self.linearised:
            return self._expanded(x)
        for layer, (weight, scale) in enumerate(zip(self.weights, self.scales)):
            x = scale * ((torch.relu(x) if layer else x) @ weight.mT)
        return x

    def _expanded(self, x: Tensor) -> Tensor:
        moved = torch.zeros_like(x)
        for layer, (weight, scale) in enumerate(zip(self.weights, self.scales)):
            if layer:
                moved = torch.where(x > 0, moved, 0.0)
                x = torch.relu(x)
            start = getattr(self, f"start{layer}")
            moved = scale * (moved @ start.mT + x @ (weight - start).mT)
            x = scale * (x @ start.mT)
        return x + moved
