"""What goes wrong on a real machine: killed processes, damaged files, runs that raise, a full disk."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import xarray as xr

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

AFTER = {"cube": 1, "verdict": 1, "figure": 1, "atlas": 1}
KILLS = 20
CUBE = "results/edge/cube.zarr"


def contents(folder):
    """Every file below a folder, by its name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def finish(repo, *words):
    done = repo.snakemake(*words)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def three(checkout, tmp_path_factory):
    """A checkout with the study of ``dlatlas new`` cut into three shards; nothing is made yet."""
    repo = checkout(tmp_path_factory.mktemp("three") / "repo")
    done = repo.python("-m", "dlatlas", "new", "edge", "--params", "params")
    assert done.returncode == 0, done.stderr
    repo.edit("params/edge.yaml", "measures: [train_loss]", "measures: [train_loss]\nshard_runs: 14")
    repo.edit("src/dlatlas/training/fit.py", "SAVE_EVERY = 20.0", "SAVE_EVERY = 0.1")
    return repo


@pytest.fixture(scope="module")
def whole(three, tmp_path_factory):
    """The same, made without a fault, and how many seconds that took."""
    repo = three.copy(tmp_path_factory.mktemp("whole") / "repo")
    begun = time.monotonic()
    finish(repo)
    repo.seconds = time.monotonic() - begun
    return repo


@pytest.fixture
def again(whole, tmp_path):
    """A copy of it to be spoilt."""
    return whole.copy(tmp_path / "repo")


def test_two_fresh_checkouts_give_bit_equal_cubes_on_one_core_and_on_two(three, whole, tmp_path):
    fresh = three.copy(tmp_path / "repo")
    finish(fresh, "--cores", "1", "--until", "verdict")
    one, two = contents(fresh.path / CUBE), contents(whole.path / CUBE)
    assert len(one) > 20
    assert one == two
    name = "results/edge/verdict.json"
    assert (fresh.path / name).read_bytes() == (whole.path / name).read_bytes()


def start(repo):
    words = [sys.executable, "-m", "snakemake", "--cores", "2", "--until", "cube", "--config", "scale=smoke"]
    log = (repo.path / "snakemake.log").open("ab")
    return subprocess.Popen(words, cwd=repo.path, env=repo.env, stdout=log, stderr=log, start_new_session=True)


