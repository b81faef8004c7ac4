"""What a name in a params file stands for. Nothing is listed: what is there is found, by reading, not importing.

A model, data set, loss, update rule or measure is a definition in a file of its room, ``<package>/<room>/``, of the
instrument or of the package that holds the study; its name is the definition's, in words joined by underscores. Where
that is not enough, ``module:definition`` names any other.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dlatlas.errors import InputError, unknown
from dlatlas.identity.code import SOURCE

INSTRUMENT = "dlatlas"

ROOMS: Mapping[str, str] = {
    "models": "model",
    "data": "data set",
    "losses": "loss",
    "optimizers": "update rule",
    "measures": "measure",
}
"""Room -> what one thing in it is called."""

_MARKS = {
    "models": b"Module",
    "data": b"generator",
    "losses": b"target",
    "optimizers": b"UpdateRule",
    "measures": rb"measure\(|family",
}
"""What a file that has such a thing has in its text: others need not be parsed."""


def root(room: str, name: str, packages: Iterable[str], where: str = "params") -> str:
    """Where the thing of a name lives, as ``module:definition``.

    Args:
        room: one of `ROOMS`.
        name: as a params file says it.
        packages: which are searched, in that order.
        where: for the error.

    Raises:
        InputError: no such thing, with the nearest name that there is; or one of two packages.
    """
    module, colon, symbol = name.partition(":")
    if colon:
        if not symbol.isidentifier() or not _exists(module):
            raise InputError(f"{where}: {ROOMS[room]} {name!r}: expected module:name of a module that can be imported")
        return name
    found = named(room, tuple(packages))
    if name not in found:
        raise unknown(where, ROOMS[room], name, found)
    return found[name]


@cache
def named(room: str, packages: tuple[str, ...]) -> dict[str, str]:
    """Every name of a room and where it lives, as ``module:definition``, in alphabetical order.

    Raises:
        InputError: one name in two files.
    """
    found: dict[str, str] = {}
    for package in packages:
        for module, path in _files(room, package):
            for symbol in _things(room, path) if re.search(_MARKS[room], path.read_bytes()) else ():
                name = symbol.lower() if symbol.isupper() else _words(symbol)
                if name in found:
                    raise InputError(f"{module}:{symbol}: another {ROOMS[room]} named {name!r} is {found[name]}")
                found[name] = f"{module}:{symbol}"
    return dict(sorted(found.items()))


def data_file(place: str) -> str | None:
    """The prepared file that a data set lies in, the constant ``FILE`` of its module; None for one that is drawn."""
    path = _path(place.partition(":")[0])
    for statement in _body(path) if path else ():
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value and "FILE" in _targets(statement):
            return _constant(path, statement.value)
    return None


def dimensions(place: str) -> tuple[str, ...]:
    """The dimensions of a measure beyond the runs, as its decorator says them."""
    module, _, symbol = place.partition(":")
    path = _path(module)
    for statement in _body(path) if path else ():
        if isinstance(statement, ast.FunctionDef) and statement.name == symbol:
            for call in statement.decorator_list:
                if isinstance(call, ast.Call):
                    said = [keyword.value for keyword in call.keywords if keyword.arg == "dims"] + call.args[3:4]
                    return _constants(path, said[0]) if said else ()
    return ()


def _constants(path: Path | None, node: ast.expr) -> tuple[str, ...]:
    """A tuple or list of words that stands in a source file."""
    if not isinstance(node, ast.Tuple | ast.List):
        raise InputError(
            f"{path}:{node.lineno}: {ast.unparse(node)} is not known before the file is run; write the words"
        )
    return tuple(_constant(path, element) for element in node.elts)


def _constant(path: Path | None, node: ast.expr) -> str:
    """A word that stands in a source file.

    Raises:
        InputError: it would have to be computed: files are read here, not run.
    """
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        raise InputError(f'{path}:{node.lineno}: {ast.unparse(node)} is not known before the file is run; write "..."')
    return node.value


def makers(packages: Iterable[str]) -> list[str]:
    """The modules of data sets that can make their file: those that define ``make``."""
    return [
        module
        for package in packages
        for module, path in _files("data", package)
        if any(isinstance(statement, ast.FunctionDef) and statement.name == "make" for statement in _body(path))
    ]


def load(place: str) -> Any:  # noqa: ANN401
    """The object that ``module:definition`` names.

    Raises:
        InputError: the module has no such definition.
    """
    module, _, name = place.partition(":")
    try:
        return getattr(import_module(module), name)
    except AttributeError:
        raise InputError(f"{place}: {module} defines no {name}") from None


def _files(room: str, package: str) -> list[tuple[str, Path]]:
    folder = _folder(package)
    files = sorted((folder / room).glob("[!.]*.py")) if folder else []  # an editor's locks begin with a dot
    return [(f"{package}.{room}.{path.stem}", path) for path in files if path.stem != "__init__"]


@cache
def _folder(package: str) -> Path | None:
    if package == INSTRUMENT:
        return SOURCE
    spec = find_spec(package)
    return Path(next(iter(spec.submodule_search_locations))) if spec and spec.submodule_search_locations else None


def _path(module: str) -> Path | None:
    package, _, rest = module.partition(".")
    folder = _folder(package)
    path = folder.joinpath(*rest.split(".")).with_suffix(".py") if folder and rest else None
    return path if path and path.is_file() else None


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


@cache
def _body(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_bytes()).body


def _things(room: str, path: Path) -> list[str]:
    """The definitions of a file that are what its room is for."""
    found: list[str] = []
    for statement in _body(path):
        if isinstance(statement, ast.ClassDef):
            found += [statement.name] if room == "models" and _is_module(statement) else []
        elif isinstance(statement, ast.FunctionDef):
            found += [statement.name] if _is_thing(room, statement) else []
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value:
            made = {"optimizers": ("UpdateRule",), "measures": ("family", "family_of")}.get(room, ())
            found += _targets(statement) if _called(statement.value) in made else []
    return [name for name in found if not name.startswith("_")]


def _is_module(statement: ast.ClassDef) -> bool:
    return any(ast.unparse(base).split(".")[-1] == "Module" for base in statement.bases)


def _is_thing(room: str, statement: ast.FunctionDef) -> bool:
    if room == "data":
        return {"folder", "generator"} <= {argument.arg for argument in statement.args.kwonlyargs}
    if room == "losses":
        return [argument.arg for argument in statement.args.args] == ["output", "target"]
    return room == "measures" and any(_called(decorator) == "measure" for decorator in statement.decorator_list)


def _called(node: ast.expr) -> str:
    return ast.unparse(node.func).split(".")[-1] if isinstance(node, ast.Call) else ""


def _targets(statement: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


def _words(symbol: str) -> str:
    """``RedrawnMLP`` -> ``redrawn_mlp``."""
    text = ""
    for at, letter in enumerate(symbol):
        before, after = symbol[at - 1 : at], symbol[at + 1 : at + 2]
        text += (
            "_" if letter.isupper() and before and (before.islower() or (before.isupper() and after.islower())) else ""
        )
        text += letter.lower()
    return text
