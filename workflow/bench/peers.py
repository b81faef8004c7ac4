"""What people do today, in one process: a plain loop, Lightning fits, JAX."""

import logging
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from timing import seconds
from torch import nn
from workloads import LR, Workload, order

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


class Plain(pl.LightningModule):
    """What a tutorial writes."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        """Cross-entropy of one batch."""
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Gradient descent."""
        return torch.optim.SGD(self.parameters(), LR)


def lightning_fit(work: Workload, x: torch.Tensor, y: torch.Tensor, steps: int) -> None:
    """One network through Lightning with everything optional switched off."""
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), work.batch, shuffle=True)
    trainer = pl.Trainer(
        accelerator="cpu", max_steps=steps, max_epochs=-1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Plain(work.network()), loader)


def lightning_loop(work: Workload, x: torch.Tensor, y: torch.Tensor) -> float:
    """Run-steps a second of one Lightning fit after another in one process, starts included."""
    lightning_fit(work, x, y, 5)
    return 2 * work.steps / seconds(lambda: [lightning_fit(work, x, y, work.steps) for _ in range(2)])


def torch_loop(work: Workload, x: torch.Tensor, y: torch.Tensor) -> float:
    """Run-steps a second of one network at a time, ``.backward()`` and ``optimizer.step()``."""
    net = work.network()
    optimizer = torch.optim.SGD(net.parameters(), LR)

    def steps(number: int) -> None:
        for _ in range(number):
            chosen = torch.randint(len(x), (work.batch,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[chosen]), y[chosen]).backward()
            optimizer.step()

    steps(20)
    return work.steps / seconds(lambda: steps(work.steps))


def jax_scan(work: Workload, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Run-steps a second of ``vmap`` over networks of a ``lax.scan`` over steps: compiled, and with its compilation.

    The order of the data is drawn beforehand and not timed.

    Raises:
        ImportError: JAX is not installed.
    """
    import jax
    import jax.numpy as jnp

    def convolved(x: Any, w: Any, b: Any) -> Any:  # noqa: ANN401
        return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW")) + b

    def outputs(w: Any, x: Any) -> Any:  # noqa: ANN401
        if work.model == "mlp":
            return jax.nn.relu(x @ w[0] + w[1]) @ w[2] + w[3]
        hidden = jax.nn.relu(convolved(x.reshape(-1, 1, 8, 8), w[0], w[1]))
        return jax.nn.relu(convolved(hidden, w[2], w[3])).mean((2, 3)) @ w[4] + w[5]

    def loss(w: Any, x: Any, y: Any) -> Any:  # noqa: ANN401
        return -jnp.take_along_axis(jax.nn.log_softmax(outputs(w, x)), y[:, None], 1).mean()

    k = work.width
    shapes = [(64, k), (k,), (k, 10), (10,)]
    if work.model == "conv_net":
        shapes = [(k, 1, 3, 3), (k, 1, 1), (k, k, 3, 3), (k, 1, 1), (k, 10), (10,)]

    def train(key: Any, order: Any) -> Any:  # noqa: ANN401
        w = [0.1 * jax.random.normal(part, shape) for part, shape in zip(jax.random.split(key, len(shapes)), shapes)]

        def step(w: Any, chosen: Any) -> Any:  # noqa: ANN401
            value, gradient = jax.value_and_grad(loss)(w, x[chosen], y[chosen])
            return jax.tree.map(lambda p, g: p - LR * g, w, gradient), value

        return jax.lax.scan(step, w, order)[1]

    x, y = jnp.asarray(x), jnp.asarray(y)
    keys = jax.random.split(jax.random.key(0), work.runs)
    drawn = jnp.asarray(order(work, work.steps))
    compiled = jax.jit(jax.vmap(train))
    first = seconds(lambda: compiled(keys, drawn).block_until_ready())
    steady = min(seconds(lambda: compiled(keys, drawn).block_until_ready()) for _ in range(2))
    return {"steady": work.runs * work.steps / steady, "whole": work.runs * work.steps / first}
