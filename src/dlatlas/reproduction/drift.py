"""What may have changed between two makings of a study, each by name: code, params, data, library, processor, bytes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import yaml

from dlatlas.declare import registry
from dlatlas.declare.lab import Lab
from dlatlas.declare.sweep import SOLVE_ROOTS, TRAIN_ROOTS
from dlatlas.errors import InputError
from dlatlas.identity.code import closure
from dlatlas.identity.content import canonical
from dlatlas.planning.plan import stage_roots

Kind = Literal["code", "params", "data", "library", "processor", "bytes", "commit", "rounding", "unknown"]


@dataclass(frozen=True)
class Drift:
    """One thing that changed: its kind, and a line that names it."""

    kind: Kind
    said: str


def changes(name: str, scale: str, was: Path, now: Path) -> list[Drift]:
    """What changed for a study between two checkouts: params, data, code.

    Args:
        name: the study.
        scale: params of other scales do not count.
        was: a checkout's root.
        now: another's.
    """
    return [*changed_params(name, scale, was, now), *changed_data(name, was, now), *changed_code(name, was, now)]


def changed_params(name: str, scale: str, was: Path, now: Path) -> list[Drift]:
    """Keys of the params file whose values differ, and both values; those of other scales do not count."""
    old, new = (
        {key: value for key, value in leaves(_params(name, root)).items() if _counts(key, scale)} for root in (was, now)
    )
    return [
        Drift("params", f"params of {name}: {key}: {_shown(old.get(key))} → {_shown(new.get(key))}")
        for key in sorted({*old, *new})
        if canonical(old.get(key)) != canonical(new.get(key))
    ]


def leaves(tree: object, prefix: str = "") -> dict[str, object]:
    """A tree of mappings as dotted key -> value; lists stay whole."""
    if not isinstance(tree, Mapping):
        return {prefix: tree}
    found: dict[str, object] = {}
    for key, value in tree.items():
        found |= leaves(value, f"{prefix}.{key}" if prefix else str(key))
    return found


def _counts(key: str, scale: str) -> bool:
    head, _, rest = key.partition(".")
    return head != "scales" or rest.partition(".")[0] == scale


def _shown(value: object) -> str:
    return "nothing" if value is None else canonical(value)


def _yaml(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _params(name: str, root: Path) -> dict[str, Any]:
    return _yaml(next(iter(sorted((root / "params").rglob(f"{name}.yaml"))), root / "params" / f"{name}.yaml"))


def _words(name: str, root: Path) -> set[str]:
    """All text values in a params file."""

    def walk(value: object) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            for item in value.values():
                yield from walk(item)
        elif isinstance(value, list):
            for item in value:
                yield from walk(item)

    return set(walk(_params(name, root)))


def changed_data(name: str, was: Path, now: Path) -> list[Drift]:
    """Data sets that the study's params name and whose files differ by ``data.dvc``."""
    words = _words(name, was) | _words(name, now)
    places = registry.named("data", _packages(now))
    used = {registry.data_file(places[word]) for word in words & set(places)}
    old, new = (
        {
            file: md5
            for file, md5 in ((_yaml(root / "data.dvc").get("meta") or {}).get("files") or {}).items()
            if file.split("/")[0].removesuffix(".safetensors") in used
        }
        for root in (was, now)
    )
    return [
        Drift("data", f"data/{file}: md5 {old.get(file, 'none')} → {new.get(file, 'none')}")
        for file in sorted({*old, *new})
        if old.get(file) != new.get(file)
    ]


def changed_code(name: str, was: Path, now: Path) -> list[Drift]:
    """Definitions of the package that differ (comments, docstrings and annotations do not count), by stage.

    Only those that the study depends on, followed through imports. A definition is named once, at the first stage.
    """
    found: list[Drift] = []
    told: set[str] = set()
    homes = [_home(name, root) for root in (was, now)]
    if homes[0] != homes[1]:
        return [Drift("code", f"{homes[0]} is {homes[1]} now: definitions cannot be told apart by name")]
    old, new = _stages(name, was), _stages(name, now)
    for stage in old:
        for root in sorted({*old[stage], *new[stage]} - told):
            before, after = old[stage].get(root), new[stage].get(root)
            if before != after:
                how = "is new" if before is None else "is gone" if after is None else "changed"
                found.append(Drift("code", f"{stage}: {root} {how}"))
                told.add(root)
    return found


def _home(name: str, root: Path) -> str:
    """The module of a study in a checkout."""
    lab = Lab.read(root)
    return lab.module(name) if name in lab.chapters else f"dlatlas.studies.{name}"  # before December 2026


def _packages(root: Path) -> tuple[str, ...]:
    """Where names of the params files of a checkout are looked up: what is installed here under its names."""
    return tuple(name for name in (registry.INSTRUMENT, Lab.read(root).package) if find_spec(name))


def _stages(name: str, root: Path) -> dict[str, dict[str, str]]:
    """Stage -> definition -> digest of its text, for the code in a checkout; what it does not have is left out."""
    home, words = _home(name, root), _words(name, root)
    places = {room: registry.named(room, _packages(root)) for room in registry.ROOMS}
    named = [table[word] for room, table in places.items() if room != "measures" for word in words & set(table)]
    measures = [places["measures"][word] for word in words & set(places["measures"])]
    roots = {
        "run": [*TRAIN_ROOTS, *SOLVE_ROOTS, *named, f"{home}:STUDY(setup)", f"{home}:STUDY(solve)"],
        "measure": ["dlatlas.measures.job:measure_stack", *measures, f"{home}:STUDY(measure)"],
        **stage_roots(home),
    }
    return {stage: _closure(of_stage, root / "src") for stage, of_stage in roots.items()}


def _closure(roots: Iterable[str], base: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for root in roots:
        try:
            found |= closure([root], base)
        except (InputError, SyntaxError):
            continue
    return found


def changed_libraries(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Drift]:
    """Libraries that both know and whose versions differ."""
    return [
        Drift("library", f"made with {library} {was[library]}, here {now[library]}")
        for library in was
        if was[library] and now.get(library) and str(was[library]) != str(now[library])
    ]


def changed_processor(was: str | None, now: str | None) -> list[Drift]:
    """Another processor, where both are known."""
    return [Drift("processor", f"made on {was}, here {now}")] if was and now and was != now else []
