"""``make bench``: the engine against what people do today, side by side in one run.

Every row trains the same networks on the same data with the same update rule in float32. Rates are run-steps a second:
updates of one network. Steady rates are the difference of two lengths, so that start-up and compilation drop out.
Writes results/bench.json and docs/benchmarks.md. JAX is measured if it is installed (`pip install -e .[bench]`).
"""

import json
import math
import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn

from dlatlas.data.prepare import prepare
from dlatlas.registry import load
from dlatlas.store import write_bytes, write_json
from dlatlas.study import TRAINING, Study
from dlatlas.training import ensemble
from dlatlas.training.fit import fit_stack
from dlatlas.training.stack import Stack

ROOT = Path(__file__).parents[1]
LR = 0.1
ROUNDS = 3


@dataclass(frozen=True)
class Workload:
    """One network, one batch size, and how many runs and steps are timed."""

    name: str
    width: int
    batch: int
    runs: int
    steps: int

    def flops(self) -> float:
        """Multiplications and additions of one run-step: forward, and twice that backward."""
        return 3 * 2 * self.batch * (64 * self.width + self.width * 10)


WORKLOADS = (
    Workload("MLP 64-32-10, batch 32", 32, 32, 256, 400),
    Workload("MLP 64-512-10, batch 128", 512, 128, 16, 200),
)


def mlp(width: int) -> nn.Module:
    """The network of every row."""
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))


