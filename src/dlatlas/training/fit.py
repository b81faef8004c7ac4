"""One stack through a Lightning Trainer, resumed where an interrupted job stopped."""

import logging
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from pytorch_lightning.plugins.environments import LightningEnvironment
from torch import Tensor

from dlatlas.declare.study import Study
from dlatlas.errors import CorruptedError
from dlatlas.identity.store import read_sealed, write_sealed
from dlatlas.training.build import prepare_stack
from dlatlas.training.device import accelerator, arithmetic
from dlatlas.training.ensemble import Progress, StackedEnsemble
from dlatlas.training.progress import ProgressBar
from dlatlas.training.stack import FROZEN, TRAINED, WITHOUT_GRADIENT, Stack

OK, DIVERGED = 0, 1
SAVE_EVERY = 20.0
"""Seconds between two states on disk."""


def fit_stack(stack: Stack, study: Study, progress: Path) -> dict[str, NDArray[np.generic]]:
    """Trains a stack and returns what is stored of it, every array ``(run, ...)``.

    Args:
        stack: the runs.
        study: whose ``setup`` is applied.
        progress: where the state of an unfinished training is kept.

    Returns:
        ``parameters/<name>`` ``(run, checkpoint, ...)``, ``trained/<name>`` (see `stack`), ``hyper/<name>``,
        ``loss_trace`` ``(run, traced step)``, ``peak`` and ``peak_step`` (largest loss, its step), ``diverged_at`` (-1:
        never) and ``status``. From the step at which a run diverged its numbers are NaN.
    """
    built = prepare_stack(stack, study)
    hyper = {name: value.clone() for name, value in built.hyper.items()}
    module = StackedEnsemble(built)
    if progress.is_file():
        _restore(module, progress)
    callbacks: list[pl.Callback] = [_Keeper(progress), ProgressBar(len(stack), module.steps)]
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)  # no advertisements
    with arithmetic(stack["precision"]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*configure_optimizers` returned `None`.*")
        warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated.*")
        warnings.filterwarnings("ignore", message=".*`srun` command is available.*")
        trainer = pl.Trainer(
            accelerator=accelerator(),
            devices=1,
            plugins=[LightningEnvironment()],  # one process, also where SLURM's variables say otherwise
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=callbacks,
        )
        trainer.fit(module)
    if trainer.interrupted:
        raise KeyboardInterrupt
    progress.unlink(missing_ok=True)
    return stored(module, hyper)


def stored(module: StackedEnsemble, hyper: dict[str, Tensor]) -> dict[str, NDArray[np.generic]]:
    """What is kept of a trained stack; see ``fit_stack``."""
    p = module.progress
    diverged_at = p.diverged_at.cpu().numpy()
    kept = {step: {n: v.cpu().numpy() for n, v in values.items()} for step, values in module.kept.items()}
    broken = np.zeros(len(diverged_at), dtype=bool)
    for value in kept[module.steps].values():
        broken |= ~np.isfinite(value.reshape(len(value), -1)).all(axis=1)
    diverged_at = np.where((diverged_at < 0) & broken, module.steps, diverged_at)
    results: dict[str, NDArray[np.generic]] = {}
    for name in kept[0]:
        stacked = np.stack([kept[step][name] for step in module.due], axis=1)
        for place, step in enumerate(module.due):
            stacked[(diverged_at >= 0) & (diverged_at <= step), place] = np.nan
        results[f"parameters/{name}"] = stacked
        role = WITHOUT_GRADIENT if name in module.without_gradient else TRAINED
        frozen = module.built.frozen.get(name, torch.tensor(False)).numpy()
        results[f"trained/{name}"] = np.broadcast_to(np.where(frozen, FROZEN, role), len(stacked)).astype(np.int8)
    trace = p.trace.cpu().numpy().T.copy()
    steps = np.arange(trace.shape[1]) * module.every
    trace[(diverged_at[:, None] >= 0) & (diverged_at[:, None] <= steps[None])] = np.nan
    results["loss_trace"] = trace
    results["peak"] = np.where(diverged_at >= 0, np.nan, p.peak.cpu().numpy())
    results["peak_step"] = p.peak_step.cpu().numpy()
    results["diverged_at"] = diverged_at
    results["status"] = np.where(diverged_at >= 0, DIVERGED, OK).astype(np.int8)
    for name, value in hyper.items():
        results[f"hyper/{name}"] = value.cpu().numpy()
    return results


class _Keeper(pl.Callback):
    """Writes the state of the training aside, now and then."""

    def __init__(self, path: Path) -> None:
        self.path, self.last = path, time.monotonic()

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *rest: object) -> None:  # noqa: ANN401
        """Called by Lightning after each chunk of steps."""
        if time.monotonic() - self.last > SAVE_EVERY:
            save_state(module, self.path)
            self.last = time.monotonic()


def save_state(module: StackedEnsemble, path: Path) -> None:
    """Writes everything that a resumed job needs."""
    write_sealed(path, _state(module))


def _state(module: StackedEnsemble) -> dict[str, NDArray[np.generic]]:
    p = module.progress
    tensors = {
        "step": torch.tensor([p.step]),
        "trace": p.trace,
        "peak": p.peak,
        "peak_step": p.peak_step,
        "diverged_at": p.diverged_at,
    }
    tensors |= {f"parameters/{name}": value for name, value in p.parameters.items()}
    tensors |= {f"state/{part}/{name}": v for part, values in p.state.items() for name, v in values.items()}
    tensors |= {f"kept/{step}/{name}": v for step, values in module.kept.items() for name, v in values.items()}
    return {name: value.cpu().numpy() for name, value in tensors.items()}


def _restore(module: StackedEnsemble, path: Path) -> None:
    """Goes on from a saved state if it is whole and of this very stack; any other is discarded, nothing of it used."""
    try:
        arrays = read_sealed(path)
    except CorruptedError:
        arrays = {}
    if not _fits(module, arrays):
        path.unlink(missing_ok=True)
        return
    saved = {name: torch.from_numpy(value) for name, value in arrays.items()}
    p = module.progress
    module.progress = Progress(
        step=int(saved["step"]),
        parameters={name: saved[f"parameters/{name}"] for name in p.parameters},
        state={part: {name: saved[f"state/{part}/{name}"] for name in values} for part, values in p.state.items()},
        trace=saved["trace"],
        peak=saved["peak"],
        peak_step=saved["peak_step"],
        diverged_at=saved["diverged_at"],
    )
    steps = [step for step in module.due if step <= module.progress.step]
    module.kept = {step: {name: saved[f"kept/{step}/{name}"] for name in p.parameters} for step in steps}


def _fits(module: StackedEnsemble, arrays: dict[str, NDArray[np.generic]]) -> bool:
    """Whether a state has all that is needed, in the right shapes, and began where this stack begins."""
    if "step" not in arrays or arrays["step"].shape != (1,) or not 0 <= arrays["step"][0] <= module.steps:
        return False
    fresh = _state(module)
    begun = {name: value for name, value in fresh.items() if name.startswith("kept/0/")}
    for step in module.due:
        if 0 < step <= arrays["step"][0]:
            fresh |= {f"kept/{step}/{name[7:]}": value for name, value in begun.items()}
    return {n: (v.shape, v.dtype) for n, v in arrays.items()} == {n: (v.shape, v.dtype) for n, v in fresh.items()} and (
        all(np.array_equal(arrays[name], value) for name, value in begun.items())
    )
