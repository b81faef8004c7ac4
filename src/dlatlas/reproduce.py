"""Any figure again, from a commit hash, and compared with what is known of it.

The commit is checked out in a worktree of its own, beside the user's tree, and its own Snakefile and code do the work.
Only the comparison is ours, so that it works across commits that changed the package's layout. What it relies on:
``params/<study>.yaml``, and ``results/<study>/`` with ``cube.zarr``, ``verdict.json``, ``figure.svg``, ``figure.png``.
"""

import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dlatlas import pulled
from dlatlas.against import Against, with_ledger, with_results
from dlatlas.compare import OUTCOMES, Outcome, worst
from dlatlas.environment import Choice, cache_folder, facts, interpreter
from dlatlas.errors import AtlasError, InputError, unknown
from dlatlas.git import git
from dlatlas.ledger import read_ledger
from dlatlas.params import SCALES
from dlatlas.pipeline import run_pipeline, said_by_code
from dlatlas.provenance import read_signature

Source = Literal["results", "data", "scratch"]
Tell = Callable[[str], None]


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


@dataclass
class Made:
    """One study made again.

    Attributes:
        study: its name.
        scale: at which.
        how: computed, or drawn from the pulled cube.
        home: where its cube, verdict and figures are; None if it failed.
        error: why it failed.
        against: what it was compared with.
    """

    study: str
    scale: str
    how: str = "computed"
    home: Path | None = None
    error: str | None = None
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
        ledger = _ledger(tree, tell)
        names = _names(request, tree, ledger)
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
            if made.home is None:
                continue
            tell(f"comparing {made.study}")
            if made.study in ledger:
                known = said_by_code(python, variables, tree, made.study, made.scale)
                entry = ledger[made.study]
                made.against.append(with_ledger(made.study, entry, made.home, here, known, origins, tree))
            references = [
                ("published results", work / "pulled" / made.study),
                ("results here", request.results / made.study),
            ]
            for label, home in references:
                if not (home / "cube.zarr").is_dir():
                    continue
                item = with_results(label, made.study, made.scale, home, made.home, here, origins, tree)
                item.reused = label == "published results" and made.how != "computed" and item.same_recipe
                item.add_bytes(broken.get(made.study, []) if label == "published results" else [])
                if label == "results here" and any(older.outcome for older in made.against):
                    item.counts = item.same_recipe
                made.against.append(item)
            for item in made.against:
                item.picture(made.home)
        return Report(
            commit, request.source, str(python), here["versions"], here["processor"],
            round(time.monotonic() - begun, 1), studies,
        )  # fmt: skip


def resolve(root: Path, commit: str) -> str:
    """The full hash of a commit.

    Raises:
        InputError: not a git checkout, or no such commit.
    """
    try:
        git(root, "rev-parse", "--git-dir")
    except AtlasError:
        raise InputError(f"{root}: not a git checkout; reproduce needs the history: git clone it") from None
    try:
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    except AtlasError:
        raise InputError(f"{commit}: no such commit in {root}; `git fetch` brings those of its remote") from None


@contextmanager
def checkout(root: Path, commit: str, keep: bool, tell: Tell) -> Iterator[Path]:
    """A folder in the cache with a worktree of the commit, ``checkout``, both taken away at the end unless kept.

    Raises:
        AtlasError: it is there from an earlier ``--keep``, or git cannot make it.
    """
    home = cache_folder() / "checkouts"
    _clear(root, home)
    work = home / f"{commit[:12]}.{'kept' if keep else os.getpid()}"
    tree = work / "checkout"
    if tree.exists():
        raise AtlasError(f"{tree}: kept by an earlier run; `git worktree remove --force {tree}` takes it away")
    work.mkdir(parents=True, exist_ok=True)
    tell(f"checking out {commit[:12]}")
    try:
        git(root, "-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", str(tree), commit)
        yield work
    finally:
        if keep:
            tell(f"the checkout stays in {tree}; `git worktree remove --force {tree}` takes it away")
        else:
            _remove(root, work)


def _remove(root: Path, work: Path) -> None:
    with suppress(AtlasError):
        git(root, "worktree", "remove", "--force", "--force", str(work / "checkout"))
    shutil.rmtree(work, ignore_errors=True)
    with suppress(AtlasError):
        git(root, "worktree", "prune")


def _clear(root: Path, home: Path) -> None:
    """Takes away what killed processes left."""
    for work in home.glob("*.*"):
        number = work.suffix[1:]
        if number.isdigit():
            try:
                os.kill(int(number), 0)
            except ProcessLookupError:
                _remove(root, work)
            except PermissionError:
                continue


def _ledger(tree: Path, tell: Tell) -> dict[str, Any]:
    try:
        return read_ledger(tree / "results" / "ledger.json")["studies"]
    except InputError as error:
        tell(f"the commit's ledger cannot be read: {error}")
        return {}


def _names(request: Request, tree: Path, ledger: Iterable[str]) -> list[str]:
    found = sorted(path.stem for path in (tree / "params").glob("*.yaml"))
    names = [name.replace("-", "_") for name in request.studies] or [name for name in found if name in ledger] or found
    for name in names:
        if name not in found:
            raise unknown(request.commit, "study", name, found)
    if not names:
        raise InputError(f"{request.commit}: that commit has no study (no params/*.yaml)")
    return list(dict.fromkeys(names))


def _fetch(
    request: Request, work: Path, studies: list[Made], ledger: dict[str, Any], tell: Tell
) -> dict[str, list[str]]:
    """Pulls what is wanted; lays published results aside; returns the damaged files of each study's."""
    tree = work / "checkout"
    broken: dict[str, list[str]] = {}
    if request.source == "scratch":
        return broken
    remote = pulled.use_remote(request.root, tree)
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
        tell(f"{made.study}: not published at scale {made.scale}: computed again")
        return []
    if fault := pulled.pull(tree, pointer):
        tell(f"{made.study}: not to be had from {remote}: {fault}; computed again")
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


class Origins:
    """The files of the commits that references say they were made from, each unpacked once."""

    def __init__(self, root: Path, work: Path) -> None:
        self.root, self.folder = root, work / "origins"
        self._known: dict[str, Path | None] = {}

    def of_commit(self, commit: str | None) -> Path | None:
        """The checkout's files at a commit; None if git does not have it."""
        if not commit:
            return None
        if commit not in self._known:
            self._known[commit] = self._unpack(commit)
        return self._known[commit]

    def _unpack(self, commit: str) -> Path | None:
        target = self.folder / commit
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            archive = Path(folder) / "all.tar"
            try:
                git(self.root, "archive", "--format=tar", f"--output={archive}", resolve(self.root, commit))
            except AtlasError:
                return None
            with tarfile.open(archive) as file:
                file.extractall(target, filter="data")
        return target

    def of_results(self, home: Path) -> Path | None:
        """The files that a results folder was made from, by the commit in its figure; None if that is not known.

        Results here that were made from a dirty tree are taken to be made from this checkout as it stands.
        """
        with suppress(InputError):
            signed = read_signature(home / "figure.png")
            if signed.get("dirty") is False:
                return self.of_commit(signed.get("commit"))
        return None if self.folder.parent in home.parents else self.root
