"""The digest of the code that a result depends on.

Snakemake sees modification times and rule text, never imported modules. Here a result is named by everything that
determines it, code included: the transitive closure of the functions that made it, comments and docstrings left out.
Followed are the instrument itself and the packages that the roots name, such as those of a lab's studies.
"""

import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dlatlas.errors import InputError
from dlatlas.identity.content import digest

PACKAGE = "dlatlas"
SOURCE = Path(__file__).parents[1]
_OWN = Path(__file__).read_bytes()
"""This file's text: another version of it may read a module otherwise."""
REGISTRIES = frozenset(f"dlatlas.declare.{name}" for name in ("registry", "study", "parameter", "variable"))
"""Modules that only say what there is: a new field of a study's record must not rename the results of all the others.
What they say enters names as values."""


@dataclass(frozen=True)
class Packages:
    """The packages that are followed, and where each of them is."""

    folders: tuple[tuple[str, Path], ...]

    @classmethod
    def of(cls, modules: Iterable[str], base: Path | None = None) -> "Packages":
        """The instrument and the top packages of some modules: as installed here, or all under ``base``."""
        names = sorted({PACKAGE, *(module.partition(".")[0] for module in modules)})
        return cls(tuple((name, _folder(name) if base is None else base / name) for name in names))

    def path(self, module: str) -> Path | None:
        """The file of a module; None outside these packages."""
        head, *rest = module.split(".")
        for name, folder in self.folders:
            if name == head:
                base = folder.joinpath(*rest)
                return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
        return None


@cache
def _folder(package: str) -> Path:
    if package == PACKAGE:
        return SOURCE
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"{package}: no such package")
    return Path(next(iter(spec.submodule_search_locations)))


def code_digest(roots: Iterable[str]) -> str:
    """Digest of all package code that the roots depend on.

    Args:
        roots: ``module:name`` (a function, class or constant), ``module:NAME[key]`` (one entry of a dict literal),
            ``module:NAME(keyword)`` (one argument of a record), or ``module`` (the whole module).

    Raises:
        InputError: a root that does not exist.
    """
    return digest(closure(roots))


def closure(roots: Iterable[str], base: Path | None = None) -> dict[str, str]:
    """Every definition that the roots depend on, as a root, and the digest of its own text.

    Args:
        roots: as in `code_digest`.
        base: the folder that holds the packages in another checkout; as they are installed here if None.

    Raises:
        InputError: a root that does not exist.
    """
    seen: dict[str, str] = {}
    chosen = sorted(set(roots))
    packages = Packages.of((root.partition(":")[0] for root in chosen), base)
    for root in chosen:
        _collect(root, packages, seen)
    for module in {root.partition(":")[0] for root in seen}:
        _module(module, packages).keep()
    return seen


def definitions(module: str, base: Path | None = None) -> list[str]:
    """The names that a module defines.

    Raises:
        InputError: no such module.
    """
    found = _module(module, Packages.of([module], base))
    found.keep()
    return list(found.definitions)


def _collect(root: str, packages: Packages, seen: dict[str, str]) -> None:
    if root in seen:
        return
    module, _, symbol = root.partition(":")
    text, references = _module(module, packages).part(symbol)
    seen[root] = text
    for reference in references:
        _collect(reference, packages, seen)


