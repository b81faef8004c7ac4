"""What `dlatlas plan` says a job takes, against what it took."""

import json
import re
import subprocess
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.func import grad, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from dlatlas.training.graph import CORE, seconds

pytestmark = pytest.mark.timeout(1200)  # cores may be slow, and the test is about that

SIZES = {
    "mean_field_sgd_pde": (("seed: {range: 8}", "seed: {range: 300}\n    shard_runs: 6000"),),
    "break_even_point": (("steps: 200, checkpoints: 8", "steps: 3000, checkpoints: 8"), ("range: 2", "range: 8")),
}
"""Smoke sweeps made large enough that the work, not the start of a job, takes the time."""


def ended(lab):
    """SLURM's own record of ended jobs: id -> (state, seconds)."""
    found = {}
    for line in (Path(lab.env["SLURM_CONF"]).parent / "jobs.txt").read_text().splitlines():
        job = dict(re.findall(r"(\w+)=(\S*)", line))
        start, end = (datetime.fromisoformat(job[name]) for name in ("StartTime", "EndTime"))
        found[job["JobId"]] = job["JobState"], (end - start).total_seconds()
    return found


def loss(weights, x):
    for weight in weights:
        x = torch.tanh(x @ weight)
    return x.square().mean()


def toil(weights, x):
    """Some steps of a stack of small networks: processors differ in what they do fast, so like is timed with like."""
    for _ in range(5):
        slopes = vmap(grad(loss))(weights, x)
        weights = [weight - 0.1 * slope for weight, slope in zip(weights, slopes)]
    return weights


WEIGHTS = [torch.ones(64, 64, 32) / 64, torch.ones(64, 32, 32) / 32, torch.ones(64, 32, 10) / 32]
X = torch.ones(64, 32, 64)
TOIL = make_fx(toil, tracing_mode="fake")(WEIGHTS, X)


def slowness():
    """What work of a core takes here and now, over what the estimates think: neighbours may slow a core down."""
    begun = time.process_time()
    for _ in range(5):
        TOIL(WEIGHTS, X)
    return (time.process_time() - begun) / (5 * seconds(TOIL, CORE))


@pytest.fixture(scope="module")
def planned(checkout, lab, tmp_path_factory):
    """A sampled and a trained study on the cluster, two jobs at a time, after they were planned."""
    repo = checkout(tmp_path_factory.mktemp("planned") / "repo", tuple(SIZES))
    for name, pairs in SIZES.items():
        (params,) = (repo.path / "params").glob(f"*/{name}.yaml")
        for before, after in pairs:
            repo.edit(str(params.relative_to(repo.path)), before, after)
    lab.dlatlas(repo, "cluster", "init")
    repo.edit("workflow/profiles/slurm/site.yaml", "gpus: 1", "gpus: 0")  # there is none: a device file plays it
    prepared = repo.snakemake("--until", "prepare")
    assert prepared.returncode == 0, prepared.stderr
    repo.slow = {"plan": [slowness()], "train": []}
    for name in SIZES:
        lab.dlatlas(repo, "plan", name, "--scale", "smoke", "--params", "params")
        repo.slow["plan"].append(slowness())
    process, end = lab.snakemake(repo, "--until", "train", "--jobs", "2"), time.monotonic() + 800
    while process.poll() is None and time.monotonic() < end:
        repo.slow["train"].append(slowness())
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            continue
    assert process.poll() == 0, (repo.path / "snakemake.log").read_text()
    return repo


@pytest.mark.parametrize("study", SIZES)
def test_a_job_takes_what_was_planned_within_a_factor_of_two(planned, lab, study):
    """Seconds of a core, as fast as cores were then or are taken to be; SLURM says that so long it ran at least."""
    during = np.mean(planned.slow["train"])
    # A training is weighed by its shapes, a solve by trying it.
    slower = during if study == "break_even_point" else during / np.mean(planned.slow["plan"])
    estimates = json.loads((planned.path / f"results/plans/{study}-smoke.json").read_text())["shards"]
    log = (planned.path / "snakemake.log").read_text()
    jobs = dict(re.findall(r"SLURM jobid '?(\d+)'? \(log: \S*/rule_train/(\S+?)/", log))
    for digest, estimate in estimates.items():
        (job,) = (job for job, shard in jobs.items() if shard == f"{study}_{digest}")
        worked = json.loads((planned.path / f"results/{study}/shards/{digest}.json").read_text())["core_seconds"]
        state, elapsed = ended(lab)[job]
        assert state == "COMPLETED"
        assert elapsed + 1 > worked > 5  # long enough to mean something
        # What the toil says of the cores is itself off by half where neighbours come and go.
        off = (worked / estimate["seconds"] / by for by in (slower, 1))
        assert any(0.5 < factor < 2 for factor in off), (worked, estimate, planned.slow)
