"""Publishing as a user meets it: real git, real DVC, the real Snakefile."""

import json
import re
import shutil

import pytest
import xarray as xr

from dlatlas.publishing.ledger import read_ledger, variable_digest, write_entry

pytestmark = pytest.mark.workflow

PUBLISH = ("publish", "--scale", "smoke")


@pytest.fixture
def tree(committed, tmp_path):
    """A copy of the committed checkout, to be spoilt by one test."""
    return committed.copy(tmp_path / "repo")


def refused(repo, *words):
    """What publishing says when it refuses; it must leave everything as it was."""
    before = repo.git("status", "--porcelain")
    done = repo.dlatlas(*(words or PUBLISH))
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1, done.stderr
    assert repo.git("status", "--porcelain") == before
    return done.stderr


def test_a_fresh_clone_with_pulled_results_runs_nothing(published, tmp_path):
    clone = published.clone(tmp_path / "clone")
    assert clone.jobs() == {"train": 1, "measure": 1, "cube": 1, "verdict": 1, "figure": 1, "atlas": 1}
    done = clone.dvc("pull", "--quiet", *(f"results/{name}.dvc" for name in ("edge", "atlas")))
    assert done.returncode == 0, done.stderr
    assert not (clone.path / "results" / "edge" / "shards").exists()
    assert clone.jobs() == {}
    assert clone.git("status", "--porcelain") == ""
    done = clone.dlatlas("check", "edge")
    assert done.returncode == 0, done.stderr


def test_an_edited_claim_is_judged_from_the_pulled_cube_and_the_ledger_s_diff_is_what_changed(published, tmp_path):
    clone = published.clone(tmp_path / "clone")
    assert clone.dlatlas("pull", "edge").returncode == 0
    clone.edit("src/dltheory/edge.py", ">= 0.95", ">= 1.5")
    clone.commit("Ask for more")
    assert clone.jobs() == {"verdict": 1, "figure": 1, "atlas": 1}
    done = clone.snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    page = (clone.path / "results" / "atlas" / "edge.html").read_text()
    assert "torch 2." in page
    assert not re.search(r"\b0 s of computing", page)
    done = clone.dlatlas(*PUBLISH)
    assert done.returncode == 0, done.stderr
    diff = clone.git("diff", "--unified=0", "results/ledger").splitlines()
    changed = {line.strip("+-, ").split(":")[0] for line in diff if line[0] in "+-" and line[1:3] not in ("++", "--")}
    assert changed - {'"control_fails"', '"date"', '"p"'} == {'"commit"', '"verdict"'}


def test_publishing_leaves_pointers_and_a_ledger_of_what_is_on_disk(published):
    names = published.git("show", "--name-only", "--format=", "HEAD").split()
    assert names == ["results/atlas.dvc", "results/edge.dvc", "results/ledger/edge.json"]
    (entry,) = read_ledger(published.path).values()
    home = published.path / "results" / "edge"
    verdict = json.loads((home / "verdict.json").read_text())
    cube = xr.open_zarr(home / "cube.zarr")
    assert entry["commit"] == published.git("rev-parse", "HEAD^")
    assert (entry["cube"], entry["scale"], entry["runs"]) == (verdict["cube"], "smoke", 42)
    assert entry["verdict"]["claims"]["edge at two"]["estimate"] == verdict["claims"][0]["estimate"]
    assert set(entry["variables"]) == set(cube.data_vars)
    for name, held in entry["variables"].items():
        assert held["digest"] == variable_digest(cube[name].values)
    assert entry["data"] is None
    assert None not in entry["versions"].values()
    assert set(entry["code"]) == {"run", "measure", "cube", "verdict", "figure"}


def test_publishing_again_changes_nothing(published, tmp_path):
    repo = published.copy(tmp_path / "repo")
    done = repo.dlatlas(*PUBLISH)
    assert done.returncode == 0, done.stderr
    assert f"edge: unchanged since {published.git('rev-parse', 'HEAD^')[:12]}" in done.stdout
    assert repo.git("status", "--porcelain") == ""


def test_uncommitted_changes_cannot_be_published(tree):
    tree.edit("params/edge.yaml", "seed: {range: 3}", "seed: {range: 3}  # no change")
    (tree.path / "notes.txt").write_text("")
    assert "uncommitted changes cannot enter the ledger; commit or remove: notes.txt, params/edge.yaml" in refused(tree)


def test_results_of_other_params_cannot_be_published(tree):
    tree.edit("params/edge.yaml", "seed: {range: 3}", "seed: {range: 4}")
    tree.commit("Another seed")
    assert "results/edge: its cube is not that of params, code and data at scale smoke" in refused(tree)
    assert "at scale laptop" in refused(tree, "publish")


