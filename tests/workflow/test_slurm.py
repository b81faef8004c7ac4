"""The pipeline on a real SLURM cluster of two small nodes, one with fake GPUs, and what goes wrong on clusters."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROFILE = "workflow/profiles/slurm"
STUDIES = ("catapult_phase", "conv_layer_singular_values_fft", "lazy_vs_mean_field_scaling")
NUMBERS = range(1, 9)

ONCE = dict.fromkeys(NUMBERS, 1)

PLACES = f"{os.environ['PATH']}:/usr/sbin"
MISSING = [name for name in ("slurmctld", "slurmd", "munged", "sbatch") if not shutil.which(name, path=PLACES)]
pytestmark = [
    pytest.mark.slurm,
    pytest.mark.workflow,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"no {', '.join(MISSING)}: apt-get install slurm-wlm munge"),
    pytest.mark.skipif(os.geteuid() != 0, reason="the test cluster needs root"),
]


def wait(what, ready, seconds=90.0):
    """What ``ready`` returns as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        time.sleep(0.3)
    return found


class Lab:
    """The cluster, and its commands."""

    def __init__(self, home):
        words = [sys.executable, HERE / "slurm_lab.py", home]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        said = dict(re.findall(r"(\w+)=(\S+)", self.process.stdout.readline()))
        self.env = {"SLURM_CONF": said["SLURM_CONF"], "PATH": said["PATH"].replace("$PATH", os.environ["PATH"])}

    def tell(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def ask(self, *words, check=True):
        done = subprocess.run(
            words, env={**os.environ, **self.env}, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("slurm"))
    yield lab
    lab.close()


def site(repo, lab):
    """Writes the site file as a user would."""
    done = subprocess.run(
        [sys.executable, "-m", "dlatlas", "cluster", "init"],
        cwd=repo.path, env={**repo.env, **lab.env}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def start(repo, lab, *words):
    """What the user types, in the background; tests look at the queue sooner than people."""
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", PROFILE, "--config", "scale=smoke"]
    quick = ["--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "20", "--slurm-keep-successful-logs"]
    log = (repo.path / "snakemake.log").open("ab")
    return subprocess.Popen(
        [*command, *quick, *words], cwd=repo.path, env={**repo.env, **lab.env, "OMP_NUM_THREADS": "1"},
        stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip


def told(repo):
    return (repo.path / "snakemake.log").read_text()


def files(folder):
    """The content of every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# Three studies.


@pytest.fixture(scope="module")
def pair(checkout, lab, tmp_path_factory):
    """Three studies made on the cluster and, at the same time, on this machine."""
    here = checkout(tmp_path_factory.mktemp("here") / "repo", STUDIES)
    here.edit("src/dlatlas/verdict.py", "DRAWS = 499", "DRAWS = 49")  # the same on both sides, sooner
    there = here.copy(tmp_path_factory.mktemp("there") / "repo")
    there.site = site(there, lab)
    process = start(there, lab)
    done = here.snakemake("--cores", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert process.wait(400) == 0, told(there)
    return here, there


def test_init_finds_partitions_and_gpu(pair):
    assert "partition: cpu\n" in pair[1].site
    assert "gpu_partition: gpu\ngpus: 1\n" in pair[1].site
    assert "max_minutes: 600\n" in pair[1].site
    assert "max_mb: 6000\n" in pair[1].site


def test_shards_measures_cubes_and_verdicts_are_jobs_and_the_short_rules_are_not(pair):
    submitted = re.findall(r"Job \d+ has been submitted .*/rule_(\w+?)/", told(pair[1]))
    assert set(submitted) == {"train", "measure", "cube", "verdict"}
    assert Counter(submitted)["cube"] == len(STUDIES)


@pytest.mark.parametrize("study", STUDIES)
def test_the_cluster_s_cube_is_the_local_one(pair, study):
    here, there = (files(repo.path / "results" / study / "cube.zarr") for repo in pair)
    assert len(here) > 10
    assert here == there


def test_the_cluster_s_page_is_the_local_one(pair):
    def page(repo):
        found = files(repo.path / "results" / "atlas")
        return {
            name: re.sub(rb"\d[\d.,]*\s*(ms|s|min|h)\b|\d+ of (run|machine) time", b"TIME", content)
            for name, content in found.items()
            if not name.startswith("stamps")
        }

    here, there = (page(repo) for repo in pair)
    assert set(here) == set(there)
    assert "index.html" in here
    assert [name for name in here if here[name] != there[name]] == []


def test_a_training_is_given_a_gpu_and_a_solve_is_not(pair):
    logs = pair[1].path / "logs"
    (training,) = (logs / "catapult_phase").glob("train-*.log")
    assert "SLURM gave this job GPU 0, but torch sees no CUDA device" in training.read_text()
    assert "GPU" not in next((logs / "conv_layer_singular_values_fft").glob("train-*.log")).read_text()
    text = told(pair[1])
    assert "gpu=1, slurm_partition=gpu" in text.split("study=catapult_phase")[1].splitlines()[1]
    assert "slurm_partition=cpu" in text.split("study=conv_layer")[1].splitlines()[1]


# Failures.


@pytest.fixture(scope="module")
def toil(checkout, tmp_path_factory):
    """A checkout with eight shards that do what they are told; nothing is made yet."""
    repo = checkout(tmp_path_factory.mktemp("toil") / "repo")
    shutil.copy(HERE / "toil_study.py", repo.path / "src/dlatlas/studies/toil.py")
    params = f"axes:\n  number: {list(NUMBERS)}\nshard_runs: 2\nscales:\n  smoke: {{axes: {{seed: [0, 1]}}}}\n"
    (repo.path / "params/toil.yaml").write_text(params)
    for name in ("orders", "release"):
        (repo.path / name).mkdir()
    code = (
        "import json; from pathlib import Path; from dlatlas.plan import Plan, Settings\n"
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


def status(repo, lab):
    words = [sys.executable, "-m", "dlatlas", "status", "--scale", "smoke", "--params", "params", "--json"]
    done = subprocess.run(
        words, cwd=repo.path, env={**repo.env, **lab.env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["studies"]["toil"]


CANCELLED, LATE, GREEDY, REFUSING, ON_THE_DEAD = 1, 2, 3, 4, 5


@pytest.fixture(scope="module")
def storm(toil, lab, tmp_path_factory):
    """One sweep during which nearly everything goes wrong; six jobs at once, eight are ready."""
    repo = fresh(toil, tmp_path_factory.mktemp("storm") / "repo")
    site(repo, lab)
    for number in (CANCELLED, LATE):
        order(repo, number, "hold")
    order(repo, GREEDY, "gorge")
    order(repo, REFUSING, "refuse")
    process = start(repo, lab, "--until", "cube", "--jobs", "6", "--retries", "2")
    (late, _), *_ = wait("late", lambda: notes(repo, "begun")[LATE] and queue(lab, repo, LATE, "RUNNING"))
    lab.ask("scontrol", "update", f"JobId={late}", "TimeLimit=1")
    (job, _), *_ = wait("cancelled", lambda: notes(repo, "begun")[CANCELLED] and queue(lab, repo, CANCELLED, "RUNNING"))
    repo.seen = status(repo, lab)
    lab.ask("scancel", job)
    lab.tell("stop", "slurmctld")
    time.sleep(5)
    lab.tell("start", "slurmctld")
    wait("slurmctld", lambda: "is UP" in lab.ask("scontrol", "ping", check=False))
    repo.code = process.wait(300)
    repo.after = status(repo, lab)
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
    assert start(storm, lab, "--until", "cube").wait(120) == 0, told(storm)
    assert notes(storm, "done") == ONCE
    assert files(storm.path / "results/toil/cube.zarr") == whole


def test_a_drained_and_a_dead_node_lose_nothing(toil, whole, lab, tmp_path):
    repo = fresh(toil, tmp_path / "repo")
    site(repo, lab)
    for number in NUMBERS[:4]:
        order(repo, number, "hold")
    process = start(repo, lab, "--until", "cube")
    wait("four jobs", lambda: sum(notes(repo, "begun").values()) == 4)
    nodes = [node for number in NUMBERS for _, node in queue(lab, repo, number, "RUNNING")]
    assert sorted(nodes) == ["n1", "n1", "n2", "n2"]
    lab.ask("scontrol", "update", "NodeName=n1", "State=DRAIN", "Reason=test")
    lab.tell("kill", "n2")
    try:
        wait("n2 down", lambda: "down" in lab.ask("sinfo", "-h", "-n", "n2", "-o", "%T"))
    finally:
        lab.ask("scontrol", "update", "NodeName=n1", "State=RESUME")
        lab.tell("start", "n2")
    release(repo, *NUMBERS)
    assert process.wait(240) == 0, told(repo)
    assert notes(repo, "done") == ONCE
    assert files(repo.path / "results/toil/cube.zarr") == whole


def test_a_killed_snakemake_started_again_takes_over_its_jobs(toil, whole, lab, tmp_path):
    repo = fresh(toil, tmp_path / "repo")
    site(repo, lab)
    for number in NUMBERS[:4]:
        order(repo, number, "hold")
    first = start(repo, lab, "--until", "cube")
    wait("four jobs", lambda: sum(notes(repo, "begun").values()) >= 4)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait(10)
    left = {number: queue(lab, repo, number) for number in NUMBERS}
    second = start(repo, lab, "--until", "cube")
    wait("new jobs", lambda: all(len(queue(lab, repo, n)) == 2 for n in NUMBERS[:4]))
    release(repo, *NUMBERS)
    assert second.wait(240) == 0, told(repo)
    assert all(len(jobs) == 1 for jobs in left.values())
    assert notes(repo, "done") == ONCE
    assert files(repo.path / "results/toil/cube.zarr") == whole
