"""What a cube cost, and what computed it: from the manifests of its shards."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dlatlas.identity.store import read_json


def cost(manifests: Iterable[Path]) -> dict[str, Any]:
    """Seconds of computing, and the versions and machines that did it.

    Where shards were made by several versions or machines, all are named, joined by " / ".
    """
    records = [read_json(path) for path in manifests if path.is_file()]
    shards = [record for record in records if "versions" in record]
    return {
        "seconds": round(sum(record["seconds"] for record in records), 3),
        "versions": _joined(record["versions"] for record in shards),
        "machine": _joined(record["machine"] for record in shards),
    }


def _joined(records: Iterable[Mapping[str, str]]) -> dict[str, str]:
    seen: dict[str, set[str]] = {}
    for record in records:
        for key, value in record.items():
            seen.setdefault(key, set()).add(value)
    return {key: " / ".join(sorted(values)) for key, values in sorted(seen.items())}
