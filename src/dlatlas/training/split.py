"""A stack over several GPUs: each trains a share of the runs in a process of its own.

Runs exchange nothing, so there is no strategy to agree on gradients or steps: each process has its own Trainer on its
own device, and the shares are put together at the end.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from dlatlas.declare.lab import load_study
from dlatlas.training.halves import Arrays, joined
from dlatlas.training.stack import Stack


def fit_split(stack: Stack, study: str, progress: Path, devices: Sequence[str]) -> Arrays:
    """What ``fit_stack`` returns of the whole stack, to float tolerance.

    Args:
        stack: the runs.
        study: the study's module.
        progress: where states are kept; each share has its own file beside it.
        devices: what CUDA_VISIBLE_DEVICES is for each process; "" is a processor.
    """
    shares = [rows for rows in np.array_split(np.arange(len(stack)), len(devices)) if len(rows)]
    with ProcessPoolExecutor(len(shares), mp_context=get_context("spawn")) as pool:
        made = []
        for number, (rows, device) in enumerate(zip(shares, devices)):
            share = replace(stack, runs=[stack.runs[row] for row in rows])
            path = progress.with_name(f"{progress.name}.{number}of{len(shares)}")
            made.append((rows, pool.submit(_fit_share, share, study, path, device)))
        return joined([(rows, future.result()) for rows, future in made], len(stack))


def _fit_share(stack: Stack, study: str, progress: Path, device: str) -> Arrays:
    os.environ["CUDA_VISIBLE_DEVICES"] = device  # before anything asks CUDA for its devices
    from dlatlas.training.fit import fit_stack

    return fit_stack(stack, load_study(study), progress)
