import fcntl
import json
import os
from importlib.metadata import version
from pathlib import Path

import pytest

from dlatlas.cli import status
from dlatlas.cli.status import report
from dlatlas.planning.cluster import Job
from dlatlas.planning.plan import Plan, Settings
from dlatlas.planning.rerun import forget

ROOT = Path(__file__).parents[2]
STUDY = "triple_descent"


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.setattr(status, "jobs_of", lambda folder: iter(()))
    return Plan(Settings.read({"scale": "smoke", "studies": STUDY, "results": tmp_path / "results"}, ROOT))


def make(plan, shard, when=None):
    path = plan.shard_manifest(STUDY, shard.digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    if when:
        os.utime(path, (when, when))
    return path


def seen(plan, tmp_path):
    return report(plan, tmp_path / "logs")


def test_shards_are_done_running_waiting_or_failed(plan, tmp_path, monkeypatch):
    first, second, third, fourth, *others = plan.sweep(STUDY).shards
    make(plan, first)
    queue = [Job("1", "RUNNING", "train", STUDY, second.digest), Job("2", "PENDING", "train", STUDY, third.digest)]
    monkeypatch.setattr(status, "jobs_of", lambda folder: iter(queue))
    (tmp_path / "logs" / STUDY).mkdir(parents=True)
    for shard in (third, fourth):  # the third waits for its next attempt
        (tmp_path / "logs" / STUDY / f"train-{shard.digest}.log").write_text("error: no memory\nsomething else\n")
    shards = seen(plan, tmp_path)["studies"][STUDY]["shards"]
    assert (shards["done"], shards["running"], shards["waiting"]) == (1, 1, 1 + len(others))
    (failed,) = shards["failed"]
    assert (failed["digest"], failed["why"]) == (fourth.digest, "error: no memory")


def test_a_shard_whose_lock_is_held_runs_and_one_whose_holder_died_does_not(plan, tmp_path):
    first, second, *_ = plan.sweep(STUDY).shards
    for shard in (first, second):
        path = make(plan, shard)
        path.unlink()
        path.with_name(f".{path.name}.lock").touch()
    with path.with_name(f".{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert seen(plan, tmp_path)["studies"][STUDY]["shards"]["running"] == 1
    assert seen(plan, tmp_path)["studies"][STUDY]["shards"]["running"] == 0


def test_the_rate_and_the_time_left_follow_from_what_was_made(plan, tmp_path, monkeypatch):
    shards = plan.sweep(STUDY).shards
    for number, shard in enumerate(shards[:5]):
        make(plan, shard, 1000.0 + 10 * number)
    monkeypatch.setattr(status.time, "time", lambda: 1040.0)
    found = seen(plan, tmp_path)
    made, left = (sum(shard.size for shard in part) for part in (shards[1:5], shards[5:]))
    assert found["runs_per_second"] == pytest.approx(made / 40)
    assert found["seconds_left"] == pytest.approx(40 * left / made)
    monkeypatch.setattr(status.time, "time", lambda: 1e6)  # nothing was made in the last hour
    assert seen(plan, tmp_path)["seconds_left"] is None


def test_the_report_is_json_and_the_table_says_why(plan, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "logs" / STUDY / f"train-{plan.sweep(STUDY).shards[0].digest}.log"
    log.parent.mkdir(parents=True)
    log.write_text("error: [study] refuses\n")
    json.dumps(seen(plan, tmp_path))
    status.watched(plan, forever=False)
    assert "error: [study] refuses" in capsys.readouterr().out


def test_shards_of_another_torch_are_told_and_forgotten_when_asked(plan, tmp_path, capsys):
    shards = plan.sweep(STUDY).shards
    sweep, old = plan.sweep(STUDY), shards[0]
    runs = [sweep.run_id(run, stack.shared) for stack in old.stacks for run in sweep.runs(stack.index)]
    path = make(plan, old)
    record = {"versions": {"torch": "1.0", "numpy": version("numpy")}, "stacks": [{"runs": runs, "failed": {}}]}
    path.write_text(json.dumps(record))
    path.with_suffix(".safetensors").touch()
    twin, stranger = (path.with_name(f"{letter * 20}.json") for letter in "ab")  # of another sweep: one shares a run
    twin.write_text(json.dumps({"stacks": [{"runs": runs[:1], "failed": {}}]}))
    stranger.write_text(json.dumps({"stacks": [{"runs": ["other"], "failed": {}}]}))
    assert seen(plan, tmp_path)["studies"][STUDY]["other_versions"] == {"torch": ["1.0"]}
    status.watched(plan, forever=False)
    told = " ".join(capsys.readouterr().out.split())
    assert f"{STUDY} was made with torch 1.0, here is {version('torch')}; `dlatlas rerun {STUDY}` makes it anew" in told
    assert forget(plan, STUDY) == 2
    assert sorted(path.parent.iterdir()) == [stranger]
    assert seen(plan, tmp_path)["studies"][STUDY]["other_versions"] == {}
