"""A lab: a repository of studies. The atlas is one; nothing here knows which studies it has.

Its ``pyproject.toml`` says in ``[tool.dlatlas]`` where the studies' package is, ``studies/`` if it says nothing, and
which BibTeX file has the papers that they name, ``references.bib`` if it says nothing:
``params/<chapter>/<name>.yaml`` belongs to ``<package>/<chapter>/<name>.py``, both without a chapter if there is none.
"""

import ast
import keyword
import re
import sys
import tomllib
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from dlatlas.declare import bibliography
from dlatlas.declare.bibliography import Paper
from dlatlas.declare.registry import INSTRUMENT, ROOMS
from dlatlas.declare.study import Study
from dlatlas.errors import AtlasError, InputError, unknown
from dlatlas.identity.code import SOURCE

SHARED = frozenset({*ROOMS, "theory"})
"""Folders of the package that hold what studies share, and no studies."""
TAKEN = frozenset({
    "all", "atlas", "contents", "data", "disagreements", "index", "ledger", "none", "plans", "prepared", "reproduced",
    "results", "status", "tour", "true", "false", "null", "yes", "no", "on", "off", "smoke", "laptop", "cluster",
})  # fmt: skip
"""Words that commands, folders of ``results/`` or files of the page use: no study or chapter is called so."""
LONGEST = 80
"""Letters of a name: files are named after it, with endings."""

KEYS = ("references", "studies", "tour")
"""What ``[tool.dlatlas]`` may say."""


@dataclass(frozen=True)
class Lab:
    """A repository of studies.

    Attributes:
        root: the checkout.
        folder: the studies' package.
        tour: the studies that ``studies=tour`` stands for.
        references: the BibTeX file, as seen from the checkout.
    """

    root: Path
    folder: Path
    tour: tuple[str, ...] = ()
    references: str = "references.bib"

    @classmethod
    def read(cls, root: Path) -> "Lab":
        """The lab of a checkout.

        Raises:
            InputError: a ``pyproject.toml`` that is not TOML, or has another key under ``[tool.dlatlas]``.
        """
        path = root / "pyproject.toml"
        try:
            said = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: {error}") from None
        table = said.get("tool", {}).get(INSTRUMENT, {})
        for key in table:
            if key not in KEYS:
                raise unknown(f"{path}: [tool.{INSTRUMENT}]", "key", key, KEYS)
        references = table.get("references", "references.bib")
        if not isinstance(references, str):
            raise InputError(f"{path}: [tool.{INSTRUMENT}] references: expected a BibTeX file, found {references!r}")
        return cls(root, root / table.get("studies", "studies"), tuple(table.get("tour", ())), references)

    @property
    def package(self) -> str:
        """The name of the studies' package."""
        return self.folder.name

    @property
    def bibliography(self) -> Path:
        """The BibTeX file of the papers that studies name."""
        return self.root / self.references

    @cached_property
    def chapters(self) -> dict[str, str]:
        """Every study and its chapter, "" for one that lies in no chapter, by name.

        Raises:
            InputError: two studies of one name, or one of a name that is taken.
        """
        found: dict[str, str] = {}
        for path in sorted(self.folder.glob("*.py")) + sorted(self.folder.glob("*/*.py")):
            chapter = "" if path.parent == self.folder else path.parent.name
            if path.stem.startswith(("__", ".")) or chapter in SHARED or chapter.startswith((".", "_")):
                continue
            check_name(path.stem, self.near(path))
            if path.stem in found:
                other = self.folder / found[path.stem] / path.name
                raise InputError(f"{self.near(path)}: another study of that name is {self.near(other)}; rename one")
            found[path.stem] = chapter
        return dict(sorted(found.items()))

    def file(self, name: str) -> Path:
        """The Python file of a study.

        Raises:
            InputError: no such study, with the nearest.
        """
        if name not in self.chapters:
            raise unknown(self.near(self.folder), "study", name, self.chapters)
        return self.folder / self.chapters[name] / f"{name}.py"

    def module(self, name: str) -> str:
        """The module of a study.

        Raises:
            InputError: no such study, with the nearest.
        """
        path = self.file(name)
        return ".".join([self.package, *path.relative_to(self.folder).with_suffix("").parts])

    def study(self, name: str) -> Study:
        """The record of a study.

        Raises:
            InputError: no such study file, a file without ``STUDY``, or a paper that the bibliography lacks.
            AtlasError: a study file that raises when imported, or a package of that name from somewhere else.
        """
        module = self.module(name)
        self._enter()
        study = load_study(module)
        for key in study.papers:
            if key not in self._keys:
                where = f"{self.near(self.file(name))}: papers"
                raise unknown(where, f"key of {self.near(self.bibliography)}", key, self._keys)
        return study

    def papers(self, study: Study) -> tuple[Paper, ...]:
        """The papers that a study of this lab names.

        Raises:
            InputError: a bibliography that is not BibTeX.
        """
        return tuple(self._papers[key] for key in study.papers)

    def params(self, folder: Path) -> dict[str, Path]:
        """Every params file in a folder and its chapters, by the name of its study.

        Raises:
            InputError: two files of one name, or one that lies in another chapter than its study, or has none.
        """
        found: dict[str, Path] = {}
        for path in sorted(folder.glob("*.yaml")) + sorted(folder.glob("*/*.yaml")):
            if path.name.startswith((".", "_")):
                continue
            if path.stem in found:
                raise InputError(
                    f"{self.near(path)}: another params file of that name is {self.near(found[path.stem])}"
                )
            found[path.stem] = path
        return found

    def story(self, chapter: str) -> tuple[str, str]:
        """A chapter's question and what its studies say to each other: the docstring of its folder's ``__init__``."""
        path = self.folder / chapter / "__init__.py"
        text = ast.get_docstring(ast.parse(path.read_bytes())) if chapter and path.is_file() else None
        title, _, rest = (text or chapter.replace("_", " ")).partition("\n")
        return title.strip().rstrip("."), " ".join(rest.split())

    def near(self, path: Path) -> str:
        """A path as seen from the checkout."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)

    def check(self) -> None:
        """Compares what is imported with what lies here.

        Raises:
            AtlasError: the instrument, or a package of the studies' name, from another checkout.
        """
        if self.folder.is_dir():
            self._enter()
        else:
            check_instrument(self.root)

    @cached_property
    def _keys(self) -> frozenset[str]:
        return bibliography.keys(self.bibliography)

    @cached_property
    def _papers(self) -> dict[str, Paper]:
        return bibliography.read(self.bibliography)

    def _enter(self) -> None:
        """Makes the studies' package importable, and refuses one of that name, or an instrument, from another place."""
        check_instrument(self.root)
        if find_spec(self.package) is None:
            sys.path.append(str(self.folder.parent))  # last: a scratch file code.py in a lab is not Python's own
        spec = find_spec(self.package)
        places = [Path(place).resolve() for place in (spec.submodule_search_locations or [])] if spec else []
        if places[:1] != [self.folder.resolve()]:  # folders without __init__ may share a name, the first wins
            found = places[0] if places else "nowhere"
            raise AtlasError(f"this checkout's studies are {self.folder}, but {self.package} is imported from {found}")


