"""How to cite a study: its own BibTeX entry, in the lab's name, and those of the papers whose claims it tests."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dlatlas.declare.bibliography import Paper
from dlatlas.declare.study import Study
from dlatlas.errors import InputError


@dataclass(frozen=True)
class Author:
    """Who made a collection: a person, family name first where that is known, or a name to be kept whole."""

    name: str
    person: bool


@dataclass(frozen=True)
class Collection:
    """What a lab calls itself, "" if it does not say, and its authors."""

    title: str
    authors: tuple[Author, ...]


def collection(root: Path) -> Collection:
    """A checkout's title and authors: those of its ``CITATION.cff``, else of ``[project]`` in its ``pyproject.toml``.

    Raises:
        InputError: a ``CITATION.cff`` that is not YAML, or an author in it without a name.
    """
    path, project = root / "CITATION.cff", root / "pyproject.toml"
    if path.is_file():
        try:
            said = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: {' '.join(str(error).split())}") from None
        if not isinstance(said, dict) or not isinstance(said.get("authors", []), list):
            raise InputError(f"{path}: expected title and a list of authors")
        return Collection(str(said.get("title", "")), tuple(_author(path, each) for each in said.get("authors", [])))
    table = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}) if project.is_file() else {}
    people = [Author(each["name"], person=True) for each in table.get("authors", []) if "name" in each]
    return Collection(table.get("name", ""), tuple(people))


def cite(study: Study, papers: Iterable[Paper], of: Collection, signature: Mapping[str, Any]) -> str:
    """BibTeX of a study's result, named by commit and cube, and of its papers.

    Args:
        study: the study.
        papers: those that it names, `dlatlas.declare.lab.Lab.papers`.
        of: the lab that it belongs to.
        signature: of its figure, see `dlatlas.planning.provenance`.
    """
    commit = signature.get("commit")
    where = f"commit {commit}{' with uncommitted changes' if signature.get('dirty') else ''}" if commit else "no commit"
    fields = {
        "author": " and ".join(_escaped(a.name) if a.person else f"{{{_escaped(a.name)}}}" for a in of.authors),
        "title": f"{{{_escaped(study.title)}}}",
        "howpublished": _escaped(", ".join(filter(None, [of.title, f"study {study.name}"]))),
        "year": str(signature.get("date") or "")[:4],
        "note": f"{where}, cube {signature['cube']}",
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    own = "\n".join([f"@misc{{dlatlas_{study.name},", *lines, "}"])
    return "\n\n".join([own, *(paper.bibtex for paper in papers)])


def _author(path: Path, said: object) -> Author:
    """An author of a ``CITATION.cff``."""
    said = said if isinstance(said, dict) else {}
    family = " ".join(filter(None, [said.get("name-particle"), said.get("family-names")]))
    if family:
        return Author(", ".join(filter(None, [family, said.get("name-suffix"), said.get("given-names")])), person=True)
    if "name" not in said:
        raise InputError(f"{path}: authors: expected name, or family-names and given-names, found {said!r}")
    return Author(str(said["name"]), person=False)


def _escaped(text: str) -> str:
    return re.sub(r"([&%$#_{}])", r"\\\1", text)
