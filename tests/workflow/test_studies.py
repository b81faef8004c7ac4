"""Eight studies of all kinds through the real Snakefile at smoke scale, and the page over them.

Every study runs in one process in tests/dltheory/test_studies.py; that Snakemake sees all of them is tested here.
"""

import json
import re
from pathlib import Path

import pytest
import xarray as xr

from dlatlas.declare.lab import Lab

pytestmark = [pytest.mark.workflow, pytest.mark.slow, pytest.mark.timeout(1500)]

LAB = Lab.read(Path(__file__).parents[2])
EIGHT = (
    "bias_variance_versus_width",
    "catapult_phase",
    "deep_matrix_factorization_rank",
    "double_descent",
    "gnn_wl_bound",
    "langevin_escape_kramers",
    "score_matching_wasserstein",
    "steepest_descent_max_margin",
)
"""Of each kind: trained, on data in files and drawn; solved; sampled."""


@pytest.fixture(scope="module")
def atlas(checkout, tmp_path_factory):
    repo = checkout(tmp_path_factory.mktemp("atlas") / "repo", EIGHT)
    repo.edit("src/dlatlas/judging/verdict.py", "DRAWS = 499", "DRAWS = 49")  # intervals are judged elsewhere
    repo.edit("src/dlatlas/judging/verdict.py", "SHUFFLES = 199", "SHUFFLES = 19")
    done = repo.snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    return repo


@pytest.mark.parametrize("name", EIGHT)
def test_a_study_ends_in_a_cube_a_verdict_and_a_figure(atlas, name):
    home = atlas.path / "results" / name
    record = json.loads((home / "verdict.json").read_text())
    assert [claim["name"] for claim in record["claims"]] == [claim.name for claim in LAB.study(name).claims]
    assert any(claim["estimate"] is not None for claim in record["claims"])
    assert all(claim["verdict"] == "undecided" for claim in record["claims"] if claim["estimate"] is None)
    assert record["status"]["failed"] == record["status"]["missing"] == 0
    cube = xr.open_zarr(home / "cube.zarr")
    for variable in cube.data_vars.values():
        assert {"units", "long_name", "source"} <= set(variable.attrs)
    assert (home / "figure.png").stat().st_size > 10_000


def test_a_second_run_does_nothing(atlas):
    assert atlas.jobs() == {}


def test_the_page_has_every_study(atlas):
    page = (atlas.path / "results" / "atlas" / "index.html").read_text()
    for name in EIGHT:
        assert re.search(rf'href="{name}\.html"', page)
        assert (atlas.path / "results" / "atlas" / f"{name}.html").is_file()


def test_verdicts_computed_again_from_the_cubes_alone_are_the_same(atlas):
    done = atlas.python("-m", "dlatlas", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("at scale smoke") == len(EIGHT)


def test_a_dry_run_sees_every_study(checkout, tmp_path):
    jobs = checkout(tmp_path / "repo", tuple(LAB.chapters)).jobs()
    assert jobs["cube"] == jobs["verdict"] == jobs["figure"] == len(LAB.chapters)
    assert jobs["atlas"] == 1
