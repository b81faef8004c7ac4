"""Forgets what was made of a study: it is kept otherwise, while code, params and data are the same."""

import json
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dlatlas.declare.sweep import StackPlan, Sweep
from dlatlas.planning.plan import STAGES, Plan


def other_versions(plan: Plan, name: str) -> dict[str, list[str]]:
    """Library -> the versions that finished shards of a study were made with, other than the one installed here.

    Installed packages are no code of ours: another torch renames nothing.
    """
    found: dict[str, set[str]] = {}
    for shard in plan.record(name).shards:
        for library, made in _manifest(plan.shard_manifest(name, shard)).get("versions", {}).items():
            found.setdefault(library, set()).add(made)
    here = {library: _installed(library) for library in found}
    return {
        library: sorted(made - {here[library]}) for library, made in sorted(found.items()) if made - {here[library]}
    }


def forget(plan: Plan, name: str) -> int:
    """Removes what was made of a study at a scale, and every shard that holds one of its runs; how many those are."""
    sweep, home = plan.sweep(name), plan.home(name)
    runs = {run for shard in sweep.shards for stack in shard.stacks for run in _names(sweep, stack)}
    gone = [path for path in sorted(home.glob("shards/*.json")) if runs & set(_held(path))]
    lost = {path.stem for path in gone} | set(plan.record(name).shards)
    gone_measures = [path for path in home.glob("measures/*.json") if _manifest(path).get("shard") in lost]
    stamps = [plan.stamp(name, stage) for stage in STAGES]
    for path in (*stamps, *gone_measures, *gone):  # what is made of others first, so that a kill leaves no lie
        path.unlink(missing_ok=True)
        path.with_suffix(".safetensors").unlink(missing_ok=True)
    return len(gone)


def _names(sweep: Sweep, stack: StackPlan) -> Iterable[str]:
    return (sweep.run_id(run, stack.shared) for run in sweep.runs(stack.index))


def _held(path: Path) -> list[str]:
    return [run for stack in _manifest(path).get("stacks", []) for run in stack.get("runs", [])]


def _manifest(path: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        record = json.loads(path.read_text(encoding="utf-8"))
        return record if isinstance(record, dict) else {}
    return {}


def _installed(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""
