"""What every row of the benchmark trains: the same networks on the same digits with plain gradient descent, float32."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from timing import seconds
from torch import nn

from dlatlas.data.digits import digits

LR = 0.1
EXAMPLES = 1024


@dataclass(frozen=True)
class Workload:
    """One network, one batch size, and how many runs and steps are timed.

    Attributes:
        name: as the table says it.
        model: the atlas's own model.
        width: hidden units, or channels.
        batch: examples a step.
        runs: networks in the stack.
        steps: update steps of each.
    """

    name: str
    model: Literal["mlp", "conv_net"]
    width: int
    batch: int
    runs: int
    steps: int

    def flops(self) -> float:
        """Multiplications and additions of one run-step: forward, and twice that backward."""
        if self.model == "mlp":
            forward = 64 * self.width + self.width * 10
        else:
            forward = 64 * 9 * (self.width + self.width**2) + self.width * 10
        return 3 * 2 * self.batch * forward

    def network(self) -> nn.Module:
        """The network as a tutorial writes it."""
        if self.model == "mlp":
            return nn.Sequential(nn.Linear(64, self.width), nn.ReLU(), nn.Linear(self.width, 10))
        convolutions = (nn.Conv2d(a, self.width, 3, padding=1) for a in (1, self.width))
        first, second = convolutions
        mean = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(self.width, 10))
        return nn.Sequential(nn.Unflatten(1, (1, 8, 8)), first, nn.ReLU(), second, nn.ReLU(), *mean)


SMALL = Workload("MLP 64-32-10, batch 32", "mlp", 32, 32, 256, 400)
WIDE = Workload("MLP 64-512-10, batch 128", "mlp", 512, 128, 16, 200)
CONV = Workload("conv net, two layers of 8 channels, batch 32", "conv_net", 8, 32, 128, 100)
WORKLOADS = (SMALL, WIDE, CONV)


def examples(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Digits: images ``(1024, 64)`` and classes ``(1024,)``."""
    chosen = digits(folder=data, generator=np.random.default_rng(0), n_train=EXAMPLES)
    return chosen.x, chosen.y


def order(work: Workload, steps: int) -> np.ndarray:
    """``(run, step, batch)`` examples: every epoch a new permutation for each run."""
    draws, per_epoch = np.random.default_rng(1), EXAMPLES // work.batch
    epochs = -(-steps // per_epoch)
    drawn = draws.permuted(np.tile(np.arange(EXAMPLES), (work.runs, epochs, 1)), axis=-1)
    return drawn[..., : per_epoch * work.batch].reshape(work.runs, -1, work.batch)[:, :steps]


def peak(work: Workload) -> float:
    """Floating-point operations a second of the machine's batched matrix product in the workload's own shapes."""
    inner = 64 if work.model == "mlp" else 9 * work.width
    rows = work.batch if work.model == "mlp" else 64 * work.batch
    a, b = torch.randn(work.runs, rows, inner), torch.randn(work.runs, inner, work.width)
    torch.bmm(a, b)
    best = min(seconds(lambda: torch.bmm(a, b)) for _ in range(30))
    return 2 * work.runs * rows * inner * work.width / best
