"""How to cite a study: its own BibTeX entry, and those of the papers whose claims it tests."""

import re
from collections.abc import Mapping
from typing import Any

from dlatlas.declare.bibliography import Paper
from dlatlas.declare.study import Study


def cite(name: str, study: Study, signature: Mapping[str, Any]) -> str:
    """BibTeX of a study's result, named by commit and cube, and of its papers.

    Args:
        name: the study's name.
        study: its record.
        signature: of its figure, see `dlatlas.planning.provenance`.
    """
    commit = signature.get("commit")
    where = f"commit {commit}{' with uncommitted changes' if signature.get('dirty') else ''}" if commit else "no commit"
    fields = {
        "author": "{The Deep Learning Theory Atlas authors}",
        "title": f"{{{_escaped(study.title)}}}",
        "howpublished": f"The Deep Learning Theory Atlas, study {_escaped(name)}",
        "year": str(signature.get("date") or "")[:4],
        "note": f"{where}, cube {signature['cube']}",
    }
    return "\n\n".join([_entry(f"dlatlas_{name}", fields), *map(bibtex, study.references())])


def bibtex(paper: Paper) -> str:
    """One paper's entry."""
    authors = re.sub(r"\s+et al\.?$", " & others", paper.authors)
    fields = {
        "author": " and ".join(_escaped(author) for author in re.split(r",\s*(?:&\s*)?|\s*&\s*", authors) if author),
        "title": f"{{{_escaped(paper.title)}}}",
        "howpublished": _escaped(paper.venue),
        "year": str(paper.year),
        "url": paper.url,
    }
    return _entry(paper.key, fields)


def _entry(key: str, fields: Mapping[str, str]) -> str:
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@misc{{{key},", *lines, "}"])


def _escaped(text: str) -> str:
    return re.sub(r"([&%$#_{}])", r"\\\1", text)
