"""Fixtures that several test files share."""

import json
import math
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

# Before NumPy and torch are imported: two test processes share the cores, and BLAS would take them all for each.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# A shell without job control starts background jobs deaf to Ctrl-C, and so would be what the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest  # noqa: E402
from filelock import FileLock  # noqa: E402

from dlatlas.declare.lab import Lab  # noqa: E402
from dlatlas.planning.plan import Plan, Settings  # noqa: E402

ROOT = Path(__file__).parents[1]


FIRST = ("workflow/slurm/", "workflow/", "reproduction/", "dltheory/", "training/")
"""Where the slow files are. They begin first, so that no test process is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first."""
    names = {item: item.path.relative_to(ROOT / "tests").as_posix() for item in items}
    places = {
        name: next((i for i, at in enumerate(FIRST) if name.startswith(at)), len(FIRST)) for name in names.values()
    }
    items.sort(key=lambda item: places[names[item]])


@pytest.fixture(scope="session")
def lab() -> Lab:
    """This checkout's studies."""
    return Lab.read(ROOT)


@pytest.fixture(scope="session")
def prepared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared data sets, made once a session."""
    from dlatlas.data.prepare import prepare

    folder = tmp_path_factory.mktemp("prepared") / "data"
    prepare(folder, ROOT / "data.dvc")
    return folder


@pytest.fixture(scope="session")
def smoke_cube(tmp_path_factory: pytest.TempPathFactory, prepared_data: Path, worker_id: str) -> Callable:
    """``smoke_cube(study)``: a study's cube at smoke scale, computed by the first test process that asks for it."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    made = {}

    def of(name: str):
        from dlatlas.cubes.cube import open_cube, with_fixed

        if name not in made:
            home = shared / f"smoke-{name}"
            with FileLock(shared / f"smoke-{name}.lock"):
                if not (home / "cube.zarr").exists():
                    smoked(name, home, prepared_data)
            made[name] = with_fixed(open_cube(home / "cube.zarr").load())
        return made[name].copy(deep=True)

    return of


def smoked(name: str, results: Path, data: Path) -> None:
    """Computes a study's cube in this process, through no Snakefile."""
    from dlatlas.cubes.assembly import assemble, gather
    from dlatlas.cubes.cube import write_cube
    from dlatlas.measures.job import measure_shard
    from dlatlas.training.job import compute_shard

    plan = Plan(Settings.read({"scale": "smoke", "studies": name, "data": data, "results": results}, ROOT))
    sweep, home = plan.sweep(name), plan.home(name)
    for shard in sweep.shards:
        compute_shard(sweep, shard, home / "shards", data)
    for shard, path in plan.measured(name).items():
        measure_shard(sweep, plan.shard(name, shard), plan.shard_manifest(name, shard), path, data)
    write_cube(assemble(sweep, *gather(sweep, home, plan.measured(name))), results / "cube.zarr")


def claim_record(claim, verdict: str) -> dict:
    """A claim in ``verdict.json``, its numbers made up."""
    from dlatlas.judging.words import quantity

    bounds = [bound if math.isfinite(bound) else None for bound in claim.expected.bounds()]
    return {
        "name": claim.name, "statement": claim.statement, "source": claim.source, "quantity": quantity(claim.statistic),
        "why": "", "basis": claim.basis, "method": "jackknife t", "close": False,
        "expected": str(claim.expected), "bounds": bounds,
        "estimate": -0.503, "interval": [-0.52, -0.49], "seeds": 20, "runs": 1234, "verdict": verdict,
        "reason": "because",
        "control": {
            "statement": "none", "quantity": "another", "estimate": 0.0, "interval": [-0.1, 0.1], "fails": True
        },
        "rival": {"kind": "law", "says": "another law", "value": 0.0, "p": 0.005},
    }  # fmt: skip


def planned(results: Path) -> Plan:
    """All studies at smoke scale, with results there."""
    return Plan(Settings.read({"scale": "smoke", "results": results}, ROOT))


@pytest.fixture(scope="session")
def made_up(tmp_path_factory) -> Path:
    """Results of all studies: verdicts alternate, cubes and figures are stubs. For what only reads files."""
    import numpy as np
    import xarray as xr

    from dlatlas.cubes.cube import write_cube
    from dlatlas.identity.store import write_json
    from dlatlas.plotting.draw import save
    from dlatlas.plotting.style import new_figure

    plan = planned(tmp_path_factory.mktemp("atlas") / "results")
    for place, name in enumerate(plan.names):
        study, home = plan.sweep(name).study, plan.home(name)
        verdict = ("supported", "contradicted", "undecided", "not reproduced")[place % 4]
        record = {
            "study": name, "title": study.title, "scale": "smoke", "verdict": verdict, "runs": 1000 * (place + 1),
            "status": {"ok": 1000 * (place + 1) - 1, "diverged": 1, "failed": 0, "missing": 0},
            "holds": len(study.claims) if verdict == "supported" else 0, "by_chance": 0.025 * len(study.claims),
            "seeds": "0-19", "schema": 2, "identities": [],
            "claims": [claim_record(claim, verdict) for claim in study.claims], "cube": "0123456789abcdef0123",
        }  # fmt: skip
        write_json(home / "verdict.json", record)
        attributes = {"units": "1", "long_name": "training loss", "source": "test"}
        write_cube(xr.Dataset({"loss": ("seed", np.zeros(3), attributes)}), home / "cube.zarr")
        figure, (panel,) = new_figure()
        panel.plot([0, 1], [place, 1])
        signature = {"commit": "c0ffee", "dirty": True, "cube": record["cube"], "params": "feed", "again": "snakemake"}
        save(figure, home, study.title, json.dumps(signature))
    return plan.settings.results


@pytest.fixture
def made_up_plan(tmp_path: Path, made_up: Path) -> Plan:
    """A plan whose results exist; a copy, which the test may spoil."""
    return planned(Path(shutil.copytree(made_up, tmp_path / "results")))
