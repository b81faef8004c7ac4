"""The engine: a stack through Lightning, and 256 runs through the real Snakefile."""

import math
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import yaml
from timing import seconds
from workloads import EXAMPLES, LR, SMALL, Workload

from dlatlas.declare.parameter import THINGS, TRAINING
from dlatlas.declare.registry import INSTRUMENT, root
from dlatlas.declare.study import Study
from dlatlas.training import ensemble
from dlatlas.training.fit import fit_stack
from dlatlas.training.stack import Stack

ROOT = Path(__file__).parents[2]
HOST = """
from dlatlas import Study, but, claim, count, flag
from dlatlas.judging.statistics import average

STUDY = Study(
    title="Bench", rows=[], kind="train", papers=[], says="", formula="", caption="", figure=lambda *rest: None,
    parameters={
        "inputs": count(64, "inputs"), "outputs": count(10, "outputs"), "width": count(32, "units"),
        "depth": count(1, "hidden layers"), "bias": flag(True, "biases"), "n_train": count(1000, "examples"),
    },
    theory=lambda cube: cube,
    claims=[claim("none", "", "", average("train_loss") >= 0, shuffle="seed", fails=but("", of="peak"))],
)
"""
"""A study of digits and MLPs, in a lab of its own, for the end-to-end row."""

STUDY = Study(
    title="", rows=("bench",), kind="train", says="", formula="", papers=(), parameters={}, claims=(),
    theory=lambda cube: cube, figure=lambda *rest: None, caption="",
)  # fmt: skip


def stack(work: Workload, steps: int, data: Path, precision: str = "float32") -> Stack:
    """The runs of a workload, one a seed."""
    base = {name: parameter.default for name, parameter in TRAINING.items()}
    base |= {"model": work.model, "inputs": 64, "width": work.width, "outputs": 10, "activation": "relu"}
    base |= {"depth": 1, "bias": True} if work.model == "mlp" else {"depth": 2}
    base |= {"n_train": EXAMPLES, "loss": "cross_entropy", "lr": LR, "batch": work.batch, "checkpoints": 1}
    base |= {"steps": steps, "trace_every": steps, "precision": precision}
    runs = [{**base, "seed": seed} for seed in range(work.runs)]
    things = {name: root(room, base[name], (INSTRUMENT,)) for name, room in THINGS.items()}
    return Stack(runs, base, data, things=things)


def engine(work: Workload, data: Path, *, compiled: bool) -> dict[str, float]:
    """Run-steps a second: steady, and of a whole fit with building and tracing.

    Compiled is what long stacks get by themselves, see ``ensemble.COMPILE_FROM``. Steady rates are the difference of
    two lengths, so that start-up and compilation drop out.
    """

    def fit(steps: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            return seconds(lambda: fit_stack(stack(work, steps, data), STUDY, Path(folder) / "progress"))

    before = ensemble.COMPILE_FROM
    ensemble.COMPILE_FROM = 0.0 if compiled else math.inf
    fit(5)
    steps = work.steps * (5 if compiled else 1)  # compiling takes seconds, and not twice the same
    short, long = fit(steps // 4), fit(steps)
    ensemble.COMPILE_FROM = before
    return {"steady": work.runs * 0.75 * steps / (long - short), "whole": work.runs * steps / long}


def split_against_padded(data: Path, each: int) -> dict[str, float]:
    """Time of a width sweep padded to the widest network, over the time of one stack a width: steady, and whole.

    Padding trains every network at the largest width in one stack, its surplus units masked; what masking costs is
    left out, in padding's favour.

    Args:
        data: the folder of prepared data sets.
        each: runs of each of the eight widths.
    """
    widths = (8, 16, 24, 32, 40, 48, 56, 64)
    longer = replace(SMALL, runs=each, steps=SMALL.steps * max(1, 64 // each))
    parts = [engine(replace(longer, width=width), data, compiled=False) for width in widths]
    padded = engine(replace(longer, width=max(widths), runs=each * len(widths)), data, compiled=False)
    return {name: len(widths) / padded[name] / sum(1 / part[name] for part in parts) for name in padded}


def pipeline(work: Workload, data: Path) -> float:
    """Seconds of `snakemake` over the runs of a workload, everything from reading the params file included."""
    fixed = {"model": "mlp", "depth": 1, "width": work.width, "bias": True, "loss": "cross_entropy", "data": "digits"}
    fixed |= {"inputs": 64, "n_train": EXAMPLES, "lr": LR, "batch": work.batch, "steps": work.steps, "checkpoints": 1}
    params = {
        "fixed": fixed,
        "axes": {"seed": {"range": work.runs}},
        "measures": ["train_loss"],
        "scales": {"smoke": {"shard_runs": work.runs // 2}},
    }
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copytree(ROOT / "workflow" / "rules", home / "workflow" / "rules")
        for name in ("Snakefile", "data.dvc", "references.bib"):
            shutil.copy(ROOT / name, home)
        for name, text in {"params/bench.yaml": yaml.safe_dump(params), "studies/bench.py": HOST}.items():
            (home / name).parent.mkdir()
            (home / name).write_text(text)
        words = ["--directory", folder, "--snakefile", str(home / "Snakefile"), "--cores", "2", "--quiet", "all"]
        command = [
            sys.executable,
            "-m",
            "snakemake",
            *words,
            "--until",
            "train",
            "--config",
            "scale=smoke",
            f"data={data}",
        ]
        taken = seconds(lambda: subprocess.run(command, check=True, capture_output=True))
        made = list(home.glob("results/bench/shards/*.json"))
        if len(made) != 2:
            raise RuntimeError(f"expected two shards, found {made}")
    return taken
