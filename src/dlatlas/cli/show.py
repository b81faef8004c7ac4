"""Studies on the terminal: all of them as a table, one of them as a card."""

import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dlatlas.declare.outcome import SIGNS
from dlatlas.declare.registry import INSTRUMENT
from dlatlas.errors import AtlasError
from dlatlas.identity.store import read_json, write_json
from dlatlas.judging.verdict import headline, show, told
from dlatlas.judging.words import quantity
from dlatlas.planning.plan import Plan

SHORT, LONG = 2.0, 120.0
"""Minutes: a shorter job is mostly its start, a longer one waits for a large gap and loses more when it is killed."""

COLORS = {"supported": "green", "contradicted": "red", "not reproduced": "magenta", "undecided": "yellow"}


def table(plan: Plan, console: Console | None = None) -> list[str]:
    """Prints every study: kind, runs and jobs planned, verdict if there is one, headline.

    Returns what is wrong with those that cannot be planned, a line each.
    """
    console = console or wide_console()
    rows = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in (("study", "left"), ("kind", "left"), ("runs", "right"), ("jobs", "right")):
        rows.add_column(name, justify=justify, no_wrap=True)
    rows.add_column("verdict", no_wrap=True)
    if console.width >= 120:
        rows.add_column("claim")
    faults = []
    for name in plan.names:
        try:
            sweep = plan.sweep(name)
        except AtlasError as error:
            faults.append(str(error))
            rows.add_row(name, *[""] * 3, "[red]error[/red]")
            continue
        cells = [name, sweep.study.kind, f"{sweep.size:,}", f"{len(sweep.shards)}", _verdict(_record(plan, name))]
        rows.add_row(*cells, *([escape(sweep.study.title)] if console.width >= 120 else []))
    console.print(rows)
    return faults


def card(plan: Plan, name: str, console: Console | None = None) -> None:
    """Prints one study: statement, claims with what is expected and what was found, the sweep, the files."""
    console = console or wide_console()
    sweep, record = plan.sweep(name), _record(plan, name)
    study = sweep.study
    console.print(f"[bold]{escape(study.title)}[/bold]   {_verdict(record)}")
    console.print(f"{name} · {study.kind} · {study.chapter} · {', '.join(study.rows)}\n", style="dim")
    console.print(escape(study.says) + "\n")
    found = {claim["name"]: claim for claim in record["claims"]} if record else {}
    for claim in study.claims:
        said = found.get(claim.name)
        sign, color = (SIGNS[said["verdict"]], COLORS[said["verdict"]]) if said else ("·", "default")
        console.print(f"[{color}]{sign}[/{color}] [bold]{escape(claim.name)}[/bold]: {escape(claim.statement)}")
        console.print(f"  expected: {escape(quantity(claim.statistic, study))} {claim.expected}", style="dim")
        if said:
            low, high = said["interval"]
            how = "fails" if said["control"]["fails"] else "does not fail"
            console.print(
                f"  found: {show(said['estimate'])} \\[{show(low)}, {show(high)}], control "
                f"{show(said['control']['estimate'])} {how}; rival: "
                f"{escape(str(claim.rival))}, {told(said['rival']['p'])}"
            )
    console.print(f"\nScale {sweep.scale}: {sweep.size:,} runs in {len(sweep.shards)} jobs")
    for dim, columns in sweep.dims.items():
        for column, values in columns.items():
            label = column if column == dim else f"{column} (along {dim})"
            console.print(f"  {label}: {escape(_values(values))}")
    console.print(
        f"\n{plan.said(name)}, {plan.lab.near(plan.lab.file(name))}, {_near(plan.home(name))}/",
        style="dim",
    )


def wide_console() -> Console:
    """Standard output; at least 120 columns where it is not a terminal."""
    width = None if sys.stdout.isatty() else max(shutil.get_terminal_size().columns, 120)
    return Console(width=width, highlight=False, soft_wrap=False)


def costs(plan: Plan, console: Console | None = None) -> None:
    """Estimates every study's shards, prints what they cost, and writes that where the rules find it."""
    from dlatlas.data.prepare import prepare
    from dlatlas.planning.cluster import SITE, START, UNKNOWN_MINUTES, estimates_path, read_site
    from dlatlas.training.estimate import estimates

    console = console or wide_console()
    site = read_site(plan.settings.root / SITE)
    rows = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("study", "runs", "jobs", "minutes a job", "hours", "memory", "on disk", "known from"):
        rows.add_column(name, justify="left" if name in ("study", "known from") else "right", no_wrap=True)
    hints = []
    for name in plan.names:
        if plan.needs_data(name):
            prepare(plan.settings.data, plan.settings.pointer, (INSTRUMENT, plan.lab.package))
        sweep = plan.sweep(name)
        gpu = sweep.study.kind == "train" and bool(site.gpus or site.gres)
        try:
            found, factor, finished = estimates(plan, name, gpu)
        except AtlasError as error:
            rows.add_row(name, f"{sweep.size:,}", f"{len(sweep.shards):,}", *4 * ["?"], "nothing")
            hints.append(f"{error}; its jobs ask for {UNKNOWN_MINUTES} minutes, and more if they are killed")
            continue
        record = {"study": name, "scale": sweep.scale, "gpu": gpu, "factor": factor, "finished": finished}
        write_json(estimates_path(plan, name), {**record, "shards": {key: asdict(each) for key, each in found.items()}})
        minutes = sorted((START + each.seconds) / 60 for each in found.values())
        rows.add_row(
            name,
            f"{sweep.size:,}",
            f"{len(found):,}",
            f"{minutes[0]:.2g} to {minutes[-1]:.2g}" if len(found) > 1 else f"{minutes[0]:.2g}",
            f"{sum(minutes) / 60:.2g} {'GPU' if gpu else 'core'}",
            f"{max(each.megabytes for each in found.values()) / 1e3:.2g} GB",
            f"{sum(each.stored_megabytes for each in found.values()) / 1e3:.2g} GB",
            f"{finished} finished shards" if finished else "shapes alone",
        )
        hints += _right_size(name, sweep.shard_runs, sum(minutes) / len(minutes), minutes[-1])
    console.print(rows)
    for hint in hints:
        console.print(hint, style="yellow")


def _right_size(name: str, shard_runs: int, mean: float, longest: float) -> list[str]:
    if SHORT <= longest <= LONG:
        return []
    better = max(1, round(shard_runs * 20 / mean))
    word = "long" if longest > LONG else "short"
    return [f"{name}: jobs are {word}; shard_runs: {better} would make them about 20 minutes"]


def _record(plan: Plan, name: str) -> dict[str, Any] | None:
    path = plan.home(name) / "verdict.json"
    record = read_json(path) if path.is_file() else None
    return record if record and record["scale"] == plan.settings.scale else None


def _verdict(record: dict[str, Any] | None) -> str:
    if record is None:
        return "[dim]– not yet[/dim]"
    sign, color = SIGNS[record["verdict"]], COLORS[record["verdict"]]
    return f"[{color}]{sign} {headline(record)}[/{color}]"


def _values(values: list[Any]) -> str:
    if len(values) > 9:
        return f"{', '.join(map(str, values[:4]))}, …, {values[-1]} ({len(values)})"
    return ", ".join(map(str, values))


def _near(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path
