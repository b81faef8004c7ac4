"""Where something comes from, in a person's words: ``chizat2019, theorem 2`` -> ``Chizat et al. 2019, theorem 2``."""

import re
from collections.abc import Sequence
from typing import Protocol

PLACES = ("theorem", "proposition", "lemma", "corollary", "section", "equation", "eq.", "figure", "table", "appendix",
          "proof", "abstract", "definition", "algorithm")  # fmt: skip
"""A source that begins with one of these is a place in the study's first paper."""


class Cited(Protocol):
    """A paper, as far as it is cited."""

    key: str
    authors: str
    year: int


def said(source: str, papers: Sequence[Cited]) -> str:
    """A source with its keys of papers replaced by authors and year."""
    if papers and source.lower().startswith(PLACES):
        source = f"{papers[0].key}, {source}"
    names = {paper.key: short(paper) for paper in papers}
    return re.sub(r"\b[a-z]+\d{4}[a-z]?\b", lambda found: names.get(found[0], found[0]), source)


def short(paper: Cited) -> str:
    """``Arora et al. 2019``, ``Chizat & Bach 2018``, ``Day 1995``."""
    authors = re.split(r",\s*|\s*&\s*", re.sub(r"\s+et al\.?$", ", others", paper.authors))
    names = authors[0] if len(authors) == 1 else " & ".join(authors) if len(authors) == 2 else f"{authors[0]} et al."
    return f"{names} {paper.year}"