def check_name(name: str, where: str) -> None:
    """Compares the name of a study or chapter with what commands, files and pages need.

    Raises:
        InputError: no name of a Python module, too long for the files made of it, or one that means something else.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(f"{where}: expected lower-case words joined by underscores, found {name[:LONGEST]!r}")
    if len(name) > LONGEST:
        raise InputError(f"{where}: expected at most {LONGEST} letters, found {len(name)}: {name[:20]}...")
    if name in TAKEN or keyword.iskeyword(name):
        raise InputError(f"{where}: {name!r} means something else here or in Python; call it otherwise")


def load_study(module: str) -> Study:
    """The record in a study's module, which then knows its name and where it lives.

    Raises:
        InputError: a file without ``STUDY``, or with a variable or claim that cannot be.
        AtlasError: a study file that raises when imported.
    """
    where = f"{module.replace('.', '/')}.py"
    try:
        with redirect_stdout(sys.stderr):  # what a study prints is no part of what a command is asked for
            loaded = import_module(module)
    except AtlasError:
        raise
    except Exception as error:
        raise AtlasError(f"{where}: {type(error).__name__}: {error}") from error
    study = getattr(loaded, "STUDY", None)
    if not isinstance(study, Study):
        raise InputError(f"{where}: expected a record STUDY = Study(...), found {study!r}")
    return replace(study, module=module).checked(where)


def check_pairs(lab: Lab, params: Mapping[str, Path]) -> None:
    """Compares the studies with their params files.

    Raises:
        InputError: a study without params, params without a study, or the two in different chapters.
    """
    for name, path in params.items():
        chapter = "" if path.parent.name == "params" else path.parent.name
        if name not in lab.chapters:
            raise InputError(f"{lab.near(path)}: there is no {lab.near(lab.folder / chapter / name)}.py")
        if chapter != lab.chapters[name]:
            raise InputError(f"{lab.near(path)}: its study is {lab.near(lab.file(name))}; both lie in one chapter")
    for name in lab.chapters:
        if name not in params:
            expected = Path("params", lab.chapters[name], f"{name}.yaml")
            raise InputError(f"{lab.near(lab.file(name))}: there is no {expected}")


def check_instrument(root: Path) -> None:
    """Compares the instrument that is imported with the one in a checkout, if it has one; a lab has none.

    Raises:
        AtlasError: they are two.
    """
    own = root / "src" / INSTRUMENT
    if own.is_dir() and own.resolve() != SOURCE.resolve():
        raise AtlasError(
            f"this checkout is {root}, but {INSTRUMENT} is imported from {SOURCE}; activate this checkout's environment"
        )


def installed() -> Path:
    """The checkout that this package is installed from in place."""
    return SOURCE.parents[1]
