"""One study as one file: a ZIP archive that is an RO-Crate 1.1 and can be verified anywhere."""

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dlatlas import __version__
from dlatlas.cubes.cube import cube_digest, open_cube
from dlatlas.declare.bibliography import Paper
from dlatlas.declare.cite import Collection, cite, collection
from dlatlas.declare.lab import Lab
from dlatlas.declare.study import Study
from dlatlas.errors import AtlasError, InputError
from dlatlas.identity.store import read_json, write_bytes
from dlatlas.judging.check import compare
from dlatlas.judging.verdict import judge_study, summary
from dlatlas.planning.plan import Plan
from dlatlas.planning.provenance import read_signature
from dlatlas.publishing.ledger import entry_bytes, parse_ledger, read_entry
from dlatlas.publishing.publish import whole

METADATA = "ro-crate-metadata.json"
LEDGER = "ledger.json"
LICENCE = "https://creativecommons.org/licenses/by/4.0/"
FORMATS = {".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".yaml": "application/yaml",
           ".py": "text/x-python", ".bib": "application/x-bibtex"}  # fmt: skip


def export(plan: Plan, name: str, to: Path | None = None) -> Path:
    """Writes a published study's archive; equal results give equal bytes.

    Args:
        plan: the plan that the results belong to.
        name: the study.
        to: the file; ``<study>-<cube>.zip`` in the working directory if None.

    Raises:
        AtlasError: results that are not up to date or were not published.
    """
    home, root = plan.home(name), plan.settings.root
    _, digest, _ = whole(plan, name)
    entry = read_entry(root, name)
    if entry is None or entry["cube"] != digest:
        raise AtlasError(f"{home}: cube {digest} is not in the ledger; `dlatlas publish {name}` puts it there")
    study = plan.sweep(name).study
    papers, ours = plan.lab.papers(study), collection(plan.lab.root)
    signature = {"commit": entry["commit"], "date": entry["date"], "dirty": False, "cube": digest}
    files = {
        f"params/{name}.yaml": plan.params[name].read_bytes(),
        f"studies/{name}.py": plan.lab.file(name).read_bytes(),
        LEDGER: entry_bytes(name, entry),
        "citation.bib": (cite(study, papers, ours, signature) + "\n").encode(),
    }
    kept = [home / file for file in ("verdict.json", "figure.svg", "figure.png")]
    kept += [path for path in (home / "cube.zarr").rglob("*") if path.is_file() and path.name != ".snakemake_timestamp"]
    files |= {path.relative_to(home).as_posix(): path.read_bytes() for path in kept}
    files[METADATA] = _json(_metadata(study, papers, ours, entry, files))
    to = to or Path(f"{name}-{digest}.zip")
    write_bytes(to, _zipped(files))
    return to


def check_archive(path: Path, lab: Lab) -> str:
    """Verifies every file of an archive, and computes its verdict again if the lab here has the study.

    Returns:
        What was found, to be printed.

    Raises:
        InputError: not an archive of ours; a file that is missing, foreign or corrupted, by name.
        AtlasError: parts that do not belong together, or another verdict.
    """
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            names = [item.filename for item in archive.infolist() if not item.is_dir()]
            if METADATA not in names:
                raise InputError(f"{path}: not an archive of the atlas: it has no {METADATA}")
            archive.extractall(folder)  # which drops drives, leading slashes and ".."
            return _checked(path, Path(folder), names, lab)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not an archive of the atlas: {type(error).__name__}: {error}") from None
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise InputError(f"{path}: not a whole ZIP archive ({error})") from None


def _checked(path: Path, home: Path, names: list[str], lab: Lab) -> str:
    graph = read_json(home / METADATA)["@graph"]
    listed = {item["@id"]: item["sha256"] for item in graph if item["@type"] == "File"}
    for name in sorted({*listed, *names} - {METADATA}):
        if name not in names:
            raise InputError(f"{path}/{name}: missing")
        if name not in listed:
            raise InputError(f"{path}/{name}: not a file of this archive")
        if hashlib.sha256((home / name).read_bytes()).hexdigest() != listed[name]:
            raise InputError(f"{path}/{name}: corrupted")
    if LEDGER not in names:
        raise InputError(f"{path}: not an archive of the atlas: it has no {LEDGER}")
    ((study, entry),) = parse_ledger((home / LEDGER).read_bytes(), f"{path}/{LEDGER}").items()
    verdict = read_json(home / "verdict.json")
    found = {
        "cube.zarr": cube_digest(home / "cube.zarr"),
        "verdict.json": verdict["cube"],
        "figure.svg": read_signature(home / "figure.svg")["cube"],
        "figure.png": read_signature(home / "figure.png")["cube"],
    }
    for file, digest in found.items():
        if digest != entry["cube"]:
            raise AtlasError(f"{path}/{file}: of cube {digest}, {LEDGER} says {entry['cube']}")
    told = f"{path}: {len(names)} files verified, cube {entry['cube']}, commit {entry['commit']}"
    if study not in lab.chapters:
        return f"{told}\n{study} is not installed here: its verdict ({verdict['verdict']}) was not computed again"
    again = {**judge_study(lab.study(study), open_cube(home / "cube.zarr")), "cube": entry["cube"]}
    compare(f"{path}/verdict.json", again, verdict)
    return f"{told}\n{summary(again)}"


