"""Folders of any name on a real SLURM cluster, where a job's command line passes through three shells."""

import json

NAME = "My Drive (1)/it's {run} $HOME [x] é"


def test_a_checkout_and_results_may_have_any_name(checkout, lab, tmp_path):
    repo = checkout(tmp_path / NAME)
    repo.own_environment()
    (repo.path / "random.py").write_text("raise SystemExit('taken for a module of Python')\n")
    done = repo.python("-P", "-m", "dlatlas", "new", "edge")
    assert done.returncode == 0, done.stderr
    results = tmp_path / NAME.replace("run", "digest") / '`res` "#1" <a> | x'
    process = lab.snakemake(repo, "--config", "scale=smoke", f"results={results}")
    assert process.wait(400) == 0, (repo.path / "snakemake.log").read_text()
    assert json.loads((results / "edge" / "verdict.json").read_text())["verdict"] == "supported"
    assert not (repo.path / "results").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"My Drive (1)"}
    assert len(list((tmp_path / "My Drive (1)").iterdir())) == 2
