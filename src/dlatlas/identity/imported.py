"""The texts that this process runs, so that no result is stored under the name of another text.

A digest of the code is taken when a job starts, and modules are imported seconds later: an edit in between would be
stored under the old name. And Python takes compiled code for current when the second of the last change and the size
are right, so an edit of one digit just after a run may not be seen at all. Here modules are compiled from the text
itself, its digest is kept, and `check` compares it with the text that names were made of.
"""

import marshal
import os
import sys
from contextlib import suppress
from hashlib import sha256
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType

from dlatlas.errors import AtlasError

_read: dict[Path, bytes] = {}
_run: dict[Path, bytes] = {}


def text_of(path: Path) -> bytes:
    """A source file's bytes, as this process first read them.

    Raises:
        OSError: it cannot be read.
    """
    if path not in _read:
        _read[path] = path.read_bytes()
    return _read[path]


def forget() -> None:
    """Makes `text_of` read every file anew."""
    _read.clear()


def check() -> None:
    """Compares every module that was imported with the text of it that was read for a digest.

    Raises:
        AtlasError: one is another now.
    """
    for path, digest in _run.items():
        if path in _read and sha256(_read[path]).digest() != digest:
            raise AtlasError(f"{path}: the code changed while this ran, so nothing of it is stored; run again")


def watch() -> None:
    """From now on, modules that no installer put where they are, and the instrument's own, are run from their text."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds what the others find, and loads the sources among it from their text."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec = find(fullname, path, target)
            if spec is not None:
                own = fullname.partition(".")[0] == __name__.partition(".")[0] or "site-packages" not in str(
                    spec.origin
                )
                if own and type(spec.loader) is SourceFileLoader and not str(spec.origin).startswith(_STDLIB):
                    spec.loader = _FromText(spec.loader.name, spec.loader.path)
                return spec
        return None


_STDLIB = str(Path(os.__file__).parent)


class _FromText(SourceFileLoader):
    """Runs what stands in the file; what it was compiled to is kept beside it under the digest of the text."""

    def get_code(self, fullname: str) -> CodeType:
        path = Path(self.path)
        text = path.read_bytes()
        digest = _run[path] = sha256(text).digest()
        place = path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.text.pyc"
        key = digest + sys.version.encode()
        with suppress(OSError, ValueError, EOFError, TypeError):
            kept = place.read_bytes()
            if kept.startswith(key):
                return marshal.loads(kept[len(key) :])  # noqa: S302
        code = self.source_to_code(text, self.path)
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                place.parent.mkdir(exist_ok=True)
                aside = place.with_suffix(f".{os.getpid()}")
                aside.write_bytes(key + marshal.dumps(code))
                aside.replace(place)
        return code
