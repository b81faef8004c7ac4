"""``make bench``: the engine against what people do today, side by side in one run.

Every row trains the same networks on the same data with the same update rule in float32; see ``workloads.py``. Writes
results/bench.json and docs/benchmarks.md. Peers that are not installed are left out (`pip install -e .[bench]`).
"""

import os
import platform
import statistics
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count()))

import cubes
import torch
from ours import engine, pipeline, split_against_padded
from peers import jax_scan, lightning_loop, torch_loop
from processes import ray_trials, snakemake_jobs
from workloads import SMALL, WIDE, WORKLOADS, Workload, examples, peak

from dlatlas.data.prepare import prepare
from dlatlas.identity.store import write_bytes, write_json

ROOT = Path(__file__).parents[2]
ROUNDS = 3
JOBS, RAY = "one Snakemake job a run, end to end", "Ray Tune, one trial a run, end to end"
LIGHTNING, LOOP = "a loop of plain Lightning fits, starts included", "a plain PyTorch loop"
JAX, JAX_WHOLE = "JAX vmap + scan, steady", "JAX vmap + scan, with compilation"
PEAK, LONG = "batched matrix product peak", ", long stacks"
RATE = "run-steps a second"
PADDED, PADDED_WHOLE = "one stack padded to the widest, steady", "one stack padded to the widest, starts included"

READING = """One Snakemake job a run: of our own time most is starting Snakemake and importing torch and
Lightning in two jobs, so the ratio grows with runs and steps. Widths are never padded to one stack: that pays where a
stack is a few small networks, a sweep of seconds, and not where it holds the hundreds of runs that sweeps are made of,
least of all where widths double.

JAX in its steady state: a stack is compiled here where that repays its time, from two minutes on ("long stacks"); the
others are plain traced steps. Their matrix products alone would take, at the peak, the share of the time that the
peak's row says; most of the rest are passes over memory, which a compiler fuses."""

GOALS: dict[tuple[str, str], float] = {
    (SMALL.name, JOBS): 100.0,
    (SMALL.name, RAY): 50.0,
    (SMALL.name, LIGHTNING): 50.0,
    (WIDE.name, PEAK): 0.5,
    **{(work.name, JAX): 1.2 for work in WORKLOADS},
    **{(work.name, JAX_WHOLE): 2.0 for work in WORKLOADS},
}


def measured(name: str, function: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
    """The result, or None where the peer is not installed."""
    try:
        return function(*arguments)
    except ImportError as error:
        sys.stderr.write(f"{name} is left out: {error}\n")
        return None


def compare(work: Workload, data: Path) -> list[dict[str, Any]]:
    """Rows of one workload: medians over rounds in which every peer takes its turn."""
    x, y = examples(data)
    seen: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        ours, theirs = engine(work, data, compiled=False), measured("JAX", jax_scan, work, x, y)
        long = engine(work, data, compiled=True)
        top, tensors = peak(work), (torch.from_numpy(x), torch.from_numpy(y))
        ratios = {
            LIGHTNING: ours["whole"] / lightning_loop(work, *tensors),
            LOOP: ours["steady"] / torch_loop(work, *tensors),
            PEAK: ours["steady"] * work.flops() / top,
            PEAK + LONG: long["steady"] * work.flops() / top,
            RATE: ours["steady"],
        }
        if theirs:
            ratios[JAX] = ours["steady"] / theirs["steady"]
            ratios[JAX + LONG] = long["steady"] / theirs["steady"]
            ratios[JAX_WHOLE] = ours["whole"] / theirs["whole"]
        for name, value in ratios.items():
            seen.setdefault(name, []).append(value)
    return [row(work.name, name, values) for name, values in seen.items()]


def compare_processes(work: Workload, data: Path) -> list[dict[str, Any]]:
    """Rows of many processes, end to end; ours is measured before and after each of them."""
    rows, ours = [], pipeline(work, data)
    for name, peer in ((JOBS, snakemake_jobs), (RAY, ray_trials)):
        theirs = measured(name, peer, work, data)
        again = pipeline(work, data)
        if theirs:
            rows.append(row(work.name, name, [theirs / ours, theirs / again]))
        ours = again
    return rows


def row(workload: str, against: str, values: list[float]) -> dict[str, Any]:
    """One row of the table."""
    middle, goal = statistics.median(values), GOALS.get((workload, against))
    return {
        "workload": workload, "against": against, "ratio": middle, "low": min(values), "high": max(values), "goal": goal
    }  # fmt: skip


def table(record: dict[str, Any]) -> str:
    """The rows as Markdown."""
    lines = [
        "# Benchmarks", "", f"Made by `make bench` on {record['machine']}; {record['versions']}.",
        f"Ratios are ours over theirs, medians of {ROUNDS} rounds in which each took its turn [smallest, largest];",
        "end to end: 256 runs of 400 steps; theirs is timed at 4 and 16 runs and extended in a line, ours run whole.",
        "", "| workload | against | ratio | goal |", "| --- | --- | --- | --- |",
    ]  # fmt: skip
    for each in record["rows"]:
        if each["against"] != RATE:
            reached = (
                "" if each["goal"] is None else f"{each['goal']:g} {'✓' if each['ratio'] >= each['goal'] else '✗'}"
            )
            spread = f"{each['ratio']:.3g} [{each['low']:.3g}, {each['high']:.3g}]"
            lines.append(f"| {each['workload']} | {each['against']} | {spread} | {reached} |")
    return "\n".join([*lines, "", READING, ""])


def versions() -> str:
    """What was measured."""
    found = {}
    for name in ("torch", "pytorch-lightning", "snakemake", "jax", "ray", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return ", ".join(f"{name} {number}" for name, number in found.items())


def main() -> None:
    """Measures and writes."""
    warnings.simplefilter("ignore")
    data = ROOT / "data"
    prepare(data, ROOT / "data.dvc")
    rows = [each for work in WORKLOADS for each in compare(work, data)] + compare_processes(SMALL, data)
    rows += cubes.rows()
    for each in (4, 32, 128):
        ragged = [split_against_padded(data, each) for _ in range(ROUNDS)]
        name = f"MLPs of 8 widths from 8 to 64, {each} of each, one stack a width"
        rows.append(row(name, PADDED, [ratios["steady"] for ratios in ragged]))
        rows.append(row(name, PADDED_WHOLE, [ratios["whole"] for ratios in ragged]))
    record = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "versions": versions(),
        "rows": rows,
    }
    write_json(ROOT / "results" / "bench.json", record)
    write_bytes(ROOT / "docs" / "benchmarks.md", table(record).encode())
    rates = [f"{each['workload']}: {each['ratio']:,.0f} {RATE}" for each in rows if each["against"] == RATE]
    sys.stdout.write(table(record) + "\n" + "\n".join(rates) + "\n")


if __name__ == "__main__":
    main()
