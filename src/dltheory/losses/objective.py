"""The loss of a model whose forward pass is the objective itself."""

from torch import Tensor


def objective(output: Tensor, target: Tensor) -> Tensor:
    """Mean of the output over examples; the target is not used."""
    return output.mean()
