"""YAML as its version 1.2 reads it (core schema), and nothing that readers of version 1.1 take for something else.

https://yaml.org/spec/1.2.2/#103-core-schema. ``0100`` is a hundred there and 64 for most readers, ``on`` is a word and
true: both are refused, with what to write instead. No tags but those of plain values, no aliases of themselves, and no
line breaks that only version 1.1 has.
"""

import math
import re
from pathlib import Path
from typing import Any

import yaml

from dlatlas.errors import InputError

Lines = dict[tuple[object, ...], int]
"""Keys from the top of a file down to a value -> its line."""

DEPTH = 30
"""Levels of nesting."""
NODES = 200_000
"""Values in a file, each alias counted where it stands."""

_TAG = "tag:yaml.org,2002:"
_PLAIN = "plain"
_CORE = {
    "null": re.compile(r"~|null|Null|NULL|"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
}
_AMBIGUOUS = (
    (re.compile(r"[-+]?0[0-9][0-9]*"), "a whole number with a leading zero, which many readers take for an octal one"),
    (re.compile(r"[-+]?0o[0-7]+"), "an octal number, which many readers take for a word"),
    (re.compile(r"[-+]?0b[01_]+"), "a binary number for some readers and a word for others"),
    (re.compile(r"[-+]?0x[0-9a-fA-F_]*_[0-9a-fA-F_]*"), "a number for some readers and a word for others"),
    (re.compile(r"[-+]?[0-9][0-9_]*_[0-9_.]*([eE][-+]?[0-9]+)?"), "a number for some readers and a word for others"),
    (re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?"), "a number to the base of sixty for some readers"),
    (re.compile(r"(?i:yes|no|on|off)"), "true or false for many readers"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?"), "a date for many readers"),
    (re.compile(r"<<|="), "a merge for many readers"),
)
_BREAKS = re.compile("[\x85\u2028\u2029]")
"""Line breaks of version 1.1 that are letters in 1.2."""


class _Words(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # in C where it was built
    """Every scalar as its text; one that is neither quoted nor tagged is told apart."""

    def resolve(self, kind: type, value: object, implicit: Any) -> str:  # noqa: ANN401
        """The tag of a node that has none."""
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else f"{_TAG}str"
        return f"{_TAG}map" if kind is yaml.MappingNode else f"{_TAG}seq"


def load(path: Path, named: str) -> tuple[Any, Lines]:
    """What a file says, and the line of every key and value in it.

    Args:
        path: the file.
        named: how errors call it.

    Raises:
        InputError: no such file, no UTF-8 text, no YAML, or something that readers of YAML differ about; in one line.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{named}: no such file") from None
    except OSError as error:
        raise InputError(f"{named}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{named}: line {line}: byte {error.start} is not UTF-8; save the file as UTF-8 text"
        ) from None
    if found := _BREAKS.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise InputError(f"{named}: line {line}: U+{ord(found[0]):04X} is a line break for some readers; take it out")
    try:
        _check_events(text, named)
        node = yaml.compose(text, _Words)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = " ".join(str(error.problem).split())
        raise InputError(f"{named}: line {line}: {problem}") from None
    except yaml.YAMLError as error:  # what cannot stand in YAML at all
        at = getattr(error, "position", 0)
        line = text.count("\n", 0, at) + 1 if isinstance(at, int) else 1
        raise InputError(f"{named}: line {line}: a character that no text has: {_character(error)}") from None
    lines: Lines = {}
    if node is None:
        return None, lines
    return _Reader(named, lines).value(node, (), ()), lines


def _character(error: yaml.YAMLError) -> str:
    found = getattr(error, "character", None)
    return f"U+{found:04X}" if isinstance(found, int) else " ".join(str(error).split())[:80]


def _check_events(text: str, named: str) -> None:
    depth = documents = 0
    for event in yaml.parse(text, _Words):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH:
                line = event.start_mark.line + 1
                raise InputError(f"{named}: line {line}: nested more than {DEPTH} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            line, documents = event.start_mark.line + 1, documents + 1
            if documents > 1:
                raise InputError(f"{named}: line {line}: a second document begins here; keep one a file")
            if event.version not in (None, (1, 2)):
                version = ".".join(map(str, event.version))
                raise InputError(f"{named}: line {line}: expected YAML 1.2, found %YAML {version}")
        if getattr(event, "tag", None) == "!":  # lost once nodes are made of events
            raise InputError(f"{named}: line {event.start_mark.line + 1}: the tag '!' is not allowed; quote the word")


def dotted(keys: tuple[object, ...]) -> str:
    """``axes.lr[2]``."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text


class _Reader:
    """Turns nodes into values."""

    def __init__(self, named: str, lines: Lines) -> None:
        self.named, self.lines, self.count = named, lines, 0

    def error(self, node: yaml.Node, keys: tuple[object, ...], text: str) -> InputError:
        where = f"{dotted(keys)} (line {node.start_mark.line + 1})" if keys else f"line {node.start_mark.line + 1}"
        return InputError(f"{self.named}: {where}: {text}")

    def value(self, node: yaml.Node, keys: tuple[object, ...], above: tuple[int, ...]) -> Any:  # noqa: ANN401
        """The value of a node, those that it lies in being ``above``."""
        self.count += 1
        if id(node) in above:
            raise self.error(node, keys, "an alias that contains itself")
        if self.count > NODES:
            raise self.error(node, keys, f"more than {NODES:,} values, aliases written out")
        self.lines.setdefault(keys, node.start_mark.line + 1)
        above = (*above, id(node))
        if len(above) > DEPTH + 1:  # through aliases, none of which is too deep alone
            raise self.error(node, keys[:3], f"nested more than {DEPTH} levels deep, aliases written out")
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, keys)
        kind = "map" if isinstance(node, yaml.MappingNode) else "seq"
        self.check_tag(node, keys, {kind})
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each, (*keys, at), above) for at, each in enumerate(node.value)]
        found: dict[str, Any] = {}
        for key, each in node.value:
            name = self.scalar(key, keys) if isinstance(key, yaml.ScalarNode) else None
            if not isinstance(name, str):
                shown = repr(key.value) if isinstance(key, yaml.ScalarNode) else "a collection"
                raise self.error(key, keys, f"expected a word as key, found {shown}")
            place = (*keys, name)
            if name in found:
                raise self.error(key, place, "stands twice; keep one of the two")
            self.lines[place] = key.start_mark.line + 1
            found[name] = self.value(each, place, above)
        return found

    def scalar(self, node: yaml.ScalarNode, keys: tuple[object, ...]) -> Any:  # noqa: ANN401
        """The value of a text."""
        text = node.value
        self.check_tag(node, keys, {*_CORE, "str", _PLAIN})
        kind = node.tag.removeprefix(_TAG)
        if kind != "str":
            for pattern, why in _AMBIGUOUS:
                if pattern.fullmatch(text):
                    raise self.error(node, keys, f"{text} is {why}; write {_instead(text)}")
        if kind == _PLAIN:
            kind = next((kind for kind, pattern in _CORE.items() if pattern.fullmatch(text)), "str")
            old = yaml.resolver.Resolver().resolve(yaml.ScalarNode, text, (True, False)).removeprefix(_TAG)
            if old not in (kind, "str"):  # version 1.1, for what the patterns do not say better
                raise self.error(node, keys, f"{text} is another value for some readers; write {_instead(text)}")
        if kind == "str":
            if not text.isprintable():  # errors say it, in one line
                raise self.error(node, keys, f"expected a text of one line without control characters, found {text!r}")
            return text
        if not _CORE[kind].fullmatch(text):
            raise self.error(node, keys, f"!!{kind}: found {text!r}")
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind == "int":
            base = {"0o": 8, "0x": 16}.get(text[:2], 10)
            if len(text) > 400:
                raise self.error(node, keys, f"a number of {len(text)} digits")
            return int(text, base)
        number = float(re.sub(r"\.(?=[in])", "", text.lower()))  # Python's words are inf and nan
        digits = re.split("[eE]", text)[0]
        if (math.isinf(number) and "n" not in text.lower()) or (number == 0 and re.search("[1-9]", digits)):
            raise self.error(node, keys, f"{text} is no number that a float can hold, which takes it for {number}")
        return number

    def check_tag(self, node: yaml.Node, keys: tuple[object, ...], allowed: set[str]) -> None:
        """Compares a node's tag with those allowed."""
        if node.tag.removeprefix(_TAG) not in allowed:
            raise self.error(node, keys, f"the tag {node.tag!r} is not allowed; write the value alone")


def _instead(text: str) -> str:
    digits = re.fullmatch(r"([-+]?)0+([0-9]+)", text)
    if digits:
        return f'{digits[1]}{digits[2].lstrip("0") or "0"}, or "{text}" for the word'
    if text.lower() in ("yes", "on", "no", "off"):
        return f'"{text}" in quotes for the word, or {"true" if text.lower() in ("yes", "on") else "false"}'
    if text in ("<<", "="):
        return "the keys themselves"
    if "_" in text and re.fullmatch(r"[-+]?[0-9_.eE]+", text):
        return f'{text.replace("_", "")}, or "{text}" for the word'
    return f'"{text}" in quotes for the word, or a plain number'