def _zipped(files: Mapping[str, bytes]) -> bytes:
    """Stored, not deflated, since deflate differs between libraries and cubes are compressed already."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            item = zipfile.ZipInfo(name)  # of 1 January 1980
            item.external_attr, item.create_system = 0o644 << 16, 3
            archive.writestr(item, files[name])
    return buffer.getvalue()


def _json(record: Mapping[str, Any]) -> bytes:
    return (json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _metadata(
    study: Study, papers: Iterable[Paper], ours: Collection, entry: Mapping[str, Any], files: Mapping[str, bytes]
) -> dict[str, Any]:
    """RO-Crate 1.1: every file with its size and SHA-256, the papers, the software, the run that made them."""
    name = study.name
    cube = [file for file in sorted(files) if file.startswith("cube.zarr/")]
    others = [file for file in sorted(files) if file not in cube]
    articles = {paper.url or f"#{paper.key}": paper for paper in papers}
    # A lab that does not say who it is leaves the author out; a study of it is not by the instrument's makers.
    authors = {f"#author-{place}": author for place, author in enumerate(ours.authors, 1)}
    credit = {"author": _ids(authors)} if authors else {}
    again = f"git checkout {entry['commit']} && snakemake --cores all --config studies={name} scale={entry['scale']}"
    graph: list[dict[str, Any]] = [
        {"@id": METADATA, "@type": "CreativeWork", "about": {"@id": "./"},
         "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"}},
        {"@id": "./", "@type": "Dataset", "name": study.title, "description": study.says,
         "datePublished": entry["date"], "license": {"@id": LICENCE}, **credit,
         "identifier": entry["cube"], "version": entry["commit"], "citation": _ids(articles),
         "mentions": _ids(["#run"]), "hasPart": _ids([*others, "cube.zarr/"])},
        {"@id": "cube.zarr/", "@type": "Dataset", "name": f"Cube of {name}", "identifier": entry["cube"],
         "description": "Zarr 3; xarray.open_zarr reads it", "hasPart": _ids(cube)},
        {"@id": LICENCE, "@type": "CreativeWork", "name": "CC BY 4.0"},
        {"@id": "#dlatlas", "@type": "SoftwareApplication", "name": "dlatlas", "version": __version__,
         "softwareRequirements": [f"{key} {value}" for key, value in sorted(entry["versions"].items()) if value]},
        {"@id": "#run", "@type": "CreateAction", "name": "The sweep", "description": again, "endTime": entry["date"],
         "instrument": {"@id": "#dlatlas"}, "object": _ids([f"params/{name}.yaml", f"studies/{name}.py"]),
         "result": _ids(["cube.zarr/", "verdict.json", "figure.svg", "figure.png"])},
    ]  # fmt: skip
    graph += [
        {"@id": key, "@type": "Person" if author.person else "Organization", "name": author.name}
        for key, author in authors.items()
    ]  # fmt: skip
    graph += [
        {"@id": key, "@type": "ScholarlyArticle", "name": paper.title, "author": paper.authors,
         "publisher": paper.venue, "datePublished": str(paper.year)}
        for key, paper in articles.items()
    ]  # fmt: skip
    graph += [
        {"@id": file, "@type": "File", "contentSize": str(len(files[file])),
         "encodingFormat": FORMATS.get(Path(file).suffix, "application/octet-stream"),
         "sha256": hashlib.sha256(files[file]).hexdigest()}
        for file in [*others, *cube]
    ]  # fmt: skip
    context = ["https://w3id.org/ro/crate/1.1/context", {"sha256": "https://schema.org/sha256"}]
    return {"@context": context, "@graph": graph}


def _ids(names: Iterable[str]) -> list[dict[str, str]]:
    return [{"@id": name} for name in names]
