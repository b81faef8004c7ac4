"""A two-layer network whose output is multiplied by a power of its width."""

import math

import torch
from torch import Tensor, nn

from dlatlas.identity.content import canonical
from dlatlas.identity.streams import torch_seed


class ScaledTwoLayer(nn.Module):
    """``f(x) = (alpha / N) sum_i [a_i tanh(w_i . x) - a_i(0) tanh(w_i(0) . x)]``, ``(batch, inputs) -> (batch, 1)``.

    alpha = N ** scale_exponent: 0 is the mean-field scaling, 1/2 that of the tangent kernel. The output at
    initialisation is subtracted, so that f = 0 at step 0 however large alpha is. a_i(0) is N(0, 1), w_i(0) is
    N(0, I / inputs); with ``symmetric`` the second half of the units repeats the first with a of opposite sign. With
    ``features_only`` the w_i stay where they are: the model is then linear in its parameters.

    The weights are drawn from ``seed``, ``width`` and ``inputs`` alone, not from the engine's own stream, whose
    name would contain the scale: networks that differ in the scale alone start from the same weights.

    Source: Chizat, Oyallon & Bach 2019 (arXiv 1812.07956), sections 1 and 2; Mei, Montanari & Nguyen 2018.
    """

    def __init__(
        self,
        inputs: int = 10,
        width: int = 256,
        scale_exponent: float = 0.5,
        symmetric: bool = False,
        features_only: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        name = canonical({"inputs": inputs, "width": width, "seed": seed})
        generator = torch.Generator().manual_seed(torch_seed(name, "init"))
        w = torch.randn(width, inputs, generator=generator, dtype=torch.float64) / math.sqrt(inputs)
        a = torch.randn(width, generator=generator, dtype=torch.float64)
        if symmetric:
            half = width // 2
            w, a = torch.cat([w[:half], w[: width - half]]), torch.cat([a[:half], -a[: width - half]])
        self.w, self.a = nn.Parameter(w), nn.Parameter(a)
        self.register_buffer("w0", w.clone())
        self.register_buffer("a0", a.clone())
        self.register_buffer("scale", torch.tensor(width ** (scale_exponent - 1), dtype=torch.float64))
        self.register_buffer("moves", torch.tensor(0.0 if features_only else 1.0, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """The centred output of each row of x."""
        w = self.w0 + self.moves * (self.w - self.w0)
        output = torch.tanh(x @ w.T) @ self.a - torch.tanh(x @ self.w0.T) @ self.a0
        return self.scale * output.unsqueeze(-1)
