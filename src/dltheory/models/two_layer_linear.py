"""A two-layer linear network, and its linearisation at initialisation."""

import math

import torch
from torch import Tensor, nn

from dlatlas.identity.content import canonical
from dlatlas.identity.streams import torch_seed


class TwoLayerLinear(nn.Module):
    """``f(x) = n^(-1/2) v . U x`` with entries of U and v from N(0, 1), ``(batch, inputs) -> (batch, 1)``.

    With ``linearised`` the output is the first-order Taylor expansion of f in (U, v) about the initial weights, which
    are kept as buffers. Both start from the same weights: they are drawn from ``seed``, ``width`` and ``inputs``
    alone, not from the engine's own stream, whose name would contain ``linearised``.

    Source: Lewkowycz et al. 2020 (arXiv 2003.02218), the warm-up model.
    """

    def __init__(self, inputs: int = 1, width: int = 512, linearised: bool = False, seed: int = 0) -> None:
        super().__init__()
        name = canonical({"inputs": inputs, "width": width, "seed": seed})
        generator = torch.Generator().manual_seed(torch_seed(name, "init"))
        self.u = nn.Parameter(torch.randn(width, inputs, generator=generator, dtype=torch.float64))
        self.v = nn.Parameter(torch.randn(width, generator=generator, dtype=torch.float64))
        self.scale = 1 / math.sqrt(width)
        self.linearised = linearised
        if linearised:
            self.register_buffer("u0", self.u.detach().clone())
            self.register_buffer("v0", self.v.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """The output, or its linearisation, of each row of x."""
        hidden = x @ self.u.T
        if not self.linearised:  # noqa: SIM108  two formulas, one a line
            output = hidden @ self.v
        else:
            output = hidden @ self.v0 + (x @ self.u0.T) @ (self.v - self.v0)
        return self.scale * output.unsqueeze(-1)
