"""What a measure sees of a trained stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from dlatlas.errors import InputError
from dlatlas.losses.loss import Loss

ACTIVATION_NUMBERS = 2**25  # numbers of a layer's activations held at once (256 MiB): runs beyond go in turns


@dataclass(frozen=True)
class Trained:
    """A stack of trained networks at one checkpoint, with the data they saw.

    Attributes:
        model: the network, on which ``torch.func.functional_call`` works; its own numbers are not used.
        parameters: ``(run, ...)`` each, in the model's order.
        initial: the same at step 0.
        buffers: ``(run, ...)`` each, may be empty.
        x: training inputs, ``(n, ...)`` if ``shared_data``, else ``(run, n, ...)``; targets and test data likewise.
            None where the data are drawn afresh at every step.
        y: training targets, or None.
        x_test: test inputs, or None.
        y_test: test targets, or None.
        loss: ``(output, target) -> scalar`` of one network.
        hyper: the runs' numeric hyper-parameters, ``(run,)`` each.
        keys: one a run; its random numbers come from ``dlatlas.identity.streams.stream(key, "measure")``.
        shared_data: whether all runs see the same data, kept once.
    """

    model: nn.Module
    parameters: dict[str, Tensor]
    initial: dict[str, Tensor]
    buffers: dict[str, Tensor]
    x: Tensor | None
    y: Tensor | None
    x_test: Tensor | None
    y_test: Tensor | None
    loss: Loss
    hyper: dict[str, Tensor]
    keys: list[str]
    shared_data: bool = True

    def data(self, split: Literal["train", "test"] = "train") -> tuple[Tensor, Tensor]:
        """Inputs and targets of a split, floats as float64.

        Raises:
            InputError: if that split is not there: no test set, or training data drawn afresh at every step.
        """
        x, y = (self.x, self.y) if split == "train" else (self.x_test, self.y_test)
        if x is None or y is None or not x.numel():
            raise InputError(f"measure: this study keeps no {split} data; allowed: measures that need none of it")
        return double(x), double(y)

    def outputs(self, split: Literal["train", "test"] = "train") -> Tensor:
        """The networks' outputs on a split, ``(run, n, ...)`` float64.

        Raises:
            InputError: as in ``data``.
        """
        x = self.data(split)[0]
        features = x[0] if self.shared_data else x[0, 0]
        widest = max([features.numel(), *(weight.shape[1] for weight in self.weights())])
        examples = len(x) if self.shared_data else x.shape[1]

        def forward(p: dict[str, Tensor], held: dict[str, Tensor], x: Tensor) -> Tensor:
            return functional_call(self.model, (p, held), (x,))

        stacked = torch.vmap(
            forward,
            in_dims=(0, 0, None if self.shared_data else 0),
            chunk_size=max(1, ACTIVATION_NUMBERS // (examples * widest)),
        )
        with torch.no_grad():
            return stacked(
                {name: double(tensor) for name, tensor in self.parameters.items()},
                {name: double(tensor) for name, tensor in self.buffers.items()},
                x,
            )

    def stacked_targets(self, split: Literal["train", "test"] = "train") -> Tensor:
        """The targets of a split with a leading run axis, ``(run, n, ...)``, expanded if shared."""
        y = self.data(split)[1]
        return y.expand(len(self.keys), *y.shape) if self.shared_data else y

    def weights(self) -> list[Tensor]:
        """The weights ``(run, out, in, ...)`` in order: all parameters of two or more dimensions of one network."""
        return weights_of(self.parameters)

    def initial_weights(self) -> list[Tensor]:
        """The weights at step 0, as in ``weights``."""
        return weights_of(self.initial)

    def loss_of_parameters(self, p: dict[str, Tensor], held: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        """One network's loss as a function of its parameters, for ``curvature``."""
        return self.loss(functional_call(self.model, (p, held), (x,)), y)


def weights_of(parameters: Mapping[str, Tensor]) -> list[Tensor]:
    """The stacked parameters that are a matrix or more in one network, ``(run, out, in, ...)`` each, in order."""
    return [tensor for tensor in parameters.values() if tensor.ndim >= 3]


def double(tensor: Tensor) -> Tensor:
    """A tensor of floats as float64; of integers as it is."""
    return tensor.double() if tensor.is_floating_point() else tensor
