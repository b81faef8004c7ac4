"""A reviewer's story: clone, pull, reproduce a commit, meddle, be told. Real git, real DVC, the real Snakefile."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def clone(published, tmp_path):
    """A clone of the published checkout, with a cache of its own."""
    repo = published.clone(tmp_path / "clone")
    repo.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    return repo


@pytest.fixture
def own_remote(published, clone, tmp_path):
    """A copy of the remote that this test may spoil."""
    url = published.python("-m", "dvc", "remote", "list").stdout.split()[1]
    store = shutil.copytree(url, tmp_path / "own")
    assert clone.dvc("remote", "modify", "store", "url", str(store)).returncode == 0
    return store


def reproduce(repo, *words, **variables):
    """The exit code, the comparisons by their reference, and what stood on the error stream."""
    before = repo.git("status", "--porcelain"), repo.git("worktree", "list")
    repo.env.update(variables)
    done = repo.dlatlas("reproduce", *words, "--json")
    assert done.stdout, done.stderr
    record = json.loads(done.stdout)
    assert (repo.git("status", "--porcelain"), repo.git("worktree", "list")) == before
    (study,) = record["studies"]
    assert study["study"] == "edge"
    assert study["error"] is None, done.stderr
    return done.returncode, {item["reference"]: item for item in study["against"]}, done.stderr


def outcomes(items):
    return {name: item["outcome"] for name, item in items.items()}


def drifts(item):
    return [f"{drift['kind']}: {drift['said']}" for drift in item["drift"]]


ALL = ("ledger", "published results", "results here")


def test_a_clone_with_pulled_results_has_nothing_to_do_and_both_head_and_an_older_commit_are_reproduced(clone):
    assert clone.dlatlas("pull", "edge").returncode == 0
    assert clone.dvc("pull", "--quiet", "results/atlas.dvc").returncode == 0
    assert clone.jobs() == {}
    code, items, told = reproduce(clone, "HEAD")
    assert (code, outcomes(items)) == (0, dict.fromkeys(ALL, "identical"))
    assert items["published results"]["figure"] == {"outcome": "identical", "differences": []}
    assert items["published results"]["reused"]
    assert "edge from store: whole" in told
    assert "rule train" not in next((clone.path / "results/reproduced").rglob("snakemake-smoke.log")).read_text()
    clone.edit("params/edge.yaml", "seed: {range: 3}", "seed: {range: 4}")
    clone.edit("src/dltheory/edge.py", "EDGE = 2.0", "EDGE = 3.0")
    clone.commit("Go on")
    code, items, _ = reproduce(clone, "HEAD~1", "edge")
    assert (code, outcomes(items)) == (0, dict.fromkeys(ALL, "identical"))


def test_the_readme_s_command_works_in_a_fresh_clone_without_a_remote_on_another_processor(clone):
    """One thread against two, plain instructions against AVX2: other bits, no other science."""
    assert clone.dvc("remote", "remove", "store").returncode == 0
    ledger = clone.path / "results" / "ledger" / "edge.json"
    record = json.loads(ledger.read_text())
    record["versions"]["numpy"] = "1.0"
    ledger.write_text(json.dumps(record, indent=1, sort_keys=True))
    head = clone.commit("Lose the remote; say that another NumPy made it")
    (clone.path / "Snakefile").write_text("a dirty tree is no obstacle")
    section = README.read_text().split("## Reproduce a figure")[1]
    words = re.search(r"^dlatlas (reproduce [^#\n]*)", section, flags=re.MULTILINE)[1].split()
    clone.env.update(OMP_NUM_THREADS="2", ATEN_CPU_CAPABILITY="default")
    done = clone.dlatlas(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no DVC remote: everything is computed again" in done.stderr
    assert re.search(r"edge +smoke +ledger +– +(= identical|≈ within tolerance)", done.stdout)
    report = json.loads((clone.path / "results" / "reproduced" / head[:12] / "report.json").read_text())
    (item,) = report["studies"][0]["against"]
    assert item["verdict"]["outcome"] == "identical"
    for difference in item["cube"]["differences"]:
        assert difference["deviation"] < 1e-3, difference
    (library,) = drifts(item)
    assert library.startswith("library: made with numpy 1.0, here 2.")


def test_another_initialisation_and_another_number_are_named(clone):
    assert clone.dlatlas("pull", "edge").returncode == 0
    clone.edit("src/dlatlas/models/mlp.py", "std=scale * gain /", "std=2 * scale * gain /")
    clone.edit("params/edge.yaml", "steps: 200", "steps: 190")
    clone.commit("Meddle")
    code, items, _ = reproduce(clone, "HEAD", "--from", "data")
    assert code == 1
    assert set(outcomes(items).values()) == {"different"}
    for item in items.values():
        assert drifts(item)[0] == "params: params of edge: fixed.steps: 200 → 190"
        assert "code: run: dlatlas.models.mlp:MLP changed" in drifts(item)
    assert any(d["what"] == "coordinate step" for d in items["results here"]["cube"]["differences"])
    assert (clone.path / items["results here"]["side_by_side"]).is_file()


def test_one_byte_in_the_remote_is_named_and_the_study_computed_again(clone, own_remote):
    folder = yaml.safe_load((clone.path / "results" / "edge.dvc").read_text())["outs"][0]["md5"]
    listing = json.loads((own_remote / "files" / "md5" / folder[:2] / folder[2:]).read_text())
    (wanted,) = [entry for entry in listing if entry["relpath"] == "cube.zarr/train_loss/c/0/0/0/0"]
    chunk = own_remote / "files" / "md5" / wanted["md5"][:2] / wanted["md5"][2:]
    content = bytearray(chunk.read_bytes())
    content[-1] ^= 1
    chunk.chmod(0o644)
    chunk.write_bytes(content)
    code, items, told = reproduce(clone, "HEAD")
    file = "results/edge/cube.zarr/train_loss/c/0/0/0/0"
    assert f"edge from store: {file} is damaged" in told
    assert outcomes(items) == {"ledger": "identical", "published results": "different"}
    assert any(f"{file}: not the bytes that were published" in line for line in drifts(items["published results"]))
    assert code == 1
