"""A SLURM cluster for the tests of this folder, or the reason why there is none."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROFILE = "workflow/profiles/slurm"
PLACES = f"{os.environ['PATH']}:/usr/sbin"


def pytest_collection_modifyitems(items):
    """Marks every test here, and skips it where there is no SLURM."""
    lacking = [name for name in ("slurmctld", "slurmd", "munged", "sbatch") if not shutil.which(name, path=PLACES)]
    reason = f"no {', '.join(lacking)}: apt-get install slurm-wlm munge" if lacking else "the test cluster needs root"
    for item in items:
        if item.path.is_relative_to(HERE):
            for mark in (pytest.mark.slurm, pytest.mark.workflow, pytest.mark.slow):
                item.add_marker(mark)
            item.add_marker(pytest.mark.skipif(bool(lacking) or os.geteuid() != 0, reason=reason))


class Lab:
    """The cluster, and what a user types on it."""

    def __init__(self, home):
        words = [sys.executable, HERE / "lab.py", home]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        said = dict(re.findall(r"(\w+)=(\S+)", self.process.stdout.readline()))
        self.env = {"SLURM_CONF": said["SLURM_CONF"], "PATH": said["PATH"].replace("$PATH", os.environ["PATH"])}

    def tell(self, *words):
        """Stops, kills or starts a daemon."""
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def close(self):
        self.process.stdin.close()
        self.process.wait(60)

    def ask(self, *words, check=True):
        """What a SLURM command prints."""
        env = {**os.environ, **self.env}
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def dlatlas(self, repo, *words):
        done = subprocess.run(
            [repo.interpreter, "-P", "-m", "dlatlas", *words],
            cwd=repo.path, env={**repo.env, **self.env}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def status(self, repo):
        return json.loads(self.dlatlas(repo, "status", "--scale", "smoke", "--params", "params", "--json"))["studies"]

    def snakemake(self, repo, *words):
        """Started in the background; tests look at the queue sooner than people do."""
        command = [repo.interpreter, "-P", "-m", "snakemake", "--workflow-profile", PROFILE, "--config", "scale=smoke"]
        quick = ["--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "20"]
        log = (repo.path / "snakemake.log").open("ab")
        return subprocess.Popen(
            [*command, *quick, *words], cwd=repo.path, env={**repo.env, **self.env, "OMP_NUM_THREADS": "1"},
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("slurm"))
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def wait():
    """``wait(what, ready)``: what ``ready`` returns as soon as it is true, within two minutes."""

    def waiting(what, ready, seconds=120.0):
        end = time.monotonic() + seconds
        while not (found := ready()):
            assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
            time.sleep(0.3)
        return found

    return waiting