def seconds(function: Callable[[], Any]) -> float:
    """Wall time of one call."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def engine(work: Workload, data: Path, *, compiled: bool) -> dict[str, float]:
    """The stacked ensemble inside Lightning: steady, and a whole fit with building and tracing.

    Compiled is what stacks of ``ensemble.COMPILE_FROM`` operations and more get by themselves.
    """
    base = {name: parameter.default for name, parameter in TRAINING.items()}
    base |= {"inputs": 64, "width": work.width, "depth": 1, "outputs": 10, "activation": "relu", "bias": True}
    base |= {"n_train": 1024, "loss": "cross_entropy", "lr": LR, "batch": work.batch, "checkpoints": 1}

    def fit(steps: int) -> float:
        runs = [{**base, "steps": steps, "trace_every": steps, "seed": seed} for seed in range(work.runs)]
        stack = Stack(runs, {key: value for key, value in runs[0].items() if key != "seed"}, data)
        with tempfile.TemporaryDirectory() as folder:
            return seconds(lambda: fit_stack(stack, STUDY, Path(folder) / "progress"))

    ensemble.COMPILE_FROM = 0.0 if compiled else math.inf
    fit(5)
    steps = work.steps * (10 if compiled else 1)  # compiling takes seconds, and not twice the same
    short, long = fit(steps // 4), fit(steps)
    return {"steady": work.runs * 0.75 * steps / (long - short), "whole": work.runs * steps / long}


STUDY = Study(
    title="", rows=("bench",), family="", kind="train", statement="", formula="", papers=(), parameters={}, claims=(),
    theory=lambda cube: cube, figure=lambda *rest: None, caption="",
)  # fmt: skip


def torch_loop(work: Workload, x: torch.Tensor, y: torch.Tensor) -> float:
    """One network at a time, ``.backward()`` and ``optimizer.step()``."""
    net = mlp(work.width)
    optimizer = torch.optim.SGD(net.parameters(), LR)

    def steps(number: int) -> None:
        for _ in range(number):
            chosen = torch.randint(len(x), (work.batch,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[chosen]), y[chosen]).backward()
            optimizer.step()

    steps(20)
    return work.steps / seconds(lambda: steps(work.steps))


class Plain(pl.LightningModule):
    """What a tutorial writes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = mlp(width)

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        """Cross-entropy of one batch."""
        return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Gradient descent."""
        return torch.optim.SGD(self.parameters(), LR)


def lightning_loop(work: Workload, x: torch.Tensor, y: torch.Tensor) -> float:
    """One Lightning fit after another in one process, starts included."""
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), work.batch, shuffle=True)

    def fit() -> None:
        trainer = pl.Trainer(
            accelerator="cpu", max_steps=work.steps, max_epochs=-1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(Plain(work.width), loader)

    fit()
    return 2 * work.steps / seconds(lambda: (fit(), fit()))


def jax_scan(work: Workload, x: np.ndarray, y: np.ndarray) -> dict[str, float] | None:
    """``vmap`` over networks of a ``lax.scan`` over steps, compiled; None without JAX."""
    try:
        import jax
        import jax.numpy as jnp
    except ImportError:
        return None

    def loss(w: Any, xb: Any, yb: Any) -> Any:  # noqa: ANN401
        hidden = jax.nn.relu(xb @ w[0] + w[1])
        return -jnp.take_along_axis(jax.nn.log_softmax(hidden @ w[2] + w[3]), yb[:, None], 1).mean()

    def train(key: Any, order: Any) -> Any:  # noqa: ANN401
        a, b = jax.random.split(key)
        w = (jax.random.normal(a, (64, work.width)) * 0.18, jnp.zeros(work.width),
             jax.random.normal(b, (work.width, 10)) * work.width**-0.5, jnp.zeros(10))  # fmt: skip

        def step(w: Any, chosen: Any) -> Any:  # noqa: ANN401
            value, g = jax.value_and_grad(loss)(w, x[chosen], y[chosen])
            return jax.tree.map(lambda p, q: p - LR * q, w, g), value

        return jax.lax.scan(step, w, order)[1]

    x, y = jnp.asarray(x), jnp.asarray(y)
    keys = jax.random.split(jax.random.key(0), work.runs)
    order = jax.random.randint(jax.random.key(1), (work.runs, work.steps, work.batch), 0, len(x))
    compiled = jax.jit(jax.vmap(train))
    first = seconds(lambda: compiled(keys, order).block_until_ready())
    steady = min(seconds(lambda: compiled(keys, order).block_until_ready()) for _ in range(2))
    return {"steady": work.runs * work.steps / steady, "whole": work.runs * work.steps / first}


def peak(work: Workload) -> float:
    """Floating-point operations a second of the machine's batched matrix product in the workload's own shapes."""
    a, b = torch.randn(work.runs, work.batch, 64), torch.randn(work.runs, 64, work.width)
    torch.bmm(a, b)
    best = min(seconds(lambda: torch.bmm(a, b)) for _ in range(30))
    return 2 * work.runs * work.batch * 64 * work.width / best


def measure(work: Workload, data: Path) -> list[dict[str, Any]]:
    """Rows of one workload: medians over rounds in which every peer takes its turn."""
    set_ = load("dlatlas.data.digits:digits")(folder=data, generator=np.random.default_rng(0), n_train=1024)
    x, y = torch.from_numpy(set_.x), torch.from_numpy(set_.y)
    seen: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        ours, theirs = engine(work, data, compiled=False), jax_scan(work, set_.x, set_.y)
        long = engine(work, data, compiled=True)
        rounds = {
            "a loop of plain Lightning fits, starts included": ours["whole"] / lightning_loop(work, x, y),
            "a plain PyTorch loop": ours["steady"] / torch_loop(work, x, y),
            "batched matrix product peak": ours["steady"] * work.flops() / peak(work),
            "batched matrix product peak, long stacks": long["steady"] * work.flops() / peak(work),
            "run-steps a second": ours["steady"],
        }
        if theirs:
            rounds["JAX vmap + scan, steady"] = ours["steady"] / theirs["steady"]
            rounds["JAX vmap + scan, steady, long stacks"] = long["steady"] / theirs["steady"]
            rounds["JAX vmap + scan, with compilation"] = ours["whole"] / theirs["whole"]
        for name, value in rounds.items():
            seen.setdefault(name, []).append(value)
    goals = GOALS[work.name]
    return [
        {"workload": work.name, "against": name, "ratio": statistics.median(v), "low": min(v), "high": max(v),
         "goal": goals.get(name)}
        for name, v in seen.items()
    ]  # fmt: skip


GOALS: dict[str, dict[str, float]] = {
    WORKLOADS[0].name: {
        "a loop of plain Lightning fits, starts included": 50.0,
        "JAX vmap + scan, steady, long stacks": 1.2,
        "JAX vmap + scan, with compilation": 2.0,
    },
    WORKLOADS[1].name: {
        "batched matrix product peak, long stacks": 0.5,
        "JAX vmap + scan, steady, long stacks": 1.2,
        "JAX vmap + scan, with compilation": 2.0,
    },
}


def table(record: dict[str, Any]) -> str:
    """The rows as Markdown."""
    lines = [
        "# Benchmarks", "", f"Made by `make bench` on {record['machine']}; {record['versions']}.",
        f"Ratios are ours over theirs, medians of {ROUNDS} rounds in which each took its turn [smallest, largest].", "",
        "| workload | against | ratio | goal |", "| --- | --- | --- | --- |",
    ]  # fmt: skip
    for row in record["rows"]:
        if row["against"] != "run-steps a second":
            reached = "" if row["goal"] is None else f"{row['goal']:g} {'✓' if row['ratio'] >= row['goal'] else '✗'}"
            spread = f"{row['ratio']:.3g} [{row['low']:.3g}, {row['high']:.3g}]"
            lines.append(f"| {row['workload']} | {row['against']} | {spread} | {reached} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measures and writes."""
    import logging

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    data = ROOT / "data"
    prepare(data, ROOT / "data.dvc")
    versions = {}
    for name in ("torch", "pytorch-lightning", "jax", "numpy"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    record = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "rows": [row for work in WORKLOADS for row in measure(work, data)],
    }
    write_json(ROOT / "results" / "bench.json", record)
    write_bytes(ROOT / "docs" / "benchmarks.md", table(record).encode())
    sys.stdout.write(
        table(record) + json.dumps([r for r in record["rows"] if r["against"] == "run-steps a second"]) + "\n"
    )


if __name__ == "__main__":
    main()