class _Source:
    """One module: its top-level definitions, and what each of them refers to.

    What its text says is kept beside Python's own caches, under the digest of the text, and read instead of parsed the
    next time. It holds nothing about other modules: names are resolved anew.
    """

    def __init__(self, name: str, path: Path, packages: Packages) -> None:
        self.name, self.packages = name, packages
        self.package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        self.text = path.read_bytes()
        self.place = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.parts.json"
        self.key = hashlib.sha256(_OWN + self.text).hexdigest()
        self.parts: dict[str, tuple[str, list[str]]] = {}
        kept = self._kept()
        self.new = kept is None
        if kept is None:
            self.definitions = list(self.tree)
            self.imports: dict[str, str] = {}
            for statement in self.body:
                self.imports |= _imported(statement)
            self.raw: dict[str, list[Any]] = {}
        else:
            self.definitions, self.imports, self.raw = kept["definitions"], kept["imports"], kept["parts"]

    @cached_property
    def body(self) -> list[ast.stmt]:
        """The statements."""
        return ast.parse(self.text).body

    @cached_property
    def tree(self) -> dict[str, list[ast.stmt]]:
        """The statements that define each name."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in self.body:
            for name in _defined(statement):
                found.setdefault(name, []).append(statement)
        return found

    def part(self, symbol: str) -> tuple[str, list[str]]:
        """The digest of one definition and the roots that it refers to."""
        if symbol not in self.parts:
            if symbol not in self.raw:
                nodes = self._nodes(symbol)
                every = [child for node in nodes for child in _stripped(node)]
                text = hashlib.sha256("\n".join(ast.dump(node) for node in nodes).encode()).hexdigest()[:20]
                self.raw[symbol] = [text, *_mentioned(every)]
                self.new = True
            text, local, names = self.raw[symbol]
            self.parts[symbol] = text, self._references(local, names)
        return self.parts[symbol]

    def keep(self) -> None:
        """Writes what was parsed beside Python's own caches, where it writes those."""
        if self.new and not sys.dont_write_bytecode:
            record = {"key": self.key, "definitions": self.definitions, "imports": self.imports, "parts": self.raw}
            with suppress(OSError):
                self.place.parent.mkdir(exist_ok=True)
                part = self.place.with_suffix(f".{os.getpid()}")
                part.write_text(json.dumps(record), encoding="utf-8")
                part.replace(self.place)
        self.new = False

    def _kept(self) -> dict[str, Any] | None:
        try:
            record = json.loads(self.place.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) and record.get("key") == self.key else None

    def _nodes(self, symbol: str) -> list[ast.AST]:
        if not symbol:
            return [node for nodes in self.tree.values() for node in nodes]
        name, bracket, key = symbol.partition("[") if "[" in symbol else symbol.partition("(")
        if name not in self.tree:
            raise InputError(f"{self.name}: no definition named {name}")
        nodes: list[ast.AST] = list(self.tree[name])
        if not bracket:
            return nodes
        key = key[:-1]
        value = getattr(nodes[0], "value", None)
        if bracket == "[" and isinstance(value, ast.Dict):
            found = [v for k, v in zip(value.keys, value.values) if isinstance(k, ast.Constant) and k.value == key]
        elif bracket == "(" and isinstance(value, ast.Call):
            found = [keyword.value for keyword in value.keywords if keyword.arg == key]
            if not found:  # an argument left at its default
                return []
        else:
            found = []
        if not found:
            raise InputError(f"{self.name}: {name} has no entry {key}")
        return list(found)

    def _references(self, local: dict[str, str], names: list[str]) -> list[str]:
        found: set[str] = {whole for dotted in local.values() if (whole := _resolve(dotted, self.packages))}
        for name in names:
            head, _, attribute = name.partition(".")
            if head in local:
                continue
            if head in self.imports:
                target = self.imports[head]
                whole = _resolve(target, self.packages)
                if whole and ":" not in whole:  # a module: only what is used of it
                    whole = _resolve(f"{target}.{attribute}", self.packages) if attribute else None
                if whole:
                    found.add(whole)
            elif head in self.definitions:
                found.add(f"{self.name}:{head}")
        return sorted(found)


def _mentioned(nodes: list[ast.AST]) -> tuple[dict[str, str], list[str]]:
    """What a definition imports inside itself, and every name in it, with the attribute taken of it."""
    local: dict[str, str] = {}
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            local |= _imported(node)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.Name):
            names.add(node.id)
    return local, sorted(names)


@cache
def _module(name: str, packages: Packages) -> _Source:
    path = packages.path(name)
    if path is None:
        raise InputError(f"{name}: no such module")
    return _Source(name, path, packages)


def _resolve(dotted: str, packages: Packages) -> str | None:
    """``dlatlas.models.mlp.MLP`` -> ``dlatlas.models.mlp:MLP``; None outside the packages and for registries."""
    if packages.path(dotted):
        return None if dotted in REGISTRIES else dotted
    module, _, symbol = dotted.rpartition(".")
    if module in REGISTRIES or not packages.path(module):
        return None
    return f"{module}:{symbol}" if symbol in _module(module, packages).definitions else None


def _defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return [n.id for target in statement.targets for n in ast.walk(target) if isinstance(n, ast.Name)]
    if isinstance(statement, ast.AnnAssign | ast.AugAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return []


def _imported(node: ast.AST) -> dict[str, str]:
    if isinstance(node, ast.Import):
        return {(a.asname or a.name.split(".")[0]): (a.name if a.asname else a.name.split(".")[0]) for a in node.names}
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return {(a.asname or a.name): f"{node.module}.{a.name}" for a in node.names}
    return {}


def _stripped(root: ast.AST) -> list[ast.AST]:
    """All nodes of a tree from which docstrings and annotations are taken away: neither changes a number."""
    found, ahead = [], [root]
    while ahead:
        node = ahead.pop()
        found.append(node)
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                body[0] = ast.Expr(ast.Constant(None))
        if isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        for field in node._fields:  # as ast.iter_child_nodes, three times as fast
            value = getattr(node, field, None)
            if isinstance(value, list):
                ahead += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                ahead.append(value)
    return found
