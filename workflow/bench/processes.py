"""What people do today with many processes: a Snakemake job a run, a Ray Tune trial a run; end to end.

A run costs seconds of imports, so 256 of them would take a quarter of an hour: both are timed at two numbers of runs,
and the line through them is read at 256, start included.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from timing import seconds
from workloads import Workload, examples

FEW, MANY = 4, 16
HERE = Path(__file__).parent


def snakemake_jobs(work: Workload, data: Path) -> float:
    """Seconds of ``work.runs`` Snakemake jobs, each a plain Lightning fit in a process of its own, two at a time."""

    def run(number: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "Snakefile").write_text(
                f"rule all:\n    input: expand('{{seed}}.txt', seed=range({number}))\n\n"
                "rule fit:\n    output: '{seed}.txt'\n    threads: 1\n"
                f'    shell: "{sys.executable} {HERE / "processes.py"} {data} {shlex.quote(work.name)} > {{output}}"\n'
            )
            command = [sys.executable, "-m", "snakemake", "--directory", folder, "--cores", "2", "--quiet", "all"]
            where = ["--snakefile", f"{folder}/Snakefile", "--scheduler", "greedy"]
            return seconds(lambda: subprocess.run([*command, *where], check=True, capture_output=True))

    return _line(run, work.runs)


def ray_trials(work: Workload, data: Path) -> float:
    """Seconds of ``work.runs`` Ray Tune trials of a plain Lightning fit, two at a time, Ray's start included.

    Raises:
        ImportError: Ray is not installed.
    """
    import ray
    from ray import tune

    arguments = (str(HERE), str(data), work.name)

    def trial(config: dict[str, int]) -> dict[str, float]:
        import sys

        sys.path.insert(0, arguments[0])
        from processes import fit

        fit(Path(arguments[1]), arguments[2])
        return {"done": 1.0}

    os.environ |= {"RAY_AIR_NEW_OUTPUT": "0", "RAY_DEDUP_LOGS": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}

    def run(number: int) -> float:
        def whole() -> None:
            ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
            with tempfile.TemporaryDirectory() as folder:
                settings = tune.RunConfig(storage_path=folder, verbose=0)
                space = {"seed": tune.grid_search(list(range(number)))}
                results = tune.Tuner(trial, param_space=space, run_config=settings).fit()
                if results.errors or len(results) != number:
                    raise RuntimeError(f"Ray Tune: {results.errors or len(results)}")
            ray.shutdown()

        return seconds(whole)

    return _line(run, work.runs)


def _line(run: Callable[[int], float], at: int) -> float:
    few, many = run(FEW), run(MANY)
    return few + (many - few) / (MANY - FEW) * (at - FEW)


def fit(data: Path, name: str) -> None:
    """One run: what a job or a trial does."""
    from peers import lightning_fit
    from workloads import WORKLOADS

    torch.set_num_threads(1)
    (work,) = (each for each in WORKLOADS if each.name == name)
    x, y = map(torch.from_numpy, examples(data))
    lightning_fit(work, x, y, work.steps)


if __name__ == "__main__":
    fit(Path(sys.argv[1]), sys.argv[2])
