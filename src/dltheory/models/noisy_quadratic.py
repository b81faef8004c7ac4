"""A stochastic objective whose gradient noise is known: a quadratic tilted by the data."""

import torch
from torch import Tensor, nn


class NoisyQuadratic(nn.Module):
    """f(w; x) = h |w|^2 / 2 + sigma x.w, inputs ``(n, d)`` -> ``(n,)``, of which the value is that without the tilt.

    The gradient on x ~ N(0, I) is h w + sigma x; the value is the mean objective h |w|^2 / 2 itself, so that a loss
    trace shows where the weights are and no sampling noise. Use with the loss ``objective``. The start is the ramp
    w_i = start i / d, i = 1, ..., d, so that coordinates begin at signal-to-noise ratios from small to large.

    Args:
        d: dimension of w.
        curvature: h.
        noise: sigma, the standard deviation of each coordinate of one example's gradient.
        start: the largest coordinate at the start.
    """

    def __init__(self, d: int = 20, curvature: float = 1.0, noise: float = 1.0, start: float = 1.0) -> None:
        super().__init__()
        self.w = nn.Parameter(start * torch.arange(1, d + 1) / d)
        self.register_buffer("curvature", torch.tensor(float(curvature)))
        self.register_buffer("noise", torch.tensor(float(noise)))

    def forward(self, x: Tensor) -> Tensor:
        """The objective on each example."""
        tilt = self.noise * (x @ self.w)
        return self.curvature / 2 * self.w.square().sum() + (tilt - tilt.detach())
