"""Any figure again, from a commit hash, and compared with what is known of it.

The commit is checked out in a worktree of its own, beside the user's tree, and its own Snakefile and code do the work.
Only the comparison is ours, so that it works across commits that changed the package's layout. What it relies on:
``params/<study>.yaml``, and ``results/<study>/`` with ``cube.zarr``, ``verdict.json``, ``figure.svg``, ``figure.png``.
"""

import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dlatlas.declare.params import SCALES
from dlatlas.errors import InputError, unknown
from dlatlas.publishing.ledger import published, read_entry
from dlatlas.reproduction import pulled
from dlatlas.reproduction.against import Against, with_ledger, with_results
from dlatlas.reproduction.checkout import Origins, checkout, resolve
from dlatlas.reproduction.compare import OUTCOMES, Outcome, worst
from dlatlas.reproduction.environment import Choice, facts, interpreter
from dlatlas.reproduction.pipeline import run_pipeline, said_by_code

Source = Literal["results", "data", "scratch"]
Tell = Callable[[str], None]

PUBLISHED = "published results"


@dataclass(frozen=True)
class Request:
    """What is to be made again, and how.

    Attributes:
        root: the user's checkout, which is only read.
        commit: a commit, branch or tag.
        studies: which; all in the commit's ledger when empty, all with a params file where it has no ledger.
        source: results (pulled, and only verdicts and figures made again), data (pulled), scratch (nothing pulled).
        environment: lock, current, or None: current where the lock files are the same.
        scale: None for that of the commit's ledger, laptop for studies that are not in it.
        cores: as Snakemake's option.
        results: the user's results, compared with if they are there; what is made lies under ``reproduced/`` in it.
        keep: whether the worktree stays.
        remote: DVC remote; the default one if None.
    """

    root: Path
    commit: str
    studies: tuple[str, ...] = ()
    source: Source = "results"
    environment: Choice | None = None
    scale: str | None = None
    cores: str = "all"
    results: Path = Path("results")
    keep: bool = False
    remote: str | None = None


@dataclass
class Made:
    """One study made again.

    Attributes:
        study: its name.
        scale: at which.
        how: computed, or drawn from the pulled cube.
        home: where its cube, verdict and figures are; None if it failed.
        error: why it failed.
        note: why published results were not used.
        against: what it was compared with.
    """

    study: str
    scale: str
    how: str = "computed"
    home: Path | None = None
    error: str | None = None
    note: str = ""
    against: list[Against] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome | None:
        """The worst of the comparisons that count; None if there was nothing to compare with."""
        if self.error:
            return "different"
        return worst(item.outcome for item in self.against if item.counts)


@dataclass
class Report:
    """What was made of a commit."""

    commit: str
    source: Source
    python: str
    versions: dict[str, Any]
    processor: str | None
    seconds: float
    studies: list[Made]

    @property
    def outcome(self) -> Outcome | None:
        """The worst of all studies; None as soon as one of them had nothing to compare with and none differs."""
        outcomes = [made.outcome for made in self.studies]
        return None if None in outcomes and OUTCOMES[-1] not in outcomes else worst(outcomes)


def reproduce(request: Request, tell: Tell) -> Report:
    """Makes the studies of a commit again and compares them with its ledger, its published results and those here.

    Args:
        request: what and how.
        tell: is told of each phase.

    Raises:
        AtlasError: no git checkout; no such commit, study or scale; no Snakefile there; no environment to be made.
    """
    begun = time.monotonic()
    if request.scale not in (None, *SCALES):
        raise unknown("--scale", "scale", request.scale, SCALES)
    commit = resolve(request.root, request.commit)
    with checkout(request.root, commit, request.keep, tell) as work:
        tree = work / "checkout"
        if not (tree / "Snakefile").is_file():
            raise InputError(f"{request.commit}: that commit has no Snakefile, so nothing can be made again from it")
        names = _names(request, tree)
        ledger = _ledger(tree, names, tell)
        scales = {name: request.scale or ledger.get(name, {}).get("scale", "laptop") for name in names}
        python, variables = interpreter(
            tree / "requirements.lock", request.root / "requirements.lock", request.environment, tell
        )
        studies = [Made(name, scales[name]) for name in names]
        broken = _fetch(request, work, studies, ledger, tell)
        target = request.results / "reproduced" / commit[:12]
        for scale in sorted(set(scales.values())):
            chosen = [made for made in studies if made.scale == scale]
            _make(chosen, python, variables, tree, target, request.cores, tell)
        here = facts(python, variables)
        origins = Origins(request.root, work)
        for made in studies:
            if made.home is not None:
                tell(f"comparing {made.study}")
                known = said_by_code(python, variables, tree, made.study, made.scale) if made.study in ledger else {}
                _compare(made, made.home, ledger.get(made.study), known, here, origins, work, request.results)
                for item in made.against:
                    if item.reference == PUBLISHED:
                        item.add_bytes(broken.get(made.study, []))
        return Report(
            commit, request.source, str(python), here["versions"], here["processor"],
            round(time.monotonic() - begun, 1), studies,
        )  # fmt: skip


