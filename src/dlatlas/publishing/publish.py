"""Results into DVC and the ledger, and back: what is published is whole, up to date, and of a commit."""

import json
import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from dlatlas.errors import AtlasError, InputError
from dlatlas.identity.git import dirty_files, git, head
from dlatlas.identity.store import read_json
from dlatlas.judging.check import verified_cube
from dlatlas.judging.history import past
from dlatlas.planning.plan import STAGES, Plan
from dlatlas.planning.provenance import entered, read_signature
from dlatlas.publishing.ledger import (
    FOLDER,
    SINGLE,
    entry,
    entry_file,
    published,
    read_ledger,
    split_ledger,
    write_entry,
)
from dlatlas.publishing.remote import dvc, remote_name

if TYPE_CHECKING:
    import xarray as xr

UNCHANGED = ("commit", "date", "versions", "processor")
"""An entry that differs in these alone is left as it is: the older commit made the same results."""


def publish(plan: Plan, remote: str | None = None) -> list[str]:
    """Adds the results of the plan's studies to DVC, one pointer a study, and to the ledger; pushes if it can.

    Nothing is computed again. With all studies in the plan, the page and the data are published, too.

    Returns:
        What was done, a line each.

    Raises:
        AtlasError: uncommitted changes, results that are not up to date or do not belong together, a corrupted cube,
            or DVC failed. The ledger is then as it was.
    """
    root = plan.settings.root
    results = plan.settings.results.resolve()
    if results != (root / "results").resolve():
        raise InputError(f"{plan.settings.results}: only results/ of the checkout is published")
    files = entered(plan)
    if dirty := dirty_files(root, files):
        raise AtlasError(f"uncommitted changes cannot enter the ledger; commit or remove: {', '.join(dirty)}")
    _check_kept(root, plan.names)
    name = remote_name(root, remote)
    now = head(root, files)
    entries = {}
    for study in plan.names:
        cube, _, verdict = whole(plan, study)
        entries[study] = entry(plan, study, cube, verdict, now)
    _check_signatures(plan, entries)
    folders = [f"results/{study}" for study in plan.names]
    if plan.complete:
        folders.append("results/atlas")
    if plan.settings.data.is_dir() or any(plan.needs_data(study) for study in plan.names):
        from dlatlas.data.prepare import verify

        verify(plan.settings.data, plan.settings.pointer)
        folders.append("data")
    dvc(root, "add", *folders)
    said = enter(root, entries, plan.complete)
    pointers = [f"{folder}.dvc" for folder in folders]
    if name:
        dvc(root, "push", "--remote", name, *pointers)
    said.append(f"pushed to {name}" if name else "not pushed: there is no remote; `dvc remote add` names one")
    ledger = f"{FOLDER} {SINGLE}" if git(root, "ls-files", SINGLE) else FOLDER
    said.append(f"now: git add results/*.dvc {ledger} && git commit -m 'Publish {_listed(plan)}'")
    return said


def pull(root: Path, studies: Iterable[str] = (), remote: str | None = None) -> list[str]:
    """Gets published results, and the data with them if no study is named; verifies every cube that came.

    Raises:
        AtlasError: no such pointer, no remote, DVC failed, or a corrupted cube.
    """
    names = [study.replace("-", "_") for study in studies]
    pointers = [root / "results" / f"{study}.dvc" for study in names]
    for pointer in pointers:
        if not pointer.is_file():
            raise InputError(f"{pointer.relative_to(root)}: not published; `dlatlas publish {pointer.stem}` does that")
    pointers = pointers or sorted((root / "results").glob("*.dvc"))
    name = remote_name(root, remote)
    if name is None:
        raise InputError(
            ".dvc/config: there is no remote to pull from; `snakemake --cores all` makes the results again"
        )
    if pointers:
        try:
            dvc(root, "pull", "--remote", name, *(f"results/{pointer.name}" for pointer in pointers))
        except AtlasError as error:
            raise _named(root, pointers, error) from None
    if not names:  # a remote without them is no fault: the workflow makes them
        dvc(root, "pull", "--remote", name, "--allow-missing", "data.dvc")
    said = []
    for pointer in pointers:
        home = root / "results" / pointer.stem
        if (home / "cube.zarr").is_dir():
            said.append(f"{pointer.stem}: cube {verified_cube(home)[1]}")
    return said


