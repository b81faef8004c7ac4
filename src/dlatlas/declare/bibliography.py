"""The papers whose claims a lab tests: entries of one BibTeX file, which studies name by their keys.

Planning wants the keys alone and scans the text for them; pybtex reads the entries where they are shown.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlatlas.errors import InputError

if TYPE_CHECKING:
    from pybtex.database import Entry

NEEDED = ("author", "title", "year")
PLACES = ("journal", "booktitle", "howpublished", "publisher", "school", "institution")
"""The fields that say where a paper appeared; the first that an entry has is its venue."""

START = re.compile(r"^[ \t]*@(?!comment\b|string\b|preamble\b)\w+\s*\{\s*([^\s,{}]+)\s*,", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class Paper:
    """A reference: how it is cited, where it is, and its BibTeX entry."""

    key: str
    authors: str
    title: str
    venue: str
    year: int
    url: str = ""
    bibtex: str = ""

    def cite(self) -> str:
        """``Authors, Title, Venue Year``."""
        return f"{self.authors}, {self.title}, {f'{self.venue} {self.year}'.strip()}"


def keys(path: Path) -> frozenset[str]:
    """The keys of a BibTeX file.

    Raises:
        InputError: no such file, a key twice, or an entry that does not end or lacks author, title or year.
    """
    return frozenset(_entries(path, _text(path)))


def read(path: Path) -> dict[str, Paper]:
    """The papers of a BibTeX file, by key.

    Raises:
        InputError: as `keys`, or anything else that is not BibTeX, with what pybtex says of it.
    """
    from pybtex.database.input.bibtex import Parser, month_names
    from pybtex.exceptions import PybtexError

    text = _text(path)
    entries, parser = _entries(path, text), Parser()
    try:
        parsed = parser.parse_string(text).entries
    except PybtexError as error:
        raise InputError(f"{path}: not BibTeX: {' '.join(str(error).split())}") from None
    for key in sorted({*entries} ^ {*parsed}):
        raise InputError(f"{path}: {key}: expected its entry to begin a line, outside other entries")
    strings = {name: value for name, value in parser.macros.items() if name not in month_names}
    return {key: _paper(f"{path}: {key}", key, parsed[key], _alone(entries[key], strings)) for key in parsed}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: missing; the papers that studies name are its entries") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None


def _entries(path: Path, text: str) -> dict[str, str]:
    """Each entry as it stands in the file, whitespace apart, by key."""
    found: dict[str, str] = {}
    taken = set()
    for start in START.finditer(text):
        key, entry = start[1], _whole(text[start.start() :])
        if not entry:
            raise InputError(f"{path}: {key}: its braces do not balance")
        if key.lower() in taken:
            raise InputError(f"{path}: {key}: a second entry of that key; a key names one paper")
        for field in NEEDED:
            if not re.search(rf"\b{field}\s*=", entry, re.IGNORECASE):
                raise InputError(f"{path}: {key}: has no {field}; an entry has {', '.join(NEEDED)}")
        taken.add(key.lower())
        found[key] = entry
    return found


def _whole(text: str) -> str:
    """The entry that a text begins with, a field a line, up to the brace that closes it; "" if none does."""
    depth = 0
    for brace in re.finditer(r"[{}]", text):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            first, *rest = [" ".join(line.split()) for line in text[: brace.end()].splitlines() if line.strip()]
            return "\n".join([first, *(line if line == "}" else f"  {line}" for line in rest)])
    return ""


def _alone(entry: str, strings: Mapping[str, str]) -> str:
    """An entry with the file's ``@string`` definitions filled in, so that it can stand alone."""

    def filled(word: re.Match[str]) -> str:
        return f"{word[1]}{{{strings[word[2].lower()]}}}" if word[2].lower() in strings else word[0]

    return re.sub(r"([=#]\s*)([A-Za-z][\w:.-]*)(?=\s*[,#}\n])", filled, entry)


def _paper(where: str, key: str, entry: "Entry", bibtex: str) -> Paper:
    said = {name.lower(): value for name, value in entry.fields.items()}
    authors, title, year = _authors(entry), _plain(said.get("title", "")), said.get("year", "").strip()
    for field, value in zip(NEEDED, (authors, title, year)):
        if not value:
            raise InputError(f"{where}: has no {field}; an entry has {', '.join(NEEDED)}")
    if not re.fullmatch(r"\d{4}", year):
        raise InputError(f"{where}: year: expected four digits, found {year!r}")
    return Paper(key, authors, title, _venue(said), int(year), _url(said), bibtex)


def _authors(entry: "Entry") -> str:
    """Last names as a text cites them: "A", "A & B", "A, B & C", "A et al."."""
    people = entry.persons.get("author", [])
    names = [_plain(" ".join([*person.prelast_names, *person.last_names])) for person in people]
    if names[-1:] == ["others"]:
        return f"{', '.join(names[:-1])} et al."
    return " & ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def _venue(said: Mapping[str, str]) -> str:
    place = next((said[name] for name in PLACES if said.get(name)), said.get("archiveprefix", ""))
    return _plain(f"{place} {said.get('volume', '')}" if said.get("journal") else place)


def _url(said: Mapping[str, str]) -> str:
    """Where the paper is: its ``url``, or that of its ``doi``, or of its arXiv ``eprint``."""
    if said.get("url"):
        return said["url"].replace("\\", "").strip()
    if said.get("doi"):
        return f"https://doi.org/{said['doi'].strip()}"
    arxiv = said.get("archiveprefix", "").lower() == "arxiv" and said.get("eprint", "").strip()
    return f"https://arxiv.org/abs/{arxiv}" if arxiv else ""


def _plain(latex: str) -> str:
    """LaTeX as plain text: accents as letters, without braces and fonts."""
    from pybtex.richtext import Text

    latex = re.sub(r"""(\\[`'^"~=.])\{\\([ij])\}""", r"\1{\2}", latex)  # an accented dotless i, which pybtex leaves
    latex = re.sub(r"\\(emph|text\w\w)\s*(?=\{)", "", latex)
    return " ".join(str(Text.from_latex(latex)).split())
