"""The device that a training uses: exactly what SLURM gave the job, or what the machine has."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

NONE = ("", "-1", "NoDevFiles")
"""What CUDA_VISIBLE_DEVICES says for no GPU, the last as SLURM does."""


def accelerator() -> str:
    """What Lightning is asked for: ``cpu``, ``gpu`` or ``auto``.

    Inside a SLURM job a GPU is used only if the job was given one (CUDA_VISIBLE_DEVICES lists those; without it a node
    without cgroups would show the GPUs of others). Outside, whatever there is.
    """
    if "SLURM_JOB_ID" not in os.environ:
        return "auto"
    given = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if given in NONE:
        return "cpu"
    if torch.cuda.is_available():
        return "gpu"
    sys.stderr.write(f"SLURM gave this job GPU {given}, but torch sees no CUDA device: computed on the processor\n")
    return "cpu"


def gpus() -> list[str]:
    """The GPUs that SLURM gave this job, as CUDA_VISIBLE_DEVICES names them; none outside a job."""
    return os.environ["CUDA_VISIBLE_DEVICES"].split(",") if accelerator() == "gpu" else []


def device_name() -> str:
    """The device in words, for the manifest: ``cpu``, or the GPU's model."""
    return torch.cuda.get_device_name(0) if accelerator() != "cpu" and torch.cuda.is_available() else "cpu"


@contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """Float32 products in full precision, or on tensor cores if that is ``tf32``; convolutions that repeat themselves.

    torch's own defaults differ: convolutions in tf32, by whichever algorithm is fastest today.
    """
    cudnn = torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.deterministic
    try:
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        cudnn.allow_tf32, cudnn.deterministic = precision == "tf32", True
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        cudnn.allow_tf32, cudnn.deterministic = before[1:]