def _named(root: Path, pointers: Iterable[Path], error: AtlasError) -> AtlasError:
    """The same error, or a better one if DVC has fetched a folder's list but not all of the files on it."""
    if "Checkout failed" not in str(error):
        return error
    cache = root / ".dvc" / "cache" / "files" / "md5"
    for pointer in pointers:
        (out,) = yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"]
        folder = f"{out['md5'][:2]}/{out['md5'][2:]}"
        listed = cache / folder
        for item in json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else []:
            name = f"{item['md5'][:2]}/{item['md5'][2:]}"
            if not (cache / name).is_file():  # DVC would not push it again while the folder's list is there
                return AtlasError(
                    f"results/{pointer.stem}/{item['relpath']}: missing or corrupted in the remote, nothing was "
                    f"changed here; delete {name} and {folder} in files/md5 there, then publish from a checkout that "
                    "has them"
                )
    return error


def whole(plan: Plan, name: str) -> tuple["xr.Dataset", str, dict[str, Any]]:
    """A study's verified cube, its digest and its verdict, all of them up to date and of one another.

    Raises:
        AtlasError: results of other params, code or data, a corrupted cube, or a verdict of another cube.
    """
    home = plan.home(name)
    for stage in STAGES:
        if not plan.stamp(name, stage).is_file():
            raise AtlasError(
                f"{home}: its {stage} is not that of params, code and data at scale {plan.settings.scale}; "
                "`snakemake --cores all` makes it"
            )
    cube, digest = verified_cube(home)
    verdict = read_json(home / "verdict.json")
    if verdict.get("cube") != digest:
        raise AtlasError(
            f"{home}/verdict.json: judged on cube {verdict.get('cube')}, cube.zarr is {digest}; "
            "delete verdict.json and run again"
        )
    return cube, digest, verdict


def _check_signatures(plan: Plan, entries: dict[str, dict[str, Any]]) -> None:
    """Every figure and page must be of a commit and show the cube on disk."""
    results = plan.settings.results
    expected = {results / study / file: entries[study]["cube"] for study in entries for file in STAGES["figure"]}
    if plan.complete:
        if not plan.atlas_stamp.is_file():
            raise AtlasError(f"{plan.page}: not up to date; `snakemake --cores all` makes it")
        pages = {study: plan.page.with_name(f"{study}.html") for study in entries}
        expected |= {plan.page: None} | {pages[study]: entries[study]["cube"] for study in entries}
    wrong, why = [], ""
    for path, cube in expected.items():
        signature = read_signature(path)
        found = signature.get("cube")
        if cube and found != cube:
            why = why or f"{path}: drawn from cube {found}, cube.zarr is {cube}"
        elif signature.get("dirty") is not False:
            why = why or f"{path}: drawn from uncommitted changes"
        else:
            continue
        wrong.append(os.path.relpath(path, plan.settings.root))
    if wrong:
        raise AtlasError(f"{why}; draw again: rm {shlex.join(wrong)} && snakemake --cores all")


def _check_kept(root: Path, studies: Iterable[str]) -> None:
    """Entries that git ignores would be lost, as in a checkout whose .gitignore knows the single file only."""
    try:
        ignored = git(root, "check-ignore", *(entry_file(study) for study in studies)).splitlines()
    except AtlasError:  # which is how git says that it ignores none
        return
    raise InputError(f".gitignore: git ignores {ignored[0]}, which is the ledger; add the line !/{FOLDER}/ at its end")


def enter(root: Path, entries: dict[str, dict[str, Any]], complete: bool) -> list[str]:
    """Writes entries into a checkout's ledger, but for those that it holds already.

    Args:
        root: the checkout.
        entries: by study.
        complete: whether they are all that there are, so that the files of others are removed.

    Returns:
        What was done, a line each.

    Raises:
        InputError: a file that is no ledger; then nothing was changed.
    """
    held = read_ledger(root, entries)
    said = [f"{SINGLE}: split into {FOLDER}/, one file a study"] if split_ledger(root) else []
    for gone in sorted(set(published(root)) - set(entries)) if complete else []:
        (root / entry_file(gone)).unlink()
        said.append(f"{gone}: no longer a study; `git rm results/{gone}.dvc`")
    for name, new in entries.items():
        old = held.get(name)
        if old and _essence(old) == _essence(new) and _behind(root, old["commit"]):
            said.append(f"{name}: unchanged since {old['commit'][:12]}")
            continue
        write_entry(root, name, {**new, "before": past(old)} if old else new)
        said.append(f"{name}: {new['verdict']['verdict']}, cube {new['cube']}")
    return said


def _essence(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in (*UNCHANGED, "before")}


def _behind(root: Path, commit: str) -> bool:
    """Whether a commit is in the history; after a rebase it may be gone."""
    try:
        git(root, "merge-base", "--is-ancestor", commit, "HEAD")
    except AtlasError:
        return False
    return True


def _listed(plan: Plan) -> str:
    return "results" if plan.complete else ", ".join(plan.names)
