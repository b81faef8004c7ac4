"""``python workflow/bench/gpu.py``: the engine on one GPU, against the size of the stack, by precision.

Writes results/gpu.json and prints its table. Without a GPU, ``--device cpu --quick`` shows that it runs.
"""

import argparse
import gc
import json
import math
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from ours import STUDY, stack
from peers import jax_scan
from workloads import CONV, SMALL, WIDE, Workload, examples

from dlatlas.data.prepare import prepare
from dlatlas.identity.machine import processor
from dlatlas.identity.store import write_json
from dlatlas.training import ensemble
from dlatlas.training.build import Built, prepare_stack
from dlatlas.training.device import arithmetic
from dlatlas.training.ensemble import StackedEnsemble

ROOT = Path(__file__).parents[2]
SIZES = {SMALL: (1, 16, 256, 4096, 65_536, 524_288), WIDE: (1, 16, 256, 4096, 16_384, 65_536), CONV: (16, 256, 4096)}
WORDS = {"small": SMALL, "wide": WIDE, "conv": CONV}
PRECISIONS = ("float32", "tf32", "bf16")
BASE = 256
"""Networks drawn; a larger stack repeats them."""
LONG = 10**6
"""Steps that a stack is told to have, so that the engine chooses as for a long training."""


def synchronise(device: str) -> None:
    """Waits until the device has done all."""
    if device == "cuda":
        torch.cuda.synchronize()


def timed(function: Callable[[], Any], device: str, repeats: int) -> float:
    """Seconds of one call, the fastest of some."""
    function()
    best = math.inf
    for _ in range(repeats):
        synchronise(device)
        begun = time.perf_counter()
        function()
        synchronise(device)
        best = min(best, time.perf_counter() - begun)
    return best


