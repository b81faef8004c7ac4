"""The whole chain where every folder is named as people name them, and as no shell would like it."""

import json
import shutil

import pytest
import xarray as xr

from dlatlas.publishing.publish import STAGES

from .conftest import ROOT, Committed, checkout

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

NAME = "My Drive (1)/it's {run} $HOME [x] é"
"""Space, brackets, quote, wildcard, variable, glob, a letter beyond ASCII."""


def commit_all(repo):
    for name in (".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore"):
        (repo.path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, repo.path / name)
    (repo.path / "results").mkdir()
    (repo.path / "results" / ".gitkeep").touch()
    repo.git("init", "--quiet", "--initial-branch=main")
    store = str(repo.path.parent / "store 'a' {b} $HOME")
    for words in (["add", "-d", "store", store], ["modify", "store", "verify", "true"]):
        assert repo.dvc("remote", *words).returncode == 0
    repo.commit("Everything")


@pytest.fixture(scope="module")
def repo(once):
    """Made in a folder of that name, committed before, published after."""

    def make(home):
        made = Committed(checkout(home / NAME).path)
        for name in ("random", "difflib", "code"):  # which a job, Snakemake and torch import
            (made.path / f"{name}.py").write_text("raise SystemExit('taken for a module of Python')\n")
        made.own_environment()
        assert made.dlatlas("new", "edge").returncode == 0
        commit_all(made)
        done = made.snakemake()
        assert done.returncode == 0, done.stdout + done.stderr
        done = made.dlatlas("publish", "--scale", "smoke")
        assert done.returncode == 0, done.stdout + done.stderr
        made.commit("Publish")

    return Committed(once("folders", make) / NAME)


def test_a_checkout_may_have_any_name(repo):
    assert json.loads((repo.path / "results" / "edge" / "verdict.json").read_text())["verdict"] == "supported"
    assert repo.jobs() == {}
    assert repo.git("status", "--porcelain") == ""


def test_whence_check_and_export_take_any_name(repo, tmp_path):
    folder = tmp_path / NAME
    folder.mkdir(parents=True)
    figure = shutil.copy(repo.path / "results" / "edge" / "figure.png", folder)
    assert repo.git("rev-parse", "HEAD~1") in repo.dlatlas("whence", str(figure)).stdout
    archive = folder / "edge.zip"
    assert repo.dlatlas("export", "edge", "--scale", "smoke", "--to", str(archive)).returncode == 0
    done = repo.dlatlas("check", str(archive), "edge")
    assert done.returncode == 0, done.stderr
    assert "files verified" in done.stdout


def test_reproduce_and_pull_take_any_name(repo, tmp_path):
    clone = repo.clone(tmp_path / NAME)
    clone.env["XDG_CACHE_HOME"] = str(tmp_path / "cache {of} 'it' $HOME")
    done = clone.dlatlas("pull")
    assert done.returncode == 0, done.stderr
    assert clone.jobs() == {}
    done = clone.dlatlas("reproduce", "HEAD", "--env", "current", "--cores", "1", "--from", "scratch")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "identical" in done.stdout


def test_results_and_data_may_lie_in_a_folder_of_any_name(repo, tmp_path):
    results, data = tmp_path / NAME / "res {digest} <a> #1 %j", tmp_path / NAME / "data, 12"
    done = repo.python(
        "-P", "-m", "snakemake", "--cores", "1", "--config", "scale=smoke", f"results={results}", f"data={data}"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert all((results / "edge" / file).exists() for files in STAGES.values() for file in files)
    assert "loss" in str(list(xr.open_zarr(results / "edge" / "cube.zarr")))
    assert repo.git("status", "--porcelain") == ""
    assert [path.name for path in (tmp_path / NAME).iterdir()] == [results.name]


def test_commands_find_the_checkout_from_a_folder_in_it(repo):
    for command in ("list", "status"):
        words = ("-P", "-m", "dlatlas", command, "--scale", "smoke")
        here, below = repo.python(*words), repo.python(*words, cwd=repo.path / "src" / "dlatlas")
        assert here.returncode == 0, here.stderr
        assert below.stdout == here.stdout
        assert "supported" in here.stdout or "cube verdict figure" in here.stdout
    words = ("-P", "-m", "snakemake", "-n", "--snakefile", "../../Snakefile", "--config", "scale=smoke")
    done = repo.python(*words, cwd=repo.path / "src" / "dlatlas")
    assert "Nothing to be done" in done.stdout + done.stderr
    done = repo.python(*words, "results=new", cwd=repo.path / "src" / "dlatlas")
    assert " src/dlatlas/new/edge/shards/" in done.stdout + done.stderr


def test_the_code_of_another_checkout_is_refused(repo):
    env = {**repo.env, "PYTHONPATH": str(ROOT / "src")}
    for words in (["snakemake", "-n"], ["dlatlas", "list"], ["dlatlas", "whence", "results/edge/figure.svg"]):
        done = repo.python("-P", "-m", *words, env=env)
        assert done.returncode == 1
        said = f"this checkout is {repo.path}, but dlatlas is imported from {ROOT / 'src' / 'dlatlas'}"
        assert said in done.stdout + done.stderr
