"""A product of square matrices, of which some entries are read."""

import torch
from torch import Tensor, nn


class DeepLinear(nn.Module):
    """``x * (W_N ... W_1)`` for masks ``x``, ``(batch, side, side) -> (batch, side * side)``.

    The start is balanced, W_{j+1}' W_{j+1} = W_j W_j', with all singular values of the product equal to ``scale``:
    W_j = scale^(1/N) Q_{j+1} Q_j' with random orthogonal Q; or, with ``start`` ``identical``, W_j = scale^(1/N) I.

    Source: Arora, Cohen, Hu & Luo 2019 (arXiv 1905.13655), section 3; Chou, Gieshoff, Maly & Rauhut 2024, identical
    start.
    """

    def __init__(self, side: int = 20, factors: int = 2, scale: float = 1e-3, start: str = "balanced") -> None:
        super().__init__()
        size = scale ** (1 / factors)
        if start == "identical":
            made = [size * torch.eye(side, dtype=torch.float64) for _ in range(factors)]
        else:
            bases = [torch.linalg.qr(torch.randn(side, side, dtype=torch.float64))[0] for _ in range(factors + 1)]
            made = [size * bases[j + 1] @ bases[j].T for j in range(factors)]
        self.factors = nn.ParameterList(nn.Parameter(matrix) for matrix in made)

    def forward(self, x: Tensor) -> Tensor:
        """The entries of the product where the mask is one, zero elsewhere."""
        first, *others = list(self.factors)  # a slice of a ParameterList would cut the gradient off
        product = first
        for factor in others:
            product = factor @ product
        return (x * product).flatten(1)
