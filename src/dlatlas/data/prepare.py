"""The file data sets: made once into ``data/``, and told apart from what ``data.dvc`` says, file by file."""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path

import yaml

from dlatlas.declare.registry import load, makers
from dlatlas.errors import InputError
from dlatlas.identity.pointer import folder_md5, read

IGNORED = (".snakemake_timestamp", ".partial-")  # as in .dvcignore
STALE = 3600.0  # seconds after which a temporary folder belongs to a process that was killed


def prepare(folder: Path, pointer: Path, packages: tuple[str, ...] = ("dlatlas",)) -> None:
    """Make every file data set that ``folder`` lacks, then check the whole folder.

    A file that is there is never overwritten. A new one is written in a temporary folder and renamed, so a process
    killed at any moment leaves no half-written file.

    Args:
        folder: the data folder, ``data``.
        pointer: ``data.dvc``.
        packages: whose data sets; a module under their ``data`` makes ``<module>.safetensors`` if it defines ``make``.

    Raises:
        InputError: as for `verify`, of which a file just made is told apart.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob(".partial-*"):
        if time.time() - stale.stat().st_mtime > STALE:
            shutil.rmtree(stale, ignore_errors=True)
    made = []
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
    try:
        for name, make in _makers(packages).items():
            file = f"{name}.safetensors"
            if not (folder / file).exists():
                make(partial / file)
                (partial / file).replace(folder / file)
                made.append(file)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _check(folder, pointer, made)


def verify(folder: Path, pointer: Path) -> None:
    """Check that ``folder`` holds exactly the files that ``pointer`` lists, with the contents it lists.

    Args:
        folder: the data folder, ``data``.
        pointer: ``data.dvc``.

    Raises:
        InputError: one line a fault: a missing, truncated, different or foreign file, or a pointer whose list of
            files (its ``meta`` section, see `update`) is not the one that its own digest belongs to.
    """
    _check(folder, pointer, made=())


def update(pointer: Path = Path("data.dvc"), folder: Path = Path("data")) -> None:
    """After ``dvc add data``: write each file's md5 and size into the pointer's ``meta`` section, which DVC keeps.

    DVC itself puts the list of files into its cache, which git does not hold; with it here, an error can say which
    file differs.

    Args:
        pointer: ``data.dvc``, as ``dvc add`` left it.
        folder: the data folder it was made from.

    Raises:
        InputError: the folder is not the one that was added.
    """
    md5, _, _ = read(pointer)
    files = {file: _md5(folder / file) for file in _files(folder)}
    if folder_md5(files) != md5:
        raise InputError(
            f"{pointer}: digest {md5} is not that of {folder}, {folder_md5(files)}; run `dvc add {folder}`"
        )
    content = yaml.safe_load(pointer.read_text(encoding="utf-8"))
    sizes = {file: (folder / file).stat().st_size for file in files}
    content["meta"] = {**(content.get("meta") or {}), "files": files, "sizes": sizes}
    partial = pointer.with_name(f".{pointer.name}.partial")
    partial.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    partial.replace(pointer)


def _makers(packages: tuple[str, ...]) -> dict[str, Callable[[Path], None]]:
    from dlatlas.data.tensors import write

    makes = {module.rpartition(".")[2]: load(f"{module}:make") for module in makers(packages)}
    return {name: lambda path, make=make: write(path, make()) for name, make in makes.items()}


def _check(folder: Path, pointer: Path, made: Collection[str]) -> None:
    md5, files, sizes = read(pointer)
    if folder_md5(files) != md5:
        raise InputError(
            f"{pointer}: meta.files is not the list of files of digest {md5}; after `dvc add {folder}` run "
            "`python -c 'from dlatlas.data.prepare import update; update()'`"
        )
    here, faults = _files(folder), []
    for file in sorted(set(files) - set(here)):
        faults.append(f"{folder / file}: missing, but {pointer.name} lists it; `dvc pull {pointer.name}` brings it")
    for file in sorted(set(here) - set(files)):
        faults.append(
            f"{folder / file}: not listed in {pointer.name}; remove it, or `dvc add {folder}` if it is a data set"
        )
    meant = f"or run `dvc add {folder}` if the change is meant"
    for file in sorted(set(here) & set(files)):
        found, size = _md5(folder / file), (folder / file).stat().st_size
        if found == files[file]:
            continue
        if file in made:
            faults.append(
                f"{folder / file}: made here with digest {found}, but {pointer.name} says {files[file]}: this "
                "machine's libraries round differently; get the published file by deleting it and "
                f"`dvc pull {pointer.name}`, {meant}"
            )
        elif size < sizes.get(file, 0):
            faults.append(
                f"{folder / file}: truncated, {size} bytes of the {sizes[file]} in {pointer.name}; "
                "delete it and prepare or pull it again"
            )
        else:
            faults.append(
                f"{folder / file}: digest {found} differs from {pointer.name}, which says {files[file]}; "
                f"delete the file to make it again, {meant}"
            )
    if faults:
        raise InputError("\n".join(faults))


def _files(folder: Path) -> list[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in paths if not any(part.startswith(IGNORED) for part in path.parts))


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