def _compare(
    made: Made,
    home: Path,
    entry: dict[str, Any] | None,
    known: dict[str, Any],
    here: dict[str, Any],
    origins: Origins,
    work: Path,
    results: Path,
) -> None:
    """Compares what was made with each reference that there is."""
    tree = work / "checkout"
    if entry:
        made.against.append(with_ledger(made.study, entry, home, here, known, origins, tree))
    for label, folder in ((PUBLISHED, work / "pulled"), ("results here", results)):
        if not (folder / made.study / ("" if label == PUBLISHED else "cube.zarr")).is_dir():
            continue
        item = with_results(label, made.study, made.scale, folder / made.study, home, here, origins, tree)
        if label == PUBLISHED:
            item.reused = made.how != "computed" and item.same_recipe
        elif any(other.outcome for other in made.against):
            item.counts = item.same_recipe
        made.against.append(item)
    for item in made.against:
        item.picture(home)


def _ledger(tree: Path, names: Iterable[str], tell: Tell) -> dict[str, Any]:
    """The entries of some studies; one that cannot be read is told, and costs the others nothing."""
    entries, faults = {}, []
    for name in names:
        try:
            entry = read_entry(tree, name)
        except InputError as error:
            faults.append(f"the commit's ledger cannot be read: {error}")
            continue
        if entry is not None:
            entries[name] = entry
    for fault in dict.fromkeys(faults):  # a single file's is that of all its studies
        tell(fault)
    return entries


def _names(request: Request, tree: Path) -> list[str]:
    files = (tree / "params").rglob("*.yaml")
    found = sorted(path.stem for path in files if not path.name.startswith((".", "_")))  # as `Lab.params`
    ledger = _listed(tree)
    names = [name.replace("-", "_") for name in request.studies] or [name for name in found if name in ledger] or found
    for name in names:
        if name not in found:
            raise unknown(request.commit, "study", name, found)
    if not names:
        raise InputError(f"{request.commit}: that commit has no study (no params/*.yaml)")
    return list(dict.fromkeys(names))


def _listed(tree: Path) -> list[str]:
    """The studies in the commit's ledger; none where it cannot be read, which `_ledger` tells."""
    try:
        return published(tree)
    except InputError:
        return []


def _fetch(
    request: Request, work: Path, studies: list[Made], ledger: dict[str, Any], tell: Tell
) -> dict[str, list[str]]:
    """Pulls what is wanted; lays published results aside; returns the damaged files of each study's."""
    tree = work / "checkout"
    broken: dict[str, list[str]] = {}
    if request.source == "scratch":
        return broken
    remote = pulled.use_remote(request.root, tree, request.remote)
    if remote is None:
        tell("no DVC remote: everything is computed again")
        return broken
    for made in studies if request.source == "results" else ():
        broken[made.study] = _published(made, work, remote, ledger.get(made.study, {}), tell)
    if any(made.how == "computed" for made in studies) and (tree / "data.dvc").is_file():
        fault = pulled.pull(tree, "data.dvc")
        bad = [] if fault else pulled.damaged(tree, "data.dvc")
        tell(f"data from {remote}: " + (fault or _told(bad)) + ("; prepared again instead" if fault or bad else ""))
        if fault or bad:
            shutil.rmtree(tree / "data", ignore_errors=True)
    return broken


def _published(made: Made, work: Path, remote: str, entry: dict[str, Any], tell: Tell) -> list[str]:
    """Pulls one study's results, of which the cube stays if it is whole; returns the damaged files."""
    tree, aside = work / "checkout", work / "pulled" / made.study
    pointer, home = f"results/{made.study}.dvc", tree / "results" / made.study
    if not (tree / pointer).is_file() or entry.get("scale", made.scale) != made.scale:
        made.note = f"not published at scale {made.scale}: computed again"
        tell(f"{made.study}: {made.note}")
        return []
    if fault := pulled.pull(tree, pointer):
        made.note = f"not to be had from {remote}, computed again: {fault}"
        tell(f"{made.study}: {made.note}")
        shutil.rmtree(home, ignore_errors=True)
        return []
    bad = pulled.damaged(tree, pointer)
    tell(f"{made.study} from {remote}: {_told(bad)}{'; computed again' if bad else ''}")
    if bad:
        aside.parent.mkdir(parents=True, exist_ok=True)
        home.rename(aside)
        return bad
    made.how = "drawn from the published cube"
    shutil.copytree(home, aside, ignore=lambda _, names: {"shards", "measures"} & set(names))
    for name in ("verdict.json", "figure.svg", "figure.png"):
        (home / name).unlink(missing_ok=True)
    return []


def _told(bad: list[str]) -> str:
    return f"{bad[0]} is damaged{f', and {len(bad) - 1} more' if len(bad) > 1 else ''}" if bad else "whole"


def _make(
    studies: list[Made], python: Path, variables: dict[str, str], tree: Path, target: Path, cores: str, tell: Tell
) -> None:
    """Runs that commit's Snakefile for some studies of one scale and copies what came out."""
    names, scale = [made.study for made in studies], studies[0].scale
    log = target / f"snakemake-{scale}.log"
    tell(f"making {', '.join(names)} at scale {scale}; all of Snakemake's words are in {log}")
    failed = run_pipeline(python, variables, tree, names, scale, cores, log, tell)
    for made in studies:
        home = tree / "results" / made.study
        wanted = [home / name for name in ("cube.zarr", "verdict.json", "figure.svg", "figure.png")]
        missing = [path.name for path in wanted if not path.exists()]
        if missing:
            made.error = failed.get(made.study) or failed.get("") or f"it left no {missing[0]}; see {log}"
            continue
        made.home = target / made.study
        shutil.rmtree(made.home, ignore_errors=True)
        made.home.mkdir(parents=True)
        for path in [*wanted, home / "stamps"]:
            if path.is_dir():
                shutil.copytree(path, made.home / path.name)
            elif path.exists():
                shutil.copy2(path, made.home / path.name)
