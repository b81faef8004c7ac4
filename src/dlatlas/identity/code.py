"""The digest of the code that a result depends on.

Snakemake sees modification times and rule text, never imported modules. Here a result is named by everything that
determines it, code included: the transitive closure of the definitions that made it, comments and docstrings left out.
Followed are the instrument, the packages that the roots name, such as those of a lab's studies, and whatever else they
import that no installer put there.

A change that can change a number changes the digest. A name is followed to what binds it where that is certain, however
it was imported. Where it is not, more is taken: a module that is handed around as a value, whole, with all that it
imports; a module that is imported by a text that is computed, the whole package of the one that does it. And whatever a
module does when it is imported, beyond binding names, counts for all that import it: it may fill another's table.
"""

import json
import os
import site
import sys
import sysconfig
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from dlatlas.errors import InputError
from dlatlas.identity import source
from dlatlas.identity.content import digest
from dlatlas.identity.imported import forget as forget_texts
from dlatlas.identity.imported import text_of
from dlatlas.identity.source import ANYWHERE, BUSY, PURE, Facts, Part

PACKAGE = "dlatlas"
SOURCE = Path(__file__).parents[1]
_OWN = Path(__file__).with_name("source.py").read_bytes()
"""The reader's text: another version of it may read a module otherwise."""
REGISTRIES = frozenset(
    {PACKAGE, *(f"dlatlas.declare.{name}" for name in ("registry", "study", "parameter", "variable"))}
)
"""Modules that only say what there is: a new field of a study's record must not rename the results of all the others.
What they say enters names as values."""
DECLARATIONS = (f"{PACKAGE}.declare.", f"{PACKAGE}.judging.")
"""What is made there when a study is imported, such as a claim or a statistic, does nothing but say."""
FREE = frozenset({
    "__future__", "abc", "collections", "contextlib", "dataclasses", "decimal", "enum", "fractions", "functools",
    "importlib", "itertools", "lightning", "pytorch_lightning", "math", "cmath", "operator", "pathlib", "re", "string",
    "types", "typing",
    "jaxtyping",
    "typing_extensions", "matplotlib", "networkx", "numpy", "scipy", "torch", "typer", "xarray", "pydantic",
})  # fmt: skip
"""Libraries that a module calls, when it is imported, for what they return; what others do counts."""
READS = frozenset({"items", "keys", "values", "get", "copy", "count", "index", "split", "join", "format", "strip"})
"""Methods that leave what they are called on as it is."""


@dataclass(frozen=True)
class Packages:
    """The packages that are followed, and where each of them is.

    Attributes:
        folders: those that are known.
        base: the folder of another checkout that holds all of them; as they are installed here if None.
    """

    folders: tuple[tuple[str, Path], ...]
    base: Path | None = None

    @classmethod
    def of(cls, modules: Iterable[str], base: Path | None = None) -> "Packages":
        """The instrument and the top packages of some modules."""
        names = sorted({PACKAGE, *(module.partition(".")[0] for module in modules)})
        return cls(tuple((name, _folder(name) if base is None else base / name) for name in names), base)

    def path(self, module: str) -> Path | None:
        """The file of a module; None for what is not followed."""
        return _path(self, module)

    def modules(self, package: str) -> list[str]:
        """Every module below a package or module that is followed, itself included."""
        path = self.path(package)
        if path is None or path.name != "__init__.py":
            return [package] if path else []
        below = [file.relative_to(path.parent).with_suffix("").parts for file in sorted(path.parent.rglob("*.py"))]
        names = (
            ".".join([package, *parts]).removesuffix(".__init__")
            for parts in below
            if all(map(str.isidentifier, parts))
        )
        return [name for name in names if self.path(name)]


@cache
def _path(packages: Packages, module: str) -> Path | None:
    head, *rest = module.split(".")
    folder = dict(packages.folders).get(head)
    if folder is None and packages.base and any((packages.base / name).exists() for name in (head, f"{head}.py")):
        folder = packages.base / head
    folder = folder or _elsewhere(head)
    if folder is None:
        return None
    base = folder.joinpath(*rest)
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


@cache
def _folder(package: str) -> Path:
    if package == PACKAGE:
        return SOURCE
    place = _place(package)
    if place is None:
        raise InputError(f"{package}: no such package")
    return place


def _place(package: str) -> Path | None:
    """Where a package, or a module beside none, lies, as if it were a folder."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin).with_suffix("") if spec.origin and spec.origin.endswith(".py") else None


@cache
def _elsewhere(package: str) -> Path | None:
    """Where a package lies that is no root's and that no installer put where it is; None for the others."""
    if package in sys.stdlib_module_names or not package.isidentifier():
        return None
    place = _place(package)
    return None if place is None or any(place.is_relative_to(folder) for folder in _installed()) else place


