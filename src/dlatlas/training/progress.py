"""A progress line: runs, steps, rate, time left; silent where nobody watches."""

import sys
import time
from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class ProgressBar(pl.Callback):
    """Shows ``512 runs ━━━━╸ 4,200/10,000 steps · 53,000 run-steps/s · 0:01:52`` on a terminal."""

    def __init__(self, runs: int, steps: int) -> None:
        self.runs, self.steps = runs, steps
        self.bar: Progress | None = None

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:  # noqa: ANN401
        """Called by Lightning."""
        self.begun, self.first = time.monotonic(), module.progress.step
        if not sys.stderr.isatty():
            return
        self.bar = Progress(
            TextColumn(f"{self.runs} runs"),
            BarColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} steps · {task.fields[rate]:,.0f} run-steps/s ·"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self.task = self.bar.add_task("", total=self.steps, completed=self.first, rate=0.0)
        self.bar.start()

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *rest: object) -> None:  # noqa: ANN401
        """Called by Lightning after each chunk of steps."""
        if self.bar is not None:
            step = module.progress.step
            rate = self.runs * (step - self.first) / max(1e-9, time.monotonic() - self.begun)
            self.bar.update(self.task, completed=step, rate=rate)

    def on_train_end(self, trainer: pl.Trainer, module: Any) -> None:  # noqa: ANN401
        """Called by Lightning."""
        if self.bar is not None:
            self.bar.stop()

    def on_exception(self, trainer: pl.Trainer, module: Any, error: BaseException) -> None:  # noqa: ANN401
        """Called by Lightning."""
        if self.bar is not None:
            self.bar.stop()
