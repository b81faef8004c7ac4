import os
import sys
import time
from pathlib import Path

import pytest

from dlatlas.reproduction.pipeline import run_pipeline, said_by_code

SNAKEFILE = """
rule all:
    shell:
        "echo $$ > pid; echo 'edge: hello'; {work}"
"""


@pytest.fixture
def run(tmp_path):
    """``run(work, tell)``: a Snakefile whose only job says hello and then does some work."""

    def of(work, tell):
        (tmp_path / "Snakefile").write_text(SNAKEFILE.replace("{work}", work))
        return run_pipeline(
            Path(sys.executable), dict(os.environ), tmp_path, ["edge"], "smoke", "1", tmp_path / "out" / "log", tell
        )

    return of


def test_steps_and_what_jobs_say_are_passed_on_and_the_log_has_all(run, tmp_path):
    told = []
    assert run("true", told.append) == {}
    assert told[0] == "edge: hello"
    assert told[1].startswith("1 of 1 steps")
    assert "Building DAG of jobs" in (tmp_path / "out" / "log").read_text()


def test_what_fails_is_told_by_study_or_by_the_last_line(run):
    assert run("echo 'error: edge: no such thing' >&2; exit 1", lambda line: None)["edge"] == "edge: no such thing"
    assert run("echo 'RuntimeError: no' >&2; exit 1", lambda line: None)[""] == "RuntimeError: no"
    assert run("exit 1", lambda line: None)[""].startswith("snakemake failed (1); all that it said is in ")


def test_an_interrupt_stops_the_jobs(run, tmp_path):
    def stop(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("sleep 100", stop)
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the job is still running")


def test_code_says_what_a_study_depends_on_and_older_code_says_nothing(tmp_path):
    root = Path(__file__).parents[2]
    variables = {**os.environ, "PYTHONPATH": str(root / "src")}
    said = said_by_code(Path(sys.executable), variables, root, "catapult_phase", "smoke")
    assert {"run", "verdict", "figure"} <= set(said["code"])
    assert said["params"]
    (tmp_path / "dlatlas").mkdir()
    (tmp_path / "dlatlas" / "__init__.py").touch()
    assert (
        said_by_code(Path(sys.executable), {**variables, "PYTHONPATH": str(tmp_path)}, tmp_path, "edge", "smoke") == {}
    )
