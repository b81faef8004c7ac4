"""What a sweep costs before anything is computed, from a thousand runs to a million; draws docs/scale.png."""

import io
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from dlatlas.identity.store import write_bytes
from dlatlas.plotting.style import STYLE

ROOT = Path(__file__).parents[2]
RUNS = (1_000, 10_000, 100_000, 1_000_000)
PARAMS = """
fixed: {{model: two_layer_linear, data: one_sample, loss: half_mse, steps: 10}}
axes:
  eta_lambda0: {{linspace: [0.5, 4.5, {values}]}}
  seed: {{range: 1000}}
  width: [32]
measures: [train_loss]
scales: {{smoke: {{shard_runs: 4096}}}}
"""
PLAN = """
import json, resource, sys
from pathlib import Path
from dlatlas.planning.plan import Plan, Settings
plan = Plan(Settings.read({'scale': 'smoke', 'params': sys.argv[1]}, Path(sys.argv[2])))
plan.targets()
usage = resource.getrusage(resource.RUSAGE_SELF)
jobs = 2 * len(plan.sweep('catapult_phase').shards) + 4
peak = int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) / 1024
print(json.dumps({'jobs': jobs, 'plan_s': usage.ru_utime + usage.ru_stime, 'mebibytes': peak}))
"""


def measure(runs: int) -> dict[str, Any]:
    """Jobs, processor seconds and memory of the plan, and processor seconds of ``snakemake -n``."""
    with tempfile.TemporaryDirectory() as folder:
        params = Path(folder) / "params"
        params.mkdir()
        (params / "catapult_phase.yaml").write_text(PARAMS.format(values=runs // 1000))
        plan = [sys.executable, "-c", PLAN, str(params), str(ROOT)]
        found = json.loads(subprocess.run(plan, check=True, capture_output=True, text=True).stdout)
        words = ["-m", "snakemake", "-n", "--quiet", "all", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        config = ["--directory", folder, "--config", "scale=smoke", f"params={params}"]
        subprocess.run([sys.executable, *words, *config], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"runs": runs, **found, "dry_run_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def draw(points: list[dict[str, Any]], path: Path) -> None:
    """Cost against runs, with the line through the largest sweep as a guide."""
    runs = np.array([point["runs"] for point in points], dtype=float)
    with mpl.rc_context(fname=STYLE):
        figure = Figure(figsize=(7.2, 2.9), layout="constrained")
        left, right = figure.subplots(1, 2)
        for name, label in (("plan_s", "planning"), ("dry_run_s", "snakemake -n, planning included")):
            left.plot(runs, [point[name] for point in points], "o-", label=label)
        last = points[-1]["plan_s"] - points[0]["plan_s"]
        left.plot(runs, points[0]["plan_s"] + last * runs / runs[-1], ":", color="0.5", label="linear in runs")
        left.set(xscale="log", yscale="log", xlabel="runs in the sweep", ylabel="processor time [s]")
        left.legend()
        right.plot(runs, [point["jobs"] for point in points], "o-")
        right.set(xscale="log", yscale="log", xlabel="runs in the sweep", ylabel="jobs in the graph")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110)
    write_bytes(path, buffer.getvalue())


if __name__ == "__main__":
    found = [measure(runs) for runs in RUNS]
    for point in found:
        sys.stdout.write(json.dumps(point) + "\n")
    draw(found, ROOT / "docs" / "scale.png")
