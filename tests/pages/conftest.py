"""Results of every study, made up: the page only reads files."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from dlatlas.cubes.cube import write_cube
from dlatlas.identity.store import write_json
from dlatlas.planning.plan import Plan, Settings
from dlatlas.plotting.draw import save
from dlatlas.plotting.style import new_figure

ROOT = Path(__file__).parents[2]
VERDICTS = ("supported", "refuted", "undecided")


def claim_record(claim, verdict):
    bounds = [bound if np.isfinite(bound) else None for bound in claim.expected.bounds()]
    return {
        "name": claim.name, "statement": claim.statement, "source": claim.source, "quantity": claim.quantity,
        "expected": str(claim.expected), "bounds": bounds,
        "estimate": -0.503, "interval": [-0.52, -0.49], "seeds": 20, "runs": 1234, "verdict": verdict,
        "reason": "because", "control": {"statement": "none", "estimate": 0.0, "interval": [-0.1, 0.1], "fails": True},
        "permutation": {"along": "width", "draws": 199, "p": 0.005, "still_supporting": 0.0},
    }  # fmt: skip


def planned(results: Path) -> Plan:
    return Plan(Settings.read({"scale": "smoke", "results": results}, ROOT))


@pytest.fixture(scope="session")
def made_up(tmp_path_factory) -> Path:
    """Results of all studies: verdicts alternate, cubes and figures are stubs."""
    plan = planned(tmp_path_factory.mktemp("atlas") / "results")
    for place, name in enumerate(plan.names):
        study, home = plan.sweep(name).study, plan.home(name)
        verdict = VERDICTS[place % 3]
        record = {
            "study": name, "title": study.title, "scale": "smoke", "verdict": verdict, "runs": 1000 * (place + 1),
            "status": {"ok": 1000 * (place + 1) - 1, "diverged": 1, "failed": 0, "missing": 0},
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
def plan(tmp_path, made_up) -> Plan:
    """A plan whose results exist; a copy, which the test may spoil."""
    return planned(Path(shutil.copytree(made_up, tmp_path / "results")))


@pytest.fixture
def renamed(plan):
    """``renamed(title)``: the plan with the first study's title changed."""

    def change(**fields):
        sweep = plan.sweep(plan.names[0])
        sweep.study = dataclasses.replace(sweep.study, **fields)
        return plan

    return change
