"""Which claim it is: a digest of what it says in numbers, so that a claim that changes after its sweep is found out."""

import hashlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlatlas.declare.claim import Other
from dlatlas.declare.statistic import Statistic

if TYPE_CHECKING:
    from dlatlas.declare.claim import Claim
    from dlatlas.declare.study import Study


def claim_digest(claim: "Claim", study: "Study | None" = None) -> str:
    """A digest of what a claim says in numbers: statistic, observables, bounds, control and rival; not of its prose."""
    rival = claim.rival
    against = rival.change(claim.statistic) if isinstance(rival, Other) else rival
    looked = [part for each in (claim.statistic, claim.control) for leaf in each.leaves() for part in leaf.names()]
    own = study.observables if study else {}
    parts = [_said(part) for part in (claim.statistic, claim.expected, claim.basis, claim.control, against)]
    parts += [_said(own[name]) for name in sorted(set(looked)) if name in own]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]


def _said(value: Any) -> str:  # noqa: ANN401
    """A declaration as text that another process writes alike; functions by their source."""
    if isinstance(value, Statistic):
        fields = (value.of, value.where, value.by, value.along, value.settings, value.parts, value.function)
        return f"{value.compute.__qualname__}({', '.join(map(_said, fields))})"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_said(each)}" for name, each in sorted(value.items())) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_said, value)) + "]"
    if callable(value):
        try:
            return inspect.getsource(value).strip()
        except (OSError, TypeError):
            return getattr(value, "__name__", type(value).__name__)
    return repr(value)
