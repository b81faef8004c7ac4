"""The Deep Learning Theory Atlas: claims as sweeps, sweeps as cubes, cubes as figures with a computed verdict.

The public names, each loaded when it is first used.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PLACES = {
    "Study": "study",
    "claim": "claim",
    "where": "claim",
    "but": "claim",
    "instead": "claim",
    "exchangeable": "claim",
    "law": "claim",
    "other": "claim",
    "identity": "claim",
    "panel": "panel",
    "variable": "variable",
    "derived": "variable",
    "count": "parameter",
    "number": "parameter",
    "choice": "parameter",
    "flag": "parameter",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in _PLACES:
        raise AttributeError(f"module 'dlatlas' has no attribute {name!r}")
    return getattr(import_module(f"dlatlas.declare.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
