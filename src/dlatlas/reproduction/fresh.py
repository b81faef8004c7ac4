"""Studies again on seeds never used: which verdicts flip?

A verdict that hangs on its seeds is no finding. The whole sweep is run again, by the checkout's own Snakefile, with as
many seeds beyond all that the study has ever been judged on, and each claim's verdict is compared.
"""

import copy
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlatlas.declare.core_yaml import load
from dlatlas.errors import AtlasError, InputError
from dlatlas.identity.store import read_json, write_bytes
from dlatlas.judging.history import past, spans
from dlatlas.planning.plan import Plan
from dlatlas.publishing.ledger import read_entry
from dlatlas.reproduction.pipeline import run_pipeline

FOLDER = "results-fresh"
"""Beside results, git-ignored like all that begins so."""
ROUND = 1000
"""Fresh seeds begin at a multiple of this."""


@dataclass(frozen=True)
class Flip:
    """A claim on old and on fresh seeds.

    Attributes:
        study: its study.
        claim: its name.
        was, now: its verdicts.
        close: whether either ended within half of its interval's width of an edge.
        old, new: estimate and interval.
    """

    study: str
    claim: str
    was: str
    now: str
    close: bool
    old: tuple[float | None, ...]
    new: tuple[float | None, ...]

    @property
    def flips(self) -> bool:
        """Whether a decided verdict became another decided one, or lost its decision."""
        return self.was != self.now


def fresh_seeds(plan: Plan, name: str) -> list[int]:
    """As many seeds as a study's sweep has, beyond all that it or an earlier publication was judged on.

    Raises:
        InputError: a study without seeds, or with other than one axis of them.
    """
    columns = [columns for columns in plan.sweep(name).dims.values() if "seed" in columns]
    if len(columns) != 1 or set(columns[0]) != {"seed"}:
        raise InputError(f"{plan.lab.near(plan.params[name])}: axes: expected an axis of seeds alone, found none")
    used = [int(seed) for seed in columns[0]["seed"]]
    for one in past(read_entry(plan.settings.root, name)):
        used += [int(part.split("-")[-1]) for part in one.get("seeds", "").split(", ") if part]
    first = (max(used) // ROUND + 1) * ROUND
    return list(range(first, first + len(columns[0]["seed"])))


def run_fresh(plan: Plan, names: Iterable[str], cores: str, tell: Callable[[str], None]) -> list[Flip]:
    """Runs studies on fresh seeds into `FOLDER` and compares each claim's verdict with the one in ``results``.

    What was run before is not run again.

    Raises:
        InputError: a study without a verdict or without an axis of seeds.
        AtlasError: the workflow failed.
    """
    root, scale, names = plan.settings.root, plan.settings.scale, list(names)
    before: dict[str, Any] = {}
    for name in names:
        path = plan.home(name) / "verdict.json"
        if not path.is_file():
            raise InputError(f"{path}: no verdict yet; `snakemake --cores all` makes it")
        before[name] = read_json(path)
        if before[name]["scale"] != scale:
            raise InputError(f"{path}: of scale {before[name]['scale']}, not {scale}; name it by --scale")
    folder = root / FOLDER / scale
    for name in names:
        source = plan.params[name]
        said, _ = load(source, plan.lab.near(source))
        changed = copy.deepcopy(said)
        changed["scales"][scale].setdefault("axes", {})["seed"] = fresh_seeds(plan, name)
        target = folder / "params" / source.relative_to(plan.settings.params)
        write_bytes(target, json.dumps(changed, indent=1).encode())
    folders = {"params": folder / "params", "data": plan.settings.data.resolve(), "results": folder}
    errors = run_pipeline(
        Path(sys.executable), dict(os.environ), root, names, scale, cores, folder / "log.txt", tell, folders
    )
    if errors:
        raise AtlasError("; ".join(f"{name}: {error}" if name else error for name, error in errors.items()))
    return [flip for name in names for flip in compared(before[name], read_json(folder / name / "verdict.json"))]


def compared(old: dict[str, Any], new: dict[str, Any]) -> list[Flip]:
    """The claims of two verdicts of one study."""
    found = {claim["name"]: claim for claim in new["claims"]}
    return [
        Flip(
            old["study"], claim["name"], claim["verdict"], found[claim["name"]]["verdict"],
            bool(claim["close"] or found[claim["name"]]["close"]),
            (claim["estimate"], *claim["interval"]),
            (found[claim["name"]]["estimate"], *found[claim["name"]]["interval"]),
        )
        for claim in old["claims"]
    ]  # fmt: skip


def report(flips: list[Flip]) -> list[str]:
    """What flipped, a line each, and how many of how many."""
    lines = []
    for flip in flips:
        if flip.flips:
            numbers = [
                "–" if None in one else f"{one[0]:.3g} [{one[1]:.3g}, {one[2]:.3g}]" for one in (flip.old, flip.new)
            ]
            mark = " (close)" if flip.close else ""
            lines.append(f"{flip.study}: {flip.claim}: {flip.was} → {flip.now}{mark}: {numbers[0]} → {numbers[1]}")
    wide = [flip for flip in flips if flip.flips and not flip.close]
    firm = [flip for flip in flips if not flip.close]
    lines.append(
        f"{sum(flip.flips for flip in flips)} of {len(flips)} claims flip; "
        f"{len(wide)} of the {len(firm)} that are not close"
    )
    return lines


def described(plan: Plan, names: Iterable[str]) -> str:
    """On which seeds."""
    return "; ".join(f"{name}: seeds {spans(fresh_seeds(plan, name))}" for name in names)