def jobs_of(process):
    """The Python processes of running jobs, not the shells around them."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if "dlatlas" in child.cmdline() and "job" in child.cmdline()]
    except psutil.NoSuchProcess:
        return []


def killed(process, victim, chance):
    """Sends SIGKILL to the victim; False if it is not there."""
    if process.poll() is not None:
        return False
    if victim == "snakemake":
        process.kill()
    elif victim == "both":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        jobs = jobs_of(process)
        if not jobs:
            return False
        chance.choice(jobs).kill()
    return True


def manifests(repo):
    """What is finished: content and modification time of each manifest and of the arrays beside it."""
    found = {}
    for path in (repo.path / "results" / "edge").glob("[sm]*s/*.json"):
        if path.parent.name in ("shards", "measures"):
            found |= {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in (path, path.with_suffix(".safetensors"))}
    return found


def orphans(repo):
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        if process.info["cwd"] == str(repo.path) and "dlatlas" in (process.info["cmdline"] or []):
            found.append(process)
    return found


@pytest.mark.timeout(900)
def test_twenty_kills_at_random_points_end_in_equal_cubes_and_train_nothing_twice(three, whole, tmp_path):
    """Job, snakemake alone (its jobs live on and meet those of the next run), or both, at a moment drawn anew."""
    chance = random.Random(20)
    expected = contents(whole.path / CUBE)
    number, kills, hits = 0, 0, {"job": 0, "snakemake": 0, "both": 0}
    repo, finished = three.copy(tmp_path / "0"), {}

    def whole_again():
        assert contents(repo.path / CUBE) == expected
        records = [json.loads(path.read_text()) for path in (repo.path / "results/edge/shards").glob("*.json")]
        assert sorted((m["computed"], m["reused"]) for m in records) == [(14, 0)] * 3
        assert still(finished)

    def still(finished):
        now = manifests(repo)
        return all(now.get(path) == was for path, was in finished.items())

    while kills < KILLS:
        victim = chance.choice(list(hits))
        wait = whole.seconds * chance.uniform(0.08, 0.35)
        process = start(repo)
        deadline = time.monotonic() + wait
        while process.poll() is None and (time.monotonic() < deadline or (victim == "job" and not jobs_of(process))):
            time.sleep(0.05)
        if killed(process, victim, chance):
            kills, hits[victim] = kills + 1, hits[victim] + 1
            if victim == "job":  # another job may go on; then the study has failed
                process.wait()
        process.wait()
        assert still(finished), f"kill {kills} of {victim}: something finished was made again"
        finished = manifests(repo)
        if process.returncode == 0:
            whole_again()
            number += 1
            repo, finished = three.copy(tmp_path / str(number)), {}
    finish(repo, "--until", "cube")
    whole_again()
    for process in orphans(repo):
        process.wait()
    assert still(finished)
    assert contents(repo.path / CUBE) == expected
    assert min(hits.values()) > 0
    left = [path for path in (repo.path / "results").rglob(".*") if "zarr" not in path.name]
    assert not left


def test_a_run_that_raises_fails_alone(three, whole, tmp_path):
    """The model cannot be made for one seed of three."""
    repo = three.copy(tmp_path / "repo")
    repo.edit("src/dlatlas/models/mlp.py", "bias: bool = True,\n", "bias: bool = True,\n        seed: int = 0,\n")
    repo.edit(
        "src/dlatlas/models/mlp.py", "super().__init__()\n", 'super().__init__()\n        assert seed != 1, "no"\n'
    )
    done = repo.snakemake("--until", "cube")
    assert done.returncode == 0, done.stdout + done.stderr
    cube, sound = xr.open_zarr(repo.path / CUBE), xr.open_zarr(whole.path / CUBE)
    assert (cube["status"].sel(seed=1) == 2).all()
    assert cube["train_loss"].sel(seed=1).isnull().all()
    others = {"seed": [0, 2]}
    np.testing.assert_array_equal(cube["status"].sel(others), sound["status"].sel(others))
    np.testing.assert_allclose(cube["train_loss"].sel(others), sound["train_loss"].sel(others), rtol=1e-9, atol=1e-12)
    records = [json.loads(path.read_text()) for path in (repo.path / "results/edge/shards").glob("*.json")]
    assert sum(record["status"]["failed"] for record in records) == 14
    messages = {text for record in records for stack in record["stacks"] for text in stack["failed"].values()}
    assert messages == {"AssertionError: no"}


def spoil(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def fails_in_one_line(repo, said):
    done = repo.snakemake()
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert said in text
    assert "set aside as" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("kind", ["shards", "measures"])
def test_a_corrupted_file_is_set_aside_and_only_what_it_held_is_made_again(again, whole, kind):
    home = again.path / "results" / "edge"
    path = sorted((home / kind).glob("*.safetensors"))[1]
    bad = path.read_bytes()
    shutil.rmtree(home / "stamps")  # so that the cube is assembled, and the file read
    spoil(path)
    fails_in_one_line(again, f"{path.name}: corrupted")
    (kept,) = (home / kind).glob("*.safetensors.corrupted1")
    assert kept.name == f"{path.name}.corrupted1"
    assert sum(a != b for a, b in zip(kept.read_bytes(), bad)) == 1
    before = manifests(again)
    assert again.jobs() == {**({"train": 1} if kind == "shards" else {}), "measure": 1, **AFTER}
    finish(again, "--until", "cube")
    assert contents(again.path / CUBE) == contents(whole.path / CUBE)
    now = manifests(again)
    assert set(now) - set(before) == {path, path.with_suffix(".json")}
    assert all(now[name][0] == was[0] for name, was in before.items())  # what a job finds done, Snakemake touches
    assert all(now[name] == was for name, was in before.items() if name.parent.name == "shards")
    assert json.loads(path.with_suffix(".json").read_text()).get("computed", 14) == 14


def test_a_corrupted_chunk_is_set_aside_and_the_cube_assembled_again(again, whole):
    home = again.path / "results" / "edge"
    spoil(
        next(
            path
            for path in (home / "cube.zarr/train_loss").rglob("*")
            if path.is_file() and path.parent.name != "train_loss"
        )
    )
    for stamp in (home / "stamps").glob("verdict-*.json"):
        stamp.unlink()
    fails_in_one_line(again, "corrupted")
    assert (home / "cube.zarr.corrupted1").is_dir()
    assert again.jobs() == {"cube": 1, "verdict": 1, "figure": 1}
    before = manifests(again)
    finish(again, "--until", "cube")
    assert contents(again.path / CUBE) == contents(whole.path / CUBE)
    assert manifests(again) == before


def test_a_late_hyper_parameter_at_its_default_trains_and_measures_nothing(again, whole):
    entry = '"n_train": count(100, "training examples"),'
    again.edit("src/dltheory/edge.py", entry, entry + '\n        "noise": number(0.0, "label noise", late=True),')
    assert again.jobs() == AFTER
    before = manifests(again)
    finish(again, "--until", "cube")
    assert manifests(again) == before
    cubes = [xr.open_zarr(repo.path / CUBE).load() for repo in (again, whole)]
    xr.testing.assert_equal(*cubes)
    assert '"noise":0' in cubes[0].attrs["fixed"]
    again.edit("params/edge.yaml", "n_train: 100", "n_train: 100\n  noise: 0.5")
    assert again.jobs() == {"train": 3, "measure": 3, **AFTER}


def test_a_hyper_parameter_without_that_mark_trains_all(again):
    entry = '"n_train": count(100, "training examples"),'
    again.edit("src/dltheory/edge.py", entry, entry + '\n        "noise": number(0.0, "label noise"),')
    assert again.jobs() == {"train": 3, "measure": 3, **AFTER}


@pytest.fixture
def small_disk(three, tmp_path):
    """A checkout whose results lie on a disk of their own, 8 MiB."""
    repo = three.copy(tmp_path / "repo")
    results = repo.path / "results"
    results.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(results)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield repo
    subprocess.run(["umount", str(results)], check=True)


def test_a_full_disk_is_told_in_one_line_and_the_next_run_finishes(small_disk, whole):
    """The room grows little by little, so that the disk is full at a training, a measure, a cube, a figure."""
    results = small_disk.path / "results"
    ballast = results / "ballast"
    stages = set()
    for room in (4, 150, 330):
        taken = sum(-(-path.stat().st_blocks // 8) * 4 for path in results.rglob("*") if path != ballast)
        ballast.write_bytes(b"")
        space = os.statvfs(results)
        ballast.write_bytes(bytes(space.f_bavail * space.f_frsize - max(0, room - taken) * 1024))
        done = small_disk.snakemake()
        text = done.stdout + done.stderr
        assert done.returncode != 0
        assert "cannot be written: No space left on device" in text
        assert "Traceback" not in text
        stages |= {line.split(":")[1].strip() for line in text.splitlines() if "cannot be written" in line}
        hidden = {path for path in results.rglob(".*") if ".part-" not in path.name}
        assert not hidden
    ballast.unlink()
    finish(small_disk, "--until", "cube")
    assert contents(small_disk.path / CUBE) == contents(whole.path / CUBE)
    assert len(stages) > 1
