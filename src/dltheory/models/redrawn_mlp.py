"""A multi-layer perceptron whose initial weights are drawn anew for each start on each training set."""

from torch import Tensor, nn

from dlatlas.models.mlp import MLP


class RedrawnMLP(nn.Module):
    """One hidden ReLU layer, ``(n, inputs) -> (n, outputs)``, as `MLP` draws and computes it.

    The init stream of a run is named by the arguments of its model, so ``sample`` and ``start``, which change nothing
    else, give every start on every training set weights of its own: a nested design. Data sets know nothing of
    ``start``.
    """

    def __init__(
        self, inputs: int = 64, width: int = 64, outputs: int = 10, scale: float = 1.0, sample: int = 0, start: int = 0
    ) -> None:
        super().__init__()
        self.net = MLP(inputs, width, outputs=outputs, scale=scale)

    def forward(self, x: Tensor) -> Tensor:
        """Logits or regression outputs."""
        return self.net(x)
