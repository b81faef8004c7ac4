"""The published "python version" of CIFAR: a reader that builds plain values and byte arrays and calls nothing.

The format is a program for Python's own serialisation machine, which may call any function. This is a machine
of our own with the two dozen instructions that those files use (protocol 2, as Python 2 wrote it); a name in the
file is only ever compared with the three that describe a NumPy array, and no name is imported or called.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dlatlas.errors import InputError

_MARK = object()
_RECONSTRUCT, _NDARRAY, _DTYPE = "numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"


class _Name(str):
    """A name that the file asks for; never looked up."""


class _Array:
    """An array, or its description, as the file builds it up; ``value`` is None until it has its bytes."""

    def __init__(self, name: _Name) -> None:
        self.name, self.value = name, None


class _RefusedError(Exception):
    """An instruction, or a use of one, that such a file does not have."""


class _Machine:
    def __init__(self, code: bytes) -> None:
        self.code, self.at = code, 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.code):
            raise _RefusedError(f"ends after {len(self.code)} bytes, in the middle")
        self.at += count
        return self.code[self.at - count : self.at]

    def number(self, layout: str) -> int:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def line(self) -> str:
        end = self.code.find(b"\n", self.at)
        if end < 0:
            raise _RefusedError(f"ends after {len(self.code)} bytes, in the middle")
        return self.take(end + 1 - self.at)[:-1].decode("ascii", "replace")

    def pop_mark(self) -> list[Any]:
        start = len(self.stack) - 1 - self.stack[::-1].index(_MARK)
        values = self.stack[start + 1 :]
        del self.stack[start:]
        return values

    def pop(self, count: int) -> tuple[Any, ...]:
        return tuple(self.stack.pop() for _ in range(count))[::-1]

    def name(self) -> _Name:
        name = _Name(f"{self.line()} {self.line()}")
        if name not in (_RECONSTRUCT, _NDARRAY, _DTYPE):
            raise _RefusedError(f'asks for "{name}", which a data file has no need of')
        return name

    def reduce(self) -> _Array:
        name, arguments = self.pop(2)
        if not isinstance(name, _Name) or name == _NDARRAY:
            raise _RefusedError("calls something that is not an array")
        if name == _DTYPE and arguments[0] not in (b"u1", "u1"):
            raise _RefusedError(f"holds an array of {arguments[0]!r}, expected bytes (u1)")
        return _Array(name)

    def build(self) -> None:
        target, state = self.pop(2)
        if target.name == _RECONSTRUCT:
            _, shape, _, column_major, content = state
            target.value = np.frombuffer(content, np.uint8).reshape(shape, order="F" if column_major else "C")
        self.stack.append(target)

    def set_items(self, values: list[Any]) -> None:
        for key, value in zip(values[::2], values[1::2], strict=True):
            self.stack[-1][key] = value.value if isinstance(value, _Array) else value

    def run(self) -> Any:  # noqa: ANN401
        push, stack = self.stack.append, self.stack
        steps: dict[bytes, Callable[[], object]] = {
            b"\x80": lambda: self.take(1),  # protocol
            b"(": lambda: push(_MARK),
            b"}": lambda: push({}),
            b"]": lambda: push([]),
            b")": lambda: push(()),
            b"N": lambda: push(None),
            b"\x88": lambda: push(True),
            b"\x89": lambda: push(False),
            b"K": lambda: push(self.number("<B")),
            b"M": lambda: push(self.number("<H")),
            b"J": lambda: push(self.number("<i")),
            b"U": lambda: push(self.take(self.number("<B"))),
            b"T": lambda: push(self.take(self.number("<i"))),
            b"X": lambda: push(self.take(self.number("<I")).decode()),
            b"q": lambda: self.memo.__setitem__(self.number("<B"), stack[-1]),
            b"r": lambda: self.memo.__setitem__(self.number("<I"), stack[-1]),
            b"h": lambda: push(self.memo[self.number("<B")]),
            b"j": lambda: push(self.memo[self.number("<I")]),
            b"t": lambda: push(tuple(self.pop_mark())),
            b"\x85": lambda: push(self.pop(1)),
            b"\x86": lambda: push(self.pop(2)),
            b"\x87": lambda: push(self.pop(3)),
            b"a": lambda: (lambda value: stack[-1].append(value))(stack.pop()),
            b"e": lambda: (lambda values: stack[-1].extend(values))(self.pop_mark()),
            b"s": lambda: self.set_items(list(self.pop(2))),
            b"u": lambda: self.set_items(self.pop_mark()),
            b"c": lambda: push(self.name()),
            b"R": lambda: push(self.reduce()),
            b"b": self.build,
        }
        while (instruction := self.take(1)) != b".":
            if instruction not in steps:
                raise _RefusedError(f"has the instruction {instruction!r} at byte {self.at - 1}, which is not allowed")
            steps[instruction]()
        return stack.pop()


def read_python_batch(path: Path) -> dict[bytes, Any]:
    """The dictionary in one file of CIFAR's python version.

    Args:
        path: e.g. ``data_batch_1``.

    Returns:
        Keys as bytes, e.g. ``b"data"`` (n, 3072) uint8 and ``b"labels"``, a list of numbers.

    Raises:
        InputError: the file is missing, truncated, or holds anything but numbers, text and byte arrays.
    """
    if not path.is_file():
        raise InputError(f"{path}: missing")
    try:
        content = _Machine(path.read_bytes()).run()
    except _RefusedError as fault:
        raise InputError(f"{path}: not a CIFAR batch: {fault}") from None
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as fault:
        raise InputError(f"{path}: not a CIFAR batch: {fault}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a CIFAR batch: expected a dictionary")
    return content
