"""What came of ``dlatlas reproduce``: a table for people, a record for machines."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dlatlas.cli.show import wide_console
from dlatlas.reproduction.against import Against
from dlatlas.reproduction.compare import Difference, Outcome, largest, outcome_of
from dlatlas.reproduction.reproduce import Made, Report

LOOKS: dict[Outcome | None, tuple[str, str]] = {
    "identical": ("=", "green"),
    "within tolerance": ("≈", "yellow"),
    "different": ("≠", "red"),
    None: ("·", "default"),
}
SHOWN = 6
"""Differences and changes that are printed of each comparison; the record has all."""


def table(report: Report, console: Console | None = None) -> None:
    """Prints a row for each study and reference, then what differs and what has changed."""
    console = console or wide_console()
    rows = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("study", "scale", "against", "figure", "cube", "verdict"):
        rows.add_column(column, no_wrap=True)
    for made in report.studies:
        for item in made.against:
            cells = [_part(item.figure), "as published" if item.reused else _part(item.cube), _part(item.verdict)]
            rows.add_row(made.study, made.scale, item.reference, *cells)
        if made.error:
            rows.add_row(made.study, made.scale, "", "[red]failed[/red]", "", "")
        elif not made.against:
            rows.add_row(made.study, made.scale, "nothing", *(_part(None) for _ in range(3)))
    console.print(rows)
    for made in report.studies:
        for line in _details(made):
            console.print(line, soft_wrap=True)
    console.print(f"\n{_conclusion(report)}", soft_wrap=True)


def _part(differences: list[Difference] | None) -> str:
    if differences is None:
        return "–"
    outcome, most = outcome_of(differences), largest(differences)
    sign, color = LOOKS[outcome]
    far = f" {most.deviation:.2g} s.e." if most and most.deviation is not None else ""
    return f"[{color}]{sign} {outcome}{far}[/{color}]"


def _details(made: Made) -> list[str]:
    lines = [f"[red]{made.study}: {escape(made.error)}[/red]"] if made.error else []
    lines += [f"{made.study}: {escape(made.note)}"] if made.note else []
    for item in made.against:
        said = [*_differences(item), *(f"    {drift.kind}: {escape(drift.said)}" for drift in item.drift[:SHOWN])]
        if len(item.drift) > SHOWN:
            said.append(f"    … and {len(item.drift) - SHOWN} more")
        if item.side_by_side:
            said.append(f"    side by side: {item.side_by_side}")
        if not item.counts:
            said.append("    made by other code, params or data than this commit's, which has a record of its own")
        if item.note:
            said.append(f"    not compared: {item.note}")
        if said:
            lines += [f"\n[bold]{made.study}[/bold] against {item.reference}", *said]
    return lines


def _differences(item: Against) -> list[str]:
    lines = []
    for part in (item.cube, item.verdict, item.figure):
        worst_first = sorted(part or [], key=lambda d: (d.outcome != "different", -(d.deviation or 0.0)))
        lines += [f"  {LOOKS[d.outcome][0]} {d.what}: {escape(d.said)}" for d in worst_first[:SHOWN]]
        if len(worst_first) > SHOWN:
            lines.append(f"  … and {len(worst_first) - SHOWN} more")
    return lines


def _conclusion(report: Report) -> str:
    folders = sorted({str(made.home.parent) for made in report.studies if made.home})
    where = f"; figures, cubes and verdicts are in {folders[0]}" if folders else ""
    said = report.outcome or "nothing to compare with: no ledger entry, no published results, no results here"
    _, color = LOOKS[report.outcome]
    return f"[bold {color}]{report.commit[:12]}: {said}[/bold {color}] ({report.seconds:.0f} s){where}"


def record(report: Report) -> dict[str, Any]:
    """The same as JSON values, with all differences."""
    return _plain({**asdict(report), "outcome": report.outcome, "studies": [_study(made) for made in report.studies]})


def _study(made: Made) -> dict[str, Any]:
    return {**asdict(made), "outcome": made.outcome, "against": [_against(item) for item in made.against]}


def _against(item: Against) -> dict[str, Any]:
    parts = {
        name: None if part is None else {"outcome": outcome_of(part), "differences": [asdict(d) for d in part]}
        for name, part in (("figure", item.figure), ("cube", item.cube), ("verdict", item.verdict))
    }
    return {**asdict(item), "outcome": item.outcome, **parts}


def _plain(value: object) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
