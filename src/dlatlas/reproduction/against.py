"""One study made again, against one reference: the commit's ledger, its published results, or the results here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlatlas.cubes.cube import open_cube, stamp_of
from dlatlas.errors import AtlasError
from dlatlas.identity.store import read_json, write_bytes
from dlatlas.judging.check import verified_cube
from dlatlas.publishing.ledger import summary
from dlatlas.reproduction.checkout import Origins
from dlatlas.reproduction.compare import (
    Difference,
    Outcome,
    compare_cubes,
    compare_summaries,
    compare_verdicts,
    outcome_of,
    worst,
)
from dlatlas.reproduction.drift import Drift, changed_libraries, changed_processor, changes
from dlatlas.reproduction.pictures import compare_figures, side_by_side

if TYPE_CHECKING:
    import xarray as xr


@dataclass
class Against:
    """What a comparison with one reference found.

    Attributes:
        reference: ledger, published results or results here.
        figure: differences; None where the reference has none to compare with.
        cube: the same.
        verdict: the same.
        drift: what changed between the two makings.
        counts: whether it decides the outcome. Results here that were made by other code, params or data do not, where
            the commit has a record of its own: they are shown, and why they differ.
        reused: the cube was taken from the reference, so that only verdict and figure were made again.
        same_recipe: whether the reference's cube was made by the same code, params and data, by its name.
        note: why nothing could be compared.
        home: where the reference's figures are.
        side_by_side: the picture of both figures, where they differ.
    """

    reference: str
    figure: list[Difference] | None = None
    cube: list[Difference] | None = None
    verdict: list[Difference] | None = None
    drift: list[Drift] = field(default_factory=list)
    counts: bool = True
    reused: bool = False
    same_recipe: bool = True
    note: str = ""
    home: Path | None = None
    side_by_side: Path | None = None

    @property
    def outcome(self) -> Outcome | None:
        """The worst of figure, cube and verdict; None if none could be compared."""
        return worst(None if part is None else outcome_of(part) for part in (self.figure, self.cube, self.verdict))

    def add_bytes(self, files: list[str]) -> None:
        """Says that files of the reference are not those that were published."""
        known = {drift.said for drift in self.drift if drift.kind == "bytes"}
        for file in files:
            if not any(file in said for said in known):
                self.drift.append(Drift("bytes", f"{file}: not the bytes that were published"))
        if files and self.cube is not None and outcome_of(self.cube) != "different":
            self.cube.append(Difference("files", "different", f"{len(files)} damaged, first {files[0]}"))

    def picture(self, made: Path) -> None:
        """Writes a picture of both figures side by side next to the made one, if cube, verdict or figure differ."""
        old, new = (folder and folder / "figure.png" for folder in (self.home, made))
        if self.outcome != "different" or not old or not old.is_file() or not new.is_file():
            return
        path = made / f"beside-{self.reference.replace(' ', '-')}.png"
        try:
            write_bytes(path, side_by_side(old, new, (self.reference, "made again")))
        except OSError:
            return
        self.side_by_side = path


def with_ledger(
    name: str,
    entry: Mapping[str, Any],
    made: Path,
    here: Mapping[str, Any],
    known: Mapping[str, Any],
    origins: Origins,
    tree: Path,
) -> Against:
    """A study made again against the entry of its commit's ledger.

    Args:
        name: the study.
        entry: of the ledger.
        made: the folder with what was made.
        here: versions and processor of the environment.
        known: digests of code, params and data, as the commit's own code says.
        origins: for the commit that made the entry.
        tree: the checkout of the commit.
    """
    item = Against("ledger")
    verdict = read_json(made / "verdict.json")
    if verdict["scale"] != entry["scale"]:
        item.note = f"the ledger holds scale {entry['scale']}, this is {verdict['scale']}"
        return item
    cube = open_cube(made / "cube.zarr")
    item.cube = compare_summaries(entry["variables"], {str(key): summary(cube[key]) for key in cube.data_vars})
    item.verdict = compare_verdicts(entry["verdict"], verdict)
    origin = origins.of_commit(entry.get("commit"))
    found = changes(name, entry["scale"], origin, tree) if origin else []
    for kind in ("params", "data", "code"):
        if not known or entry.get(kind) == known.get(kind):
            continue  # what its own code calls the same is the same
        named = [drift for drift in found if drift.kind == kind]
        item.drift += named or [Drift(kind, said) for said in _digests(entry[kind], known[kind], entry, origin)]
    if not known:
        item.drift += found
    if not known and origin is None and item.outcome != "identical":
        said = f"made from commit {str(entry.get('commit'))[:12]}, which is not here: what changed since cannot be said"
        item.drift.append(Drift("commit", said))
    _add_versions(item, entry.get("versions") or {}, entry.get("processor"), here)
    return item


def _digests(was: Any, now: Any, entry: Mapping[str, Any], origin: Path | None) -> list[str]:  # noqa: ANN401
    """What can be said when only the digests are known."""
    why = "" if origin else f"; what it was cannot be said, commit {str(entry.get('commit'))[:12]} is not here"
    if not isinstance(was, Mapping) or not isinstance(now, Mapping):
        return [f"digest {was} → {now}{why}"]
    stages = [stage for stage in {**was, **now} if was.get(stage) != now.get(stage)]
    return [f"{stage}: digest {was.get(stage)} → {now.get(stage)}{why}" for stage in stages]


def with_results(
    label: str,
    name: str,
    scale: str,
    home: Path,
    made: Path,
    here: Mapping[str, Any],
    origins: Origins,
    tree: Path,
) -> Against:
    """A study made again against a folder of results.

    Args:
        label: published results or results here.
        name: the study.
        scale: at which it was made.
        home: the folder of the reference.
        made: the folder with what was made.
        here: versions and processor of the environment.
        origins: for what the reference was made from.
        tree: the checkout of the commit.
    """
    item = Against(label, home=home)
    try:
        was = open_cube(home / "cube.zarr")
    except AtlasError as error:
        item.cube = [Difference("cube", "different", str(error))]
        item.drift.append(Drift("bytes", str(error)))
        return item
    if was.attrs.get("scale") != scale:
        item.note = f"they are of scale {was.attrs.get('scale')}, this is {scale}"
        return item
    item.same_recipe = _stage(home) == _stage(made)
    damage = _damage(home)
    try:
        item.cube = compare_cubes(was, open_cube(made / "cube.zarr"))
    except Exception as error:  # a chunk that cannot be decompressed raises what its codec likes
        item.cube = [Difference("cube", "different", f"not readable: {type(error).__name__}: {error}")]
    if damage:
        item.drift.append(Drift("bytes", damage))
        if outcome_of(item.cube) != "different":
            item.cube.append(Difference("files", "different", damage))
    if (home / "verdict.json").is_file():
        item.verdict = compare_verdicts(read_json(home / "verdict.json"), read_json(made / "verdict.json"))
    numbers = worst(None if part is None else outcome_of(part) for part in (item.cube, item.verdict))
    item.figure = compare_figures(home, made, numbers)
    if not item.same_recipe:
        origin = origins.of_results(home)
        item.drift += changes(name, scale, origin, tree) if origin else []
        if origin is None:
            item.drift.append(
                Drift("commit", "the commit that made them is not known here: what changed cannot be said")
            )
    _add_versions(item, _versions(was), None, here)
    return item


def _stage(home: Path) -> str | None:
    """The digest that names a cube: all that it depends on."""
    stamps = sorted(home.glob("stamps/cube-*.json"))
    return stamps[-1].stem if stamps else None


def _damage(home: Path) -> str:
    """What is wrong with the files of a cube, by its stamp; empty if nothing is, or there is no stamp."""
    try:
        stamp_of(home, "cube")["files"]
    except (AtlasError, KeyError):
        return ""
    try:
        verified_cube(home)
    except AtlasError as error:
        return str(error).partition("; delete")[0]
    return ""


def _versions(cube: "xr.Dataset") -> dict[str, Any]:
    try:
        return dict(json.loads(cube.attrs["versions"]))
    except (KeyError, ValueError):
        return {}


def _add_versions(item: Against, versions: Mapping[str, Any], processor: str | None, here: Mapping[str, Any]) -> None:
    item.drift += changed_libraries(versions, here["versions"]) + changed_processor(processor, here["processor"])
    if item.drift or item.outcome in ("identical", None):
        return
    same = "code, params, data, libraries and processor are the same"
    if item.outcome == "different":
        item.drift.append(
            Drift("unknown", f"{same}: results that were altered, or code that uses more than its inputs")
        )
    else:
        item.drift.append(Drift("rounding", f"{same}: sums in another order (threads, instruction set)"))