def roofs(device: str, size: int) -> dict[str, float]:
    """Operations a second of one large matrix product in each precision; bytes a second of a copy, read and written."""
    found = {}
    for precision in PRECISIONS:
        kind = torch.bfloat16 if precision == "bf16" else torch.float32
        a, b = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
        with arithmetic(precision):
            found[precision] = 2 * size**3 / timed(lambda a=a, b=b: a @ b, device, 5)
    source = torch.randn(64 * size**2 // 16, device=device)
    target = torch.empty_like(source)
    found["bytes"] = 2 * source.nbytes / timed(lambda: target.copy_(source), device, 5)
    return found


def repeated(built: Built, runs: int) -> Built:
    """A stack of so many runs: those that are there, over and over, each under its own seed."""
    copies, base = -(-runs // len(built.stack)), list(built.stack.runs)
    names = [{**base[run % len(base)], "seed": run} for run in range(runs)]

    def many(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: value.repeat(copies, *[1] * (value.dim() - 1))[:runs] for name, value in tensors.items()}

    return replace(
        built, stack=replace(built.stack, runs=names), parameters=many(built.parameters), buffers=many(built.buffers),
        hyper=many(built.hyper), which=built.which.repeat(copies)[:runs],
    )  # fmt: skip


def rate(built: Built, device: str, mode: str, seconds: float) -> dict[str, float]:
    """Run-steps a second, seconds until the first step is done, and bytes of GPU memory at the highest."""
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    before = ensemble.COMPILE_FROM, StackedEnsemble._recorded
    if mode != "chosen":
        ensemble.COMPILE_FROM = 0.0 if mode == "compiled" else math.inf
    if mode == "launched":
        StackedEnsemble._recorded = lambda self, given: None
    try:
        with arithmetic(built.stack["precision"]):
            module = StackedEnsemble(built)
            module.to(device)
            module.on_fit_start()
            begun = time.perf_counter()
            module.training_step((0, 8), 0)
            synchronise(device)
            ready = time.perf_counter() - begun
            done, pieces, step = 0, [], 8
            while sum(pieces) < seconds or len(pieces) < 3:
                chunk = min(max(8, module._chunk // 8 * 8), 4096)
                begun = time.perf_counter()
                module.training_step((step, step + chunk), 0)
                synchronise(device)
                pieces.append(time.perf_counter() - begun)
                done, step = done + chunk, step + chunk
            module.on_fit_end()
    finally:
        ensemble.COMPILE_FROM, StackedEnsemble._recorded = before
    memory = torch.cuda.max_memory_allocated() if device == "cuda" else 0
    return {"rate": len(built.stack) * done / sum(pieces), "ready": ready, "memory": memory}


def floor(work: Workload, precision: str, roof: dict[str, float]) -> float:
    """Seconds that a run-step cannot be faster than: its operations, or its weights and batch through memory once."""
    weights = sum(value.numel() for value in work.network().parameters())
    moved = 4 * (2 * weights + work.batch * 64)
    return max(work.flops() / roof[precision], moved / roof["bytes"])


def main() -> None:
    """Measures, prints, writes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    options.add_argument("--quick", action="store_true", help="small stacks only, a fraction of a second each")
    options.add_argument("--out", type=Path, default=ROOT / "results" / "gpu.json")
    options.add_argument("--until", type=float, default=400.0, help="seconds after which no measurement begins")
    options.add_argument("--workloads", default="small,wide,conv", help="which, in their order")
    options.add_argument("--modes", default="recorded,compiled,launched,jax", help="which, in their order")
    options.add_argument("--sizes", help="of stacks, if not all; these are also JAX's")
    chosen = options.parse_args()
    if chosen.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch sees no CUDA device; --device cpu --quick shows that this runs")
    warnings.simplefilter("ignore")
    begun = time.perf_counter()
    prepare(ROOT / "data", ROOT / "data.dvc")
    device, seconds = chosen.device, 0.1 if chosen.quick else 0.8
    name = torch.cuda.get_device_name(0) if device == "cuda" else processor()
    result: dict[str, Any] = {"device": name, "torch": torch.__version__, "rows": []}
    result["roofs"] = roof = roofs(device, 512 if chosen.quick else 8192)
    print(name, torch.__version__, {key: f"{value:.3g}" for key, value in roof.items()}, flush=True)

    def row(work: Workload, runs: int, precision: str, mode: str, found: dict[str, float]) -> None:
        share = found["rate"] * floor(work, precision, roof) if precision in roof else math.nan
        record = {"workload": work.name, "runs": runs, "precision": precision, "mode": mode, **found, "share": share}
        result["rows"].append(record)
        words = f"{work.name:45} {runs:7,} {precision:8} {mode:9} {found['rate']:12,.0f} run-steps/s "
        words += f"{share:6.1%} of the roof {found.get('memory', 0) / 2**30:6.2f} GiB"
        print(words, f"ready in {found['ready']:.1f} s", flush=True)
        write_json(chosen.out, result)

    x, y = examples(ROOT / "data")
    plans = []
    for work in (WORDS[word] for word in chosen.workloads.split(",")):
        for mode in chosen.modes.split(","):
            sizes = SIZES[work] if mode in ("recorded", "compiled") else (256, 4096)
            if chosen.sizes:
                sizes = tuple(int(size) for size in chosen.sizes.split(","))
            plans += [(work, size, "float32", mode) for size in sizes]
            if mode == "compiled":
                plans += [(work, 4096, precision, mode) for precision in PRECISIONS[1:]]
    bases: dict[tuple[Workload, str], Built] = {}
    for work, runs, precision, mode in plans:
        if (chosen.quick and runs > 256) or time.perf_counter() - begun > chosen.until:
            continue
        try:
            if mode == "jax":
                import jax

                jax.config.update("jax_default_matmul_precision", "highest")
                found = jax_scan(replace(work, runs=runs, steps=200), x, y)
                row(work, runs, precision, mode, {"rate": found["steady"], "ready": 0.0})
                continue
            if (work, precision) not in bases:
                base = stack(replace(work, runs=BASE), LONG, ROOT / "data", precision=precision)
                bases[work, precision] = prepare_stack(base, STUDY)
            row(work, runs, precision, mode,
                rate(repeated(bases[work, precision], runs), device, mode, seconds))  # fmt: skip
        except Exception as error:
            print(f"{work.name} {runs} {precision} {mode}: {type(error).__name__}: {str(error)[:300]}", flush=True)
    print(json.dumps({"seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    main()
