"""What a study said before, and whether a claim is older than the seeds that it is judged on."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def spans(seeds: Iterable[int]) -> str:
    """Seeds in a few letters: ``1000-1009, 2000``."""
    ordered = sorted({int(seed) for seed in seeds})
    found = []
    for _, group in itertools.groupby(enumerate(ordered), lambda item: item[1] - item[0]):
        run = [seed for _, seed in group]
        found.append(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}")
    return ", ".join(found)


def overlap(one: str, other: str) -> bool:
    """Whether two lists of seeds, as `spans` writes them, have one in common."""
    pairs = [[tuple(map(int, (part.split("-") * 2)[:2])) for part in said.split(", ") if part] for said in (one, other)]
    return any(first <= most and least <= last for first, last in pairs[0] for least, most in pairs[1])


def past(entry: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """What a ledger's entry says of each publication, the oldest first, itself last."""
    return [] if entry is None else [*entry.get("before", []), brief(entry)]


def brief(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of an entry once a newer one takes its place."""
    kept = {key: entry[key] for key in ("commit", "date", "cube", "seeds", "scale", "runs") if key in entry}
    names = ("verdict", "estimate", "low", "high", "digest")
    claims = {
        name: {key: claim[key] for key in names if key in claim}
        for name, claim in entry["verdict"].get("claims", {}).items()
    }
    return {**kept, "verdict": entry["verdict"]["verdict"], "claims": claims}


def mark(digest: str, seeds: str, history: Sequence[Mapping[str, Any]]) -> str:
    """Why a claim may have been made for its data, "" if it was not.

    Args:
        digest: the claim's, see `dlatlas.judging.digest`.
        seeds: those that it is judged on, as `spans` writes them.
        history: see `past`; a publication that does not say its seeds or digests is of before December 2026.
    """
    first = next((one for one in history if overlap(seeds, one.get("seeds", ""))), None)
    if first is None:
        return ""
    digests = [each["digest"] for each in first["claims"].values() if "digest" in each]
    if digest in digests:
        return ""
    when = f"{first['date'][:10]}, {first['commit'][:12]}"
    if not digests:
        return f"some of its seeds were judged before ({when}), when claims had no digests"
    return f"stated after some of its seeds had been judged ({when})"


def changed(record: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The publications of a study whose verdict, or those of claims, were others than now, the newest first."""
    now = {claim["name"]: claim["verdict"] for claim in record["claims"]}
    found: list[dict[str, Any]] = []
    for one in reversed(history):
        then = {name: claim["verdict"] for name, claim in one["claims"].items()}
        if then != now and (not found or found[-1]["outcomes"] != then):
            holds = sum(verdict == "supported" for verdict in then.values())
            found.append({**one, "outcomes": then, "holds": holds})
    return found