def test_a_verdict_of_another_cube_cannot_be_published(tree):
    path = tree.path / "results" / "edge" / "verdict.json"
    record = json.loads(path.read_text())
    held = record["cube"]
    record["cube"] = "0" * 20
    path.write_text(json.dumps(record))
    assert f"edge/verdict.json: judged on cube {'0' * 20}, cube.zarr is {held}" in refused(tree)


def test_a_corrupted_cube_cannot_be_published(tree):
    chunk = next(p for p in (tree.path / "results/edge/cube.zarr/train_loss/c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-1])
    assert f"{chunk.relative_to(tree.path)}: corrupted" in refused(tree)


def test_a_figure_drawn_from_uncommitted_changes_cannot_be_published(tree):
    path = tree.path / "results" / "edge" / "figure.svg"
    text, changed = re.subn(r"(dirty[^,]*: )false", r"\1true", path.read_text())
    assert changed == 1
    path.write_text(text)
    said = refused(tree)
    assert "results/edge/figure.svg: drawn from uncommitted changes; draw again: rm results/edge/figure.svg && " in said


def test_a_helper_that_git_ignores_or_takes_for_unchanged_cannot_be_published(tree):
    (tree.path / ".git" / "info" / "exclude").write_text("_mine.py\n")
    helper = tree.path / "src" / "dltheory" / "theory" / "_mine.py"
    helper.write_text("SCALE = 2\n")
    assert refused(tree).endswith("commit or remove: src/dltheory/theory/_mine.py\n")
    helper.unlink()
    tree.git("update-index", "--assume-unchanged", "src/dltheory/edge.py")
    tree.edit("src/dltheory/edge.py", ">= 0.95", ">= 0.94")
    assert refused(tree).endswith("commit or remove: src/dltheory/edge.py\n")


def test_variables_of_a_hook_publish_no_other_commit(tree, tmp_path):
    commit = tree.git("rev-parse", "HEAD")
    tree.git("init", "--quiet", str(tmp_path / "other"))
    tree.env |= {"GIT_DIR": str(tmp_path / "other" / ".git"), "GIT_WORK_TREE": str(tmp_path / "other")}
    done = tree.dlatlas(*PUBLISH)
    assert done.returncode == 0, done.stderr
    assert json.loads((tree.path / "results" / "ledger" / "edge.json").read_text())["commit"] == commit


def test_a_remote_that_does_not_verify_is_refused(tree, tmp_path):
    assert tree.dvc("remote", "add", "-d", "store", str(tmp_path / "store")).returncode == 0
    tree.commit("Add a remote")
    said = refused(tree)
    assert "remote store: verify is off" in said
    assert "`dvc remote modify store verify true`" in said
    assert "no remote 'stor'; there are: store" in refused(tree, *PUBLISH, "--remote", "stor")
    assert not (tmp_path / "store").exists()


def test_without_a_remote_everything_but_the_push_is_done(tree):
    done = tree.dlatlas(*PUBLISH)
    assert done.returncode == 0, done.stderr
    assert "not pushed: there is no remote" in done.stdout
    assert (tree.path / "results" / "edge.dvc").is_file()
    assert "there is no remote to pull from" in refused(tree, "pull")


def test_what_is_no_study_any_more_leaves_the_ledger(published, tmp_path):
    repo = published.copy(tmp_path / "repo")
    write_entry(repo.path, "gone", read_ledger(repo.path)["edge"])
    done = repo.dlatlas(*PUBLISH)
    assert done.returncode == 0, done.stderr
    assert "gone: no longer a study; `git rm results/gone.dvc`" in done.stdout
    assert repo.git("status", "--porcelain") == ""


def test_the_data_are_published_too_and_their_pointer_stays_as_it_is(tree, prepared_data, tmp_path):
    shutil.copytree(prepared_data, tree.path / "data")
    settings = f'[core]\n    remote = near\n[remote "near"]\n    url = {tmp_path / "store"}\n    verify = true\n'
    (tree.path / ".dvc" / "config.local").write_text(settings)
    done = tree.dlatlas(*PUBLISH)
    assert done.returncode == 0, done.stderr
    assert tree.git("status", "--porcelain", "data.dvc") == ""
    tree.commit("Publish")
    clone = tree.clone(tmp_path / "clone")
    (clone.path / ".dvc" / "config.local").write_text(settings)
    assert clone.dlatlas("pull").returncode == 0
    assert sorted(path.name for path in (clone.path / "data").iterdir()) == sorted(
        path.name for path in prepared_data.iterdir()
    )
    assert clone.jobs() == {}
    with (tree.path / "data" / "digits.safetensors").open("ab") as file:
        file.write(b"0")
    assert "data/digits.safetensors: digest" in refused(tree)


def test_one_study_can_be_published_alone(tree):
    done = tree.dlatlas(*PUBLISH, "edge")
    assert done.returncode == 0, done.stderr
    assert "edge: supported, cube" in done.stdout
    shutil.rmtree(tree.path / "results" / "edge" / "stamps")
    assert "unknown study" in refused(tree, *PUBLISH, "egde")
