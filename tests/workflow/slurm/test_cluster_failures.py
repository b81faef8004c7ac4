"""What goes wrong on clusters, done on purpose to a real one; the cube is always that of one machine."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NUMBERS = range(1, 9)
ONCE = dict.fromkeys(NUMBERS, 1)


def told(repo):
    return (repo.path / "snakemake.log").read_text()


def files(folder):
    """The content of every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def toil(checkout, tmp_path_factory):
    """A checkout with eight shards that do what they are told; nothing is made yet."""
    repo = checkout(tmp_path_factory.mktemp("toil") / "repo")
    shutil.copy(HERE / "toil_study.py", repo.path / "src/dltheory/toil.py")
    params = f"axes:\n  number: {list(NUMBERS)}\nshard_runs: 2\nscales:\n  smoke: {{axes: {{seed: [0, 1]}}}}\n"
    (repo.path / "params/toil.yaml").write_text(params)
    for name in ("orders", "release"):
        (repo.path / name).mkdir()
    code = (
        "import json; from pathlib import Path; from dlatlas.planning.plan import Plan, Settings\n"
        "sweep = Plan(Settings.read({'scale': 'smoke'}, Path('.'))).sweep('toil')\n"
        "print(json.dumps({shard.stacks[0].shared['number']: shard.digest for shard in sweep.shards}))"
    )
    repo.shards = {int(number): digest for number, digest in json.loads(repo.python("-c", code).stdout).items()}
    assert sorted(repo.shards) == list(NUMBERS)
    cost = {"runs": 2, "seconds": 1.0, "megabytes": 50.0, "stored_megabytes": 1.0}  # as `dlatlas plan` would say
    (repo.path / "results/plans").mkdir(parents=True)
    shards = dict.fromkeys(repo.shards.values(), cost)
    (repo.path / "results/plans/toil-smoke.json").write_text(json.dumps({"shards": shards}))
    return repo


@pytest.fixture(scope="module")
def whole(toil, tmp_path_factory):
    """Its cube, made on this machine without a fault."""
    repo = toil.copy(tmp_path_factory.mktemp("whole") / "repo")
    done = repo.snakemake("--until", "cube")
    assert done.returncode == 0, done.stdout + done.stderr
    return files(repo.path / "results/toil/cube.zarr")


def fresh(toil, to):
    repo = toil.copy(to)
    repo.shards = toil.shards
    return repo


def order(repo, number, what):
    (repo.path / "orders" / str(number)).write_text(what)


def release(repo, *numbers):
    for number in numbers:
        (repo.path / "release" / str(number)).touch()


def notes(repo, what):
    """How often each number was begun or done."""
    path = repo.path / "notes"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return Counter(int(number) for word, number, *_ in lines if word == what)


def queue(lab, repo, number, *states):
    """SLURM's jobs of a shard, in these states."""
    lines = lab.ask("squeue", "-h", "-o", "%i|%T|%N|%k").splitlines()
    found = [line.split("|") for line in lines if line.endswith(f"toil_{repo.shards[number]}")]
    return [(job, node) for job, state, node, _ in found if not states or state in states]


CANCELLED, LATE, GREEDY, REFUSING = 1, 2, 3, 4


@pytest.fixture(scope="module")
def storm(toil, lab, wait, tmp_path_factory):
    """One sweep during which nearly everything goes wrong; six jobs at once, eight are ready."""
    repo = fresh(toil, tmp_path_factory.mktemp("storm") / "repo")
    lab.dlatlas(repo, "cluster", "init")
    for number in (CANCELLED, LATE):
        order(repo, number, "hold")
    order(repo, GREEDY, "gorge")
    order(repo, REFUSING, "refuse")
    process = lab.snakemake(repo, "--until", "cube", "--jobs", "6", "--retries", "2")
    (late, _), *_ = wait("late", lambda: notes(repo, "begun")[LATE] and queue(lab, repo, LATE, "RUNNING"))
    lab.ask("scontrol", "update", f"JobId={late}", "TimeLimit=1")
    (job, _), *_ = wait("cancelled", lambda: notes(repo, "begun")[CANCELLED] and queue(lab, repo, CANCELLED, "RUNNING"))
    repo.seen = lab.status(repo)["toil"]
    lab.ask("scancel", job)
    lab.tell("stop", "slurmctld")
    time.sleep(5)
    lab.tell("start", "slurmctld")
    wait("slurmctld", lambda: "is UP" in lab.ask("scontrol", "ping", check=False))
    repo.code = process.wait(300)
    repo.after = lab.status(repo)["toil"]
    return repo


def test_a_failing_shard_stops_only_itself_and_the_report_says_which_and_why(storm):
    assert storm.code == 1
    assert notes(storm, "done") == {number: 1 for number in NUMBERS if number != REFUSING}
    assert notes(storm, "begun")[REFUSING] >= 3  # each attempt, and in halves
    assert f"digest={storm.shards[REFUSING]}" in told(storm)
    (failed,) = storm.after["shards"]["failed"]
    assert failed["digest"] == storm.shards[REFUSING]
    assert f"number {REFUSING} refuses" in failed["why"]
    assert storm.after["shards"]["done"] == len(NUMBERS) - 1


def test_a_cancelled_job_is_run_again(storm):
    assert notes(storm, "begun")[CANCELLED] == 2
    assert notes(storm, "done")[CANCELLED] == 1


def test_a_job_past_its_time_limit_is_run_again_with_more_time(storm):
    assert notes(storm, "begun")[LATE] == 2
    assert re.search(r"SLURM status is: 'TIMEOUT'", told(storm))
    asked = re.findall(rf"digest={storm.shards[LATE]}\n    resources: .*?runtime=(\d+)", told(storm))
    assert [int(minutes) for minutes in asked] == [5, 10]


