"""Fixtures that several test files share."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

# Before NumPy and torch are imported: two test processes share the cores, and BLAS would take them all for each.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# A shell without job control starts background jobs deaf to Ctrl-C, and so would be what the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest  # noqa: E402

from dlatlas.planning.plan import Plan, Settings  # noqa: E402

ROOT = Path(__file__).parents[1]


FIRST = ("workflow/slurm/", "workflow/", "reproduction/", "studies/", "test_estimate", "training/")
"""Where the slow files are. They begin first, so that no test process is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first."""
    names = {item: item.path.relative_to(ROOT / "tests").as_posix() for item in items}
    places = {
        name: next((i for i, at in enumerate(FIRST) if name.startswith(at)), len(FIRST)) for name in names.values()
    }
    items.sort(key=lambda item: places[names[item]])


@pytest.fixture(scope="session")
def prepared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared data sets, made once a session."""
    from dlatlas.data.prepare import prepare

    folder = tmp_path_factory.mktemp("prepared") / "data"
    prepare(folder, ROOT / "data.dvc")
    return folder


@pytest.fixture(scope="session")
def smoke_cube(tmp_path_factory: pytest.TempPathFactory, prepared_data: Path) -> Callable:
    """``smoke_cube(study)`` computes a study's cube at smoke scale in this process, once a session."""
    made = {}

    def of(name: str):
        if name not in made:
            from dlatlas.cubes.assembly import assemble, gather
            from dlatlas.measures.job import measure_shard
            from dlatlas.training.job import compute_shard

            results = tmp_path_factory.mktemp(name)
            config = {"scale": "smoke", "studies": name, "data": prepared_data, "results": results}
            plan = Plan(Settings.read(config, ROOT))
            sweep, home = plan.sweep(name), plan.home(name)
            for shard in sweep.shards:
                compute_shard(sweep, shard, home / "shards", prepared_data)
            for digest, path in plan.measured(name).items():
                measure_shard(sweep, plan.shard(name, digest), plan.shard_manifest(name, digest), path, prepared_data)
            made[name] = assemble(sweep, *gather(sweep, home, plan.measured(name))).load()
        return made[name].copy(deep=True)

    return of
