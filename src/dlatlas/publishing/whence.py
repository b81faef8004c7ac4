"""Where a file comes from, wherever it was copied to: figures and pages say it themselves, cubes are looked up.

A cube holds nothing of its commit, or equal cubes of two commits would differ. Its digest leads to the commit: the
ledger's history in git knows every cube that was published.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlatlas.cubes.cube import cube_digest, files_of, open_cube, stamp_of
from dlatlas.errors import AtlasError, InputError
from dlatlas.identity.git import OUTSIDE, git
from dlatlas.identity.store import read_json
from dlatlas.planning.provenance import read_signature
from dlatlas.publishing.ledger import SINGLE, entry_file, parse_ledger, read_entry, variable_digest


def whence(path: Path, root: Path) -> list[str]:
    """What is known of an SVG, PNG or HTML file, or of a cube, a line each.

    Args:
        path: the file, or the folder of a cube.
        root: the checkout whose history is asked.

    Raises:
        AtlasError: not ours, or a cube whose bytes are not those that were written or published.
    """
    if path.is_dir():
        return _of_cube(path, root)
    record = read_signature(path)
    cubes = record.get("cubes") or {None: record.get("cube")}
    digests = {f"cube {name}" if name else "cube": digest for name, digest in cubes.items()}
    digests |= {"recipe": record.get("params"), "code": record.get("code")}
    return _told(path, record, digests, root)


def _told(path: Path, record: Mapping[str, Any], digests: Mapping[str, Any], root: Path) -> list[str]:
    commit, dirty = record.get("commit"), record.get("dirty")
    again = record.get("again") or f"snakemake --cores all --config studies={record['study']} scale={record['scale']}"
    if commit is None:
        said = f"none: {record.get('unknown', OUTSIDE)}"
    else:
        said = (
            commit
            + (", with uncommitted changes" if dirty else "")
            + ("" if _known(root, commit) else ", unknown here")
        )
        again = f"git checkout {commit} && {again}"
    facts = {
        "study": record["study"],
        "scale": record["scale"],
        "commit": said,
        "date": record.get("date"),
        **digests,
        "versions": ", ".join(f"{name} {version}" for name, version in sorted((record.get("versions") or {}).items())),
        "processor": record.get("processor"),
        "again": again + (" (but for the uncommitted changes)" if dirty else ""),
    }
    width = max(len(name) for name in facts)
    return [str(path), *(f"  {name:<{width}}  {value}" for name, value in facts.items() if value)]


def _of_cube(path: Path, root: Path) -> list[str]:
    held = read_json(path / "zarr.json").get("attributes", {}) if (path / "zarr.json").is_file() else {}
    if not {"study", "scale", "runs", "versions"} <= set(held):
        raise InputError(f"{path}: not a cube of the atlas")
    digest = cube_digest(path)
    found = _published(root, held["study"], digest)
    if found is not None:
        entry, where = found
        codes = {f"code of {stage}": code for stage, code in entry["code"].items()}
        digests = {"cube": digest, "params": entry["params"], "data": entry["data"], **codes}
        record = {**entry, "study": held["study"], "dirty": False}
        return [*_told(path, record, digests, root), f"  found in {where}: its bytes are those that were published"]
    stamp = _stamp_beside(path)
    if stamp is not None and stamp["digest"] == digest:
        record = {"study": held["study"], "scale": held["scale"], "versions": json.loads(held["versions"])}
        told = _told(path, record, {"cube": digest}, root)
        told = [line.replace(f"none: {OUTSIDE}", "unknown: this cube was not published") for line in told]
        return [*told, "  its bytes are those that were written"]
    raise AtlasError(
        f"{path}: says that it is of study {held['study']}, {_difference(path, root, held['study'], stamp)}"
    )


def _difference(path: Path, root: Path, study: str, stamp: Mapping[str, Any] | None) -> str:
    """How a cube differs from what was written beside it, or else from what was published."""
    if stamp is not None:
        found = files_of(path)
        names = sorted(name for name in {*found, *stamp["files"]} if found.get(name) != stamp["files"].get(name))
        return f"but its bytes are not those that were written: {', '.join(names[:3])}{' …' if names[3:] else ''}"
    entry = read_entry(root, study)
    if entry is None:
        return f"but no cube of it was published here, so nothing can be said of its bytes ({cube_digest(path)})"
    cube = open_cube(path)
    known = {name: held["digest"] for name, held in entry["variables"].items()}
    wrong = [name for name in sorted(known) if name not in cube or variable_digest(cube[name].values) != known[name]]
    if not wrong:
        return f"but only its numbers are those of the published cube {entry['cube']}, not its coordinates or metadata"
    return f"but its bytes are none that were published; from cube {entry['cube']} differ: {', '.join(wrong)}"


def _stamp_beside(path: Path) -> dict[str, Any] | None:
    try:
        return stamp_of(path.parent, "cube")
    except InputError:
        return None


def _published(root: Path, study: str, digest: str) -> tuple[dict[str, Any], str] | None:
    """The first entry of any commit's ledger with that cube, or the one not yet committed, and the file that it is in.

    A file that cannot be read, e.g. one that was committed in the middle of a merge, is passed over.
    """
    files = entry_file(study), SINGLE
    try:
        commits = git(root, "log", "--full-history", "--reverse", "--format=%H", f"-S{digest}", "--", *files).split()
    except AtlasError:
        commits = []
    for commit in commits:
        for file in files:
            try:
                entry = parse_ledger(git(root, "show", f"{commit}:{file}"), file).get(study)
            except AtlasError:
                continue
            if entry and entry["cube"] == digest:
                return entry, f"{commit[:12]}:{file}"
    entry = read_entry(root, study)
    here = next((file for file in files if (root / file).is_file()), SINGLE)
    return (entry, here) if entry and entry["cube"] == digest else None


def _known(root: Path, commit: str) -> bool:
    try:
        git(root, "cat-file", "-e", f"{commit}^{{commit}}")
    except AtlasError:
        return False
    return True