def test_a_job_over_its_memory_is_run_again_with_more(storm):
    assert notes(storm, "begun")[GREEDY] == 2
    asked = re.findall(rf"digest={storm.shards[GREEDY]}\n    resources: .*?mem_mb=(\d+)", told(storm))
    assert [int(memory) for memory in asked] == [1275, 2550]


def test_no_more_jobs_are_in_the_queue_than_allowed_and_status_tells_while_it_runs(storm):
    seen = storm.seen["shards"]
    assert seen["running"] >= 2
    assert seen["done"] + seen["running"] + seen["waiting"] + len(seen["failed"]) == len(NUMBERS)
    events = re.findall(r"has been submitted|Error in rule|Finished jobid", told(storm))
    assert events[:7].count("has been submitted") == 6


def test_what_is_left_is_made_once_the_fault_is_mended_and_the_cube_is_the_local_one(storm, whole, lab):
    (storm.path / "orders" / str(REFUSING)).unlink()
    assert lab.snakemake(storm, "--until", "cube").wait(120) == 0, told(storm)
    assert notes(storm, "done") == ONCE
    assert files(storm.path / "results/toil/cube.zarr") == whole


@pytest.fixture
def held(toil, lab, wait, tmp_path):
    """A sweep on the cluster whose first four jobs run and wait, two on each node."""
    repo = fresh(toil, tmp_path / "repo")
    lab.dlatlas(repo, "cluster", "init")
    for number in NUMBERS:
        order(repo, number, "hold")
    repo.process = lab.snakemake(repo, "--until", "cube")
    wait("four jobs", lambda: sum(notes(repo, "begun").values()) == 4)
    yield repo
    if repo.process.poll() is None:  # a failed test leaves nothing to the next one
        os.killpg(repo.process.pid, signal.SIGKILL)
        lab.ask("scancel", "--user=root", check=False)


def test_a_drained_and_a_dead_node_lose_nothing(held, whole, lab, wait):
    lost = [number for number in NUMBERS for _, node in queue(lab, held, number, "RUNNING") if node == "n2"]
    assert len(lost) == 2
    lab.ask("scontrol", "update", "NodeName=n1", "State=DRAIN", "Reason=test")
    lab.tell("kill", "n2")
    try:
        wait("n2 down", lambda: "down" in lab.ask("sinfo", "-h", "-n", "n2", "-o", "%T"))
    finally:
        lab.ask("scontrol", "update", "NodeName=n1", "State=RESUME")
        lab.tell("start", "n2")
    release(held, *NUMBERS)  # SLURM itself starts what was on n2 again, after two minutes
    assert held.process.wait(240) == 0, told(held)
    assert notes(held, "begun") == {number: 2 if number in lost else 1 for number in NUMBERS}
    assert notes(held, "done") == ONCE
    assert files(held.path / "results/toil/cube.zarr") == whole


def test_a_killed_snakemake_started_again_takes_over_its_jobs(held, whole, lab, wait):
    os.killpg(held.process.pid, signal.SIGKILL)
    held.process.wait(10)
    left = {number: queue(lab, held, number) for number in NUMBERS}
    held.process = lab.snakemake(held, "--until", "cube")
    wait("new jobs", lambda: all(len(queue(lab, held, number)) == 2 for number in NUMBERS))
    release(held, *NUMBERS)
    assert held.process.wait(240) == 0, told(held)
    assert all(len(jobs) == 1 for jobs in left.values())
    assert notes(held, "done") == ONCE
    assert files(held.path / "results/toil/cube.zarr") == whole


def test_ctrl_c_cancels_the_jobs_and_the_next_run_finishes(held, whole, lab, wait):
    os.kill(held.process.pid, signal.SIGINT)
    assert held.process.wait(90) != 0
    wait("cancelled", lambda: not any(queue(lab, held, number, "PENDING", "RUNNING") for number in NUMBERS))
    assert not notes(held, "done")
    held.process = lab.snakemake(held, "--until", "cube")
    release(held, *NUMBERS)
    assert held.process.wait(240) == 0, told(held)
    assert notes(held, "done") == ONCE
    assert files(held.path / "results/toil/cube.zarr") == whole


def test_a_full_disk_is_told_and_the_next_run_makes_what_is_missing(toil, whole, lab, tmp_path):
    repo = fresh(toil, tmp_path / "repo")
    lab.dlatlas(repo, "cluster", "init")
    results, plan = repo.path / "results", (repo.path / "results/plans/toil-smoke.json").read_bytes()
    mount = ["mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", str(results)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system of its own can be mounted here: {mounted.stderr.strip()}")
    try:
        (results / "plans").mkdir()
        (results / "plans/toil-smoke.json").write_bytes(plan)
        assert lab.snakemake(repo, "--until", "cube", "--retries", "0").wait(240) != 0
        whole_ones = {n for n in NUMBERS if (results / f"toil/shards/{repo.shards[n]}.json").exists()}
        assert whole_ones < set(NUMBERS)
        said = "".join(path.read_text() for path in (repo.path / "logs/toil").glob("*.log"))
        assert re.search(r"(No space left on device|disk is full)", said)
        assert "Traceback" not in said
        subprocess.run(["mount", "-o", "remount,size=8m", str(results)], check=True)
        before = notes(repo, "begun")
        assert lab.snakemake(repo, "--until", "cube").wait(240) == 0, told(repo)
        again = notes(repo, "begun") - before
        assert not whole_ones & set(again)
        assert files(results / "toil/cube.zarr") == whole
    finally:
        subprocess.run(["umount", "--lazy", str(results)], check=False)
