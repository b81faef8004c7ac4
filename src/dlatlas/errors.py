"""Errors that a person reads: one line that says where, what was found and what is allowed."""

from collections.abc import Iterable
from difflib import get_close_matches


class AtlasError(Exception):
    """A fault that is told in one line, without a traceback."""


class InputError(AtlasError):
    """A wrong parameter, axis, data file or cube."""


class CorruptedError(InputError):
    """A file whose content is not what was written."""


class UntrainableError(InputError):
    """A network that cannot be trained; its runs fail, those of other networks do not.

    Attributes:
        whole: whether every run of its stack fails by it, so that it is no use to look for the one that does.
    """

    def __init__(self, message: str, whole: bool = True) -> None:
        super().__init__(message)
        self.whole = whole


# A thousand settings of an axis are no help.
LISTED = 20


def unknown(where: str, what: str, found: object, allowed: Iterable[object]) -> InputError:
    """An InputError for a name that does not exist, with the nearest one that does.

    Args:
        where: the file, and the key in it, e.g. ``params/catapult_phase.yaml: fixed``.
        what: the kind of name, e.g. ``key`` or ``model``.
        found: what was written.
        allowed: every name that would have been accepted.
    """
    names = sorted(str(name) for name in allowed)
    near = get_close_matches(str(found), names, n=1, cutoff=0.5)
    listed = ", ".join(names[:LISTED]) + (f", … ({len(names)} in all)" if len(names) > LISTED else "")
    hint = f'did you mean "{near[0]}"?' if near else f"allowed: {listed}"
    return InputError(f'{where}: unknown {what} "{found}"; {hint}')