@cache
def _installed() -> tuple[Path, ...]:
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return tuple(Path(folder) for folder in {*folders, *site.getsitepackages(), site.getusersitepackages()})


def code_digest(roots: Iterable[str]) -> str:
    """Digest of all code that the roots depend on.

    Args:
        roots: ``module:name`` (a function, class or constant), ``module:NAME(keyword)`` (one argument of a record), or
            ``module`` (the whole module).

    Raises:
        InputError: a root that does not exist, or a module that Python could not import.
    """
    return digest(closure(roots))


def closure(roots: Iterable[str], base: Path | None = None) -> dict[str, str]:
    """Every definition that the roots depend on, as a root, and the digest of its own text and of what its names mean.

    Args:
        roots: as in `code_digest`.
        base: the folder that holds the packages in another checkout; as they are installed here if None.

    Raises:
        InputError: a root that does not exist, or a module that Python could not import.
    """
    chosen = sorted(set(roots))
    return _Walk(Packages.of((root.partition(":")[0] for root in chosen), base)).from_(chosen)


def texts(roots: Iterable[str]) -> dict[str, str]:
    """The modules that the roots depend on, or that are imported with those: name -> digest of the text read."""
    chosen = sorted(set(roots))
    walk = _Walk(Packages.of(root.partition(":")[0] for root in chosen))
    walk.from_(chosen)
    return {name: _module(name, walk.packages).digest for name in sorted(walk.imported)}


def imports(modules: Iterable[str], base: Path | None = None) -> list[Path]:
    """The files of some modules, and of all that they import or may import, now or later, but for the instrument's.

    ``base`` is as in `closure`.
    """
    packages = Packages.of(modules, base)
    found: dict[str, Path] = {}
    ahead = list(modules)
    while ahead:
        name = ahead.pop()
        path = packages.path(name)
        if path is None or name in found or name.partition(".")[0] == PACKAGE:
            continue
        found[name] = path
        for other in _module(name, packages).facts["every"]:
            ahead += packages.modules(name.partition(".")[0]) if other == ANYWHERE else _with_parents(other)
    return sorted(found.values())


def definitions(module: str, base: Path | None = None) -> list[str]:
    """The names that a module defines.

    Raises:
        InputError: no such module.
    """
    return list(_module(module, Packages.of([module], base)).facts["names"])


def forget() -> None:
    """Reads every module anew the next time: for who edits code in the process that asks for digests."""
    forget_texts()
    for known in (_module, _path, _folder, _elsewhere):
        known.cache_clear()


def _with_parents(module: str) -> list[str]:
    words = module.split(".")
    return [".".join(words[:end]) for end in range(1, len(words) + 1)]


