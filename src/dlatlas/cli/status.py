"""How far a sweep is, seen from any shell: from the files that are there, the locks held, and SLURM's queue."""

import fcntl
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from dlatlas.cli.options import HOME
from dlatlas.cli.show import wide_console
from dlatlas.identity.store import read_json
from dlatlas.pages.numbers import duration
from dlatlas.planning.cluster import START, Job, estimates_path, jobs_of
from dlatlas.planning.plan import STAGES, Plan
from dlatlas.planning.rerun import other_versions

LOGS = Path(os.path.relpath(HOME / "logs"))

LOOK_EVERY = 5.0
"""Seconds between two looks of the live view."""

WINDOW = 3600.0
"""Seconds of the past in which runs are counted for the rate."""

ACTIVE = ("RUNNING", "COMPLETING")


def report(plan: Plan, logs: Path = LOGS) -> dict[str, Any]:
    """Where every study stands.

    Args:
        plan: the studies and their scale.
        logs: the folder of the jobs' own logs.

    Returns:
        ``studies``: for each its runs, its shards ``done``, ``running``, ``waiting`` (in the queue or not even there)
        and ``failed`` (digest, last line of the log), the same of its measures, which of cube, verdict and figure
        are made, and ``other_versions`` of libraries that shards were made with. ``runs_per_second`` over the last
        hour and ``seconds_left``; None where nothing tells.
    """
    queue = {(job.rule, job.study, job.digest): job for job in jobs_of(HOME)}
    now = time.time()
    studies, made, left = {}, [], []
    for name in plan.names:
        sweep = plan.sweep(name)
        path = estimates_path(plan, name)
        costs = read_json(path)["shards"] if path.is_file() else {}
        trains = {shard.digest: plan.shard_manifest(name, shard.digest) for shard in sweep.shards}
        shards = _counted("train", name, trains, queue, logs)
        measures = _counted("measure", name, {p.stem: p for p in plan.measured(name).values()}, queue, logs)
        for shard in sweep.shards:
            cost = START + costs[shard.digest]["seconds"] if shard.digest in costs else float(shard.size)
            if trains[shard.digest].is_file():
                made.append((trains[shard.digest].stat().st_mtime, shard.size, cost))
            else:
                left.append(cost)
        studies[name] = {
            "runs": sweep.size,
            "runs_done": sum(shard.size for shard in sweep.shards if trains[shard.digest].is_file()),
            "shards": shards,
            "measures": measures,
            "other_versions": other_versions(plan, name),
            "stages": {stage: plan.stamp(name, stage).is_file() for stage in STAGES},
        }
    rate, seconds = _speed(made, left, now)
    return {"scale": plan.settings.scale, "studies": studies, "runs_per_second": rate, "seconds_left": seconds}


def _counted(
    rule: str, study: str, paths: dict[str, Path], queue: dict[tuple[str, str, str], Job], logs: Path
) -> dict[str, Any]:
    found: dict[str, Any] = {"total": len(paths), "done": 0, "running": 0, "waiting": 0, "failed": []}
    for digest, path in paths.items():
        job, log = queue.get((rule, study, digest)), logs / study / f"{rule}-{digest}.log"
        if path.is_file():
            found["done"] += 1
        elif (job is not None and job.state in ACTIVE) or _locked(path) or _begins(log):
            found["running"] += 1
        elif job is None and log.is_file():
            found["failed"].append({"digest": digest, "log": str(log), "why": _last_line(log)})
        else:
            found["waiting"] += 1
    return found


def _locked(path: Path) -> bool:
    """Whether a process makes this file now; on another machine only where the file system tells."""
    try:
        with path.with_name(f".{path.name}.lock").open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _begins(log: Path) -> bool:
    """Whether a job has said nothing yet, as while it imports."""
    return log.is_file() and not (said := log.stat()).st_size and time.time() - said.st_mtime < 60


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    told = [line for line in lines if line.startswith("error:")]
    return (told or lines or ["killed: it has said nothing"])[-1][:300]


def _speed(made: list[tuple[float, int, float]], left: list[float], now: float) -> tuple[float | None, float | None]:
    """Runs a second over the last hour, and seconds left if what is left goes as fast, by what it costs."""
    recent = sorted(each for each in made if each[0] > now - WINDOW)
    if not left:
        return None, 0.0
    if len(recent) < 2:
        return None, None
    elapsed = max(now - recent[0][0], 1e-3)  # from the end of the first: how long that one took, nobody knows
    runs, work = sum(each[1] for each in recent[1:]), sum(each[2] for each in recent[1:])
    return runs / elapsed, sum(left) * elapsed / work


def watched(plan: Plan, forever: bool) -> None:
    """Prints the report; with ``forever``, again and again in place until everything is made or Ctrl-C."""
    console = wide_console()
    if not forever:
        console.print(_table(report(plan)))
        return
    with Live(console=console, screen=sys.stdout.isatty(), auto_refresh=False) as live:
        while True:
            seen = report(plan)
            live.update(_table(seen), refresh=True)
            if all(all(study["stages"].values()) for study in seen["studies"].values()):
                return
            time.sleep(LOOK_EVERY)


def _table(seen: dict[str, Any]) -> RenderableType:
    rows = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("study", "runs", "shards", "", "running", "waiting", "failed", "measured", "made"):
        rows.add_column(name, justify="left" if name in ("study", "", "made") else "right", no_wrap=True)
    faults = []
    for name, study in seen["studies"].items():
        shards, measures = study["shards"], study["measures"]
        failed = [*shards["failed"], *measures["failed"]]
        rows.add_row(
            name,
            f"{study['runs_done']:,}/{study['runs']:,}",
            f"{shards['done']}/{shards['total']}",
            _bar(shards["done"], shards["total"]),
            str(shards["running"] + measures["running"]),
            str(shards["waiting"]),
            f"[red]{len(failed)}[/red]" if failed else "0",
            f"{measures['done']}/{measures['total']}" if measures["total"] else "",
            " ".join(stage for stage, done in study["stages"].items() if done),
        )
        faults += [
            f"[red]{name} {each['digest']}[/red] {escape(each['why'])} [dim]{each['log']}[/dim]" for each in failed
        ]
        faults += [
            f"[yellow]{name}[/yellow] was made with {library} {' and '.join(made)}, here is {version(library)}; "
            f"`dlatlas rerun {name}` makes it anew"
            for library, made in study["other_versions"].items()
        ]
    said = []
    if seen["runs_per_second"]:
        said.append(f"{seen['runs_per_second']:,.3g} runs a second")
    if seen["seconds_left"]:
        said.append(f"about {duration(seen['seconds_left'])} left for the shards")
    return Group(rows, Text(" · ".join(said), style="bold"), *(Text.from_markup(fault) for fault in faults))


def _bar(done: int, total: int, width: int = 20) -> str:
    full = width * done // max(total, 1)
    return f"[green]{'━' * full}[/green][dim]{'━' * (width - full)}[/dim]"
