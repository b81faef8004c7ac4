"""Code that is edited while a job runs: nothing is stored under the name of other code."""

import shutil
import subprocess
import sys
import time

import pytest
import xarray as xr

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

WAIT = """
import os, sys, time
from pathlib import Path
if "job" in sys.argv and "RACE" in os.environ:
    Path(os.environ["RACE"]).touch()
    while Path(os.environ["RACE"]).exists():
        time.sleep(0.05)
"""
"""In the study's file: a job has read the code that names are made of, and waits while it is edited."""


def test_an_edit_between_a_job_s_start_and_its_imports_stores_nothing_and_the_next_run_is_right(
    repo, finished, tmp_path
):
    shutil.rmtree(repo.path / "results")
    helper, marker = repo.path / "src/dltheory/theory/late_scale.py", tmp_path / "waiting"
    helper.write_text("SCALE = 2.0\n")
    study = "src/dltheory/edge.py"
    late = "    from dltheory.theory.late_scale import SCALE\n\n    return {'lr': SCALE * built"
    repo.edit(study, '    return {"lr": built', late)
    repo.edit(study, "EDGE = 2.0\n", f"EDGE = 2.0\n{WAIT}")
    words = [sys.executable, "-m", "snakemake", "--cores", "1", "--until", "measure", "--config", "scale=smoke"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(words, cwd=repo.path, env={**repo.env, "RACE": str(marker)}, stdout=log, stderr=log)
        while process.poll() is None:
            if marker.exists():
                helper.write_text("SCALE = 1.0\n")  # as long, and perhaps in the same second
                marker.unlink()
            time.sleep(0.05)
    assert process.returncode != 0
    text = (tmp_path / "log").read_text()
    assert "late_scale.py: the code changed while this ran, so nothing of it is stored; run again" in text
    assert "Traceback" not in text
    assert not list((repo.path / "results" / "edge").rglob("*.safetensors"))
    done = repo.snakemake("--until", "cube")
    assert done.returncode == 0, done.stdout + done.stderr
    cube, right = (xr.open_zarr(which.path / "results/edge/cube.zarr") for which in (repo, finished))
    xr.testing.assert_equal(cube["train_loss"].load(), right["train_loss"].load())