class _Module:
    """What one module says, read from its text, or from what was read of the same text before.

    It is kept beside Python's own caches, under the digest of the text. It holds nothing about other modules.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        self.text = text_of(path)
        self.digest = sha256(self.text).hexdigest()
        self.place = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.parts.json"
        self.facts = self._facts()
        self.imports: dict[str, list[str]] = {}
        for bound, target in self.facts["imports"]:
            self.imports.setdefault(bound, []).append(target)

    def _facts(self) -> Facts:
        key = sha256(_OWN + self.text).hexdigest()
        with suppress(OSError, ValueError, KeyError, TypeError):
            record = json.loads(self.place.read_text(encoding="utf-8"))
            if record["key"] == key:
                return record["facts"]
        package = self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]
        facts = source.read(self.text, package, str(self.path))
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                self.place.parent.mkdir(exist_ok=True)
                part = self.place.with_suffix(f".{os.getpid()}")
                part.write_text(json.dumps({"key": key, "facts": facts}), encoding="utf-8")
                part.replace(self.place)
        return facts

    def parts(self, symbol: str) -> list[Part]:
        """What a root's symbol stands for.

        Raises:
            InputError: there is no such definition.
        """
        if symbol in ("", ANYWHERE):
            return self.facts["parts"]
        name, bracket, keyword = symbol.partition("(")
        if name not in self.facts["names"]:
            raise InputError(f"{self.name}: no definition named {name}")
        if bracket and name in self.facts["arguments"]:
            said = self.facts["arguments"][name]
            return [said[word] for word in (keyword[:-1], ANYWHERE) if word in said]  # none: left at its default
        return [self.facts["parts"][at] for at in self.facts["names"][name]]


@cache
def _module(name: str, packages: Packages) -> _Module:
    path = packages.path(name)
    if path is None:
        raise InputError(f"{name}: no such module")
    return _Module(name, path)


class _Seen(NamedTuple):
    parts: list[Part]
    edges: list[str]


class _Walk:
    """One walk from roots to all that they depend on."""

    def __init__(self, packages: Packages) -> None:
        self.packages = packages
        self.seen: dict[str, _Seen] = {}
        self.imported: set[str] = set()
        self._quiet: dict[tuple[str, str], bool] = {}

    def from_(self, roots: Iterable[str]) -> dict[str, str]:
        """Root -> digest, for all that is reached."""
        ahead = list(roots)
        while ahead:
            root = ahead.pop()
            if root not in self.seen:
                ahead += self._visit(root)
        told = any(part["told"] for seen in self.seen.values() for part in seen.parts)
        said = {root: [[part["text"] for part in seen.parts], seen.edges] for root, seen in self.seen.items()}
        for root in said if told else ():  # docstrings and hints are values: every word counts
            said[root] = [*said[root], _module(root.partition(":")[0], self.packages).digest]
        return {root: digest(what)[:20] for root, what in sorted(said.items()) if what[0]}

    def _visit(self, root: str) -> list[str]:
        """What one root leads to."""
        name, _, symbol = root.partition(":")
        module = _module(name, self.packages)
        parts = self._effects(name) if symbol == "!" else module.parts(symbol)
        found = [] if symbol == "!" else self._import(name)
        edges: set[str] = set()
        for part in parts:
            references, said = self._references(module, part)
            found += references
            edges |= said
        if symbol == ANYWHERE:
            targets = {target for _, target in module.facts["imports"]}
            found += [other for target in targets for other in self._resolve(target)]
            found += [f"{below}:*" for below in self.packages.modules(name) if below not in REGISTRIES]
        elif symbol.isidentifier():
            edges |= {f"{symbol}: {by}" for by in [" ".join(module.facts["orders"].get(symbol, []))] if by}
        self.seen[root] = _Seen(parts, sorted(edges))
        return found

    def _import(self, name: str) -> list[str]:
        """What is run when a module is imported, and all that it imports then, beyond binding names."""
        found: list[str] = []
        ahead = [name]
        while ahead:
            dotted = ahead.pop()
            for parent in _with_parents(dotted):
                if parent in self.imported or parent in REGISTRIES or self.packages.path(parent) is None:
                    continue
                self.imported.add(parent)
                found += [f"{parent}:!"] if self._effects(parent) else []
                ahead += _module(parent, self.packages).facts["modules"]
        return found

    def _effects(self, name: str) -> list[Part]:
        """The statements of a module that do more, when it is imported, than to bind its names."""
        module = _module(name, self.packages)
        return [
            part
            for part in module.facts["parts"]
            if part["calls"] is None or not all(self._is_quiet(module, call) for call in part["calls"])
        ]

    def _references(self, module: _Module, part: Part) -> tuple[list[str], set[str]]:
        """The roots that a part leads to, and what its names mean."""
        found: list[str] = []
        edges: set[str] = set()
        local: dict[str, list[str]] = {}
        for bound, target in part["imports"]:
            local.setdefault(bound, []).append(target)
            found += self._import(target)
            found += self._import(target.rpartition(".")[0])
        stars = [*local.get(ANYWHERE, []), *module.imports.get(ANYWHERE, [])]
        for chain in part["names"]:
            head, dot, rest = chain.partition(".")
            targets = [*local.get(head, []), *module.imports.get(head, [])]
            edges |= {f"{chain} = {target}{dot}{rest}" for target in targets}
            for target in targets:
                found += self._resolve(f"{target}{dot}{rest}")
            if head in module.facts["names"]:
                found.append(f"{module.name}:{head}")
            for star in stars:
                if self.packages.path(star) and star not in REGISTRIES and self._has(star, head, set()):
                    found += self._symbol(star, chain.split("."), set())
        if stars:
            edges.add(f"* = {' '.join(stars)}")
        for late in part["late"]:
            own = self.packages.modules(module.name.partition(".")[0])
            found += own if late == ANYWHERE else [f"{late}:*"] if self._followed(late) else []
        if part["open"]:
            found.append(f"{module.name}:*")
        for text in part["texts"]:
            if self._followed(text.partition(":")[0].partition(".")[0]):
                found += self._resolve(text.replace(":", "."))
        return found, edges

    def _followed(self, module: str) -> bool:
        return module not in REGISTRIES and self.packages.path(module) is not None

    def _resolve(self, dotted: str, seen: set[str] | None = None) -> list[str]:
        """The roots that a dotted name may mean; none for what is not followed and for registries."""
        seen = set() if seen is None else seen
        if dotted in seen:
            return []
        seen.add(dotted)
        words = dotted.split(".")
        ends = [end for end in range(len(words), 0, -1) if self.packages.path(".".join(words[:end]))]
        if not ends:
            return []
        module = ".".join(words[: ends[0]])
        if module in REGISTRIES:
            return []
        rest = words[ends[0] :]
        found = self._symbol(module, rest, seen) if rest else [f"{module}:*"]
        if len(ends) > 1:  # a package may bind the name of one of its modules to something else
            package = ".".join(words[: ends[1]])
            if package not in REGISTRIES and self._has(package, words[ends[1]], set()):
                found += self._symbol(package, words[ends[1] :], seen)
        return [*found, *self._import(module)]

    def _symbol(self, module: str, words: list[str], seen: set[str]) -> list[str]:
        """The roots that a name of a module may mean, defined there or passed on."""
        there, name = _module(module, self.packages), words[0]
        found = [f"{module}:{name}"] if name in there.facts["names"] else []
        known = bool(found)
        for target in there.imports.get(name, []):
            known = True
            found += self._resolve(".".join([target, *words[1:]]), seen)
        for star in there.imports.get(ANYWHERE, []):
            if self._followed(star) and f"{star}.{name}" not in seen and self._has(star, name, set()):
                known = True
                found += self._symbol(star, words, seen | {f"{star}.{name}"})
        if not known:
            return [f"{module}:*"]  # made when it is asked for
        orders = there.facts["orders"].get(name)
        return [*found, f"{module}:{name}"] if orders and name in there.facts["names"] else found

    def _has(self, module: str, name: str, seen: set[str]) -> bool:
        """Whether a module binds a name, by itself or by a starred import."""
        if module in seen:
            return False
        there = _module(module, self.packages)
        if name in there.facts["names"] or name in there.imports:
            return True
        stars = there.imports.get(ANYWHERE, [])
        return any(self._followed(star) and self._has(star, name, {*seen, module}) for star in stars)

    # What a call does when a module is imported.

    def _is_quiet(self, module: _Module, call: str) -> bool:
        """Whether a call, or deriving a class (``class base``), certainly does nothing but return something."""
        key = module.name, call
        if key not in self._quiet:
            self._quiet[key] = True  # while it is asked: what calls itself does no more than the rest of it
            self._quiet[key] = self._asked(module, call)
        return self._quiet[key]

    def _asked(self, module: _Module, call: str) -> bool:
        word, _, base = call.partition(" ")
        chain, derived = (base, True) if word == "class" else (call, False)
        head, _, rest = chain.partition(".")
        last = chain.rpartition(".")[2]
        if head in module.imports:
            return all(self._leads_quietly(f"{t}.{rest}" if rest else t, derived) for t in module.imports[head])
        if head in module.facts["names"]:
            return last in READS if rest else self._is_tame(module, head, derived)
        if ANYWHERE in module.imports:
            return False
        return not BUSY.fullmatch(last) if rest else head in PURE

    def _leads_quietly(self, dotted: str, derived: bool) -> bool:
        words = dotted.split(".")
        if dotted.startswith(DECLARATIONS) or (words[0] == PACKAGE and len(words) == 2):
            return True
        ends = [end for end in range(len(words), 0, -1) if self.packages.path(".".join(words[:end]))]
        if not ends:
            return words[0] in FREE and not BUSY.fullmatch(words[-1])
        there, rest = _module(".".join(words[: ends[0]]), self.packages), words[ends[0] :]
        if len(rest) != 1:
            return bool(rest) and rest[-1] in READS
        if rest[0] in there.imports:
            return all(self._leads_quietly(target, derived) for target in there.imports[rest[0]] if target != dotted)
        return rest[0] in there.facts["names"] and self._is_tame(there, rest[0], derived)

    def _is_tame(self, module: _Module, name: str, derived: bool) -> bool:
        """Whether calling a function, or making or deriving a class, of a module is quiet."""
        at = module.facts["names"][name]
        if len(at) != 1:
            return False
        part = module.facts["parts"][at[0]]
        if part["hooks"] is not None:
            own = {"__init_subclass__", "__set_name__", "metaclass"} if derived else source.HOOKS | {"metaclass"}
            bases = [hook for hook in part["hooks"] if hook.startswith("class ")]
            return not own & set(part["hooks"]) and all(self._is_quiet(module, base) for base in bases)
        if name not in module.facts["functions"] or part["called"] is None or part["late"] or part["open"]:
            return False
        mentioned = [other for other in part["names"] if other in module.facts["functions"] and other != name]
        return all(self._is_quiet(module, call) for call in [*part["called"], *mentioned])
