"""What is to be made, by name. Every name is a digest of all that it depends on: existence means up to date.

The Snakefile reads nothing else of the package, so this imports neither torch nor xarray and writes nothing.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dlatlas.declare import registry
from dlatlas.declare.cite import collection
from dlatlas.declare.lab import Lab, check_pairs
from dlatlas.declare.params import SCALES
from dlatlas.declare.sweep import Shard, Sweep, load_sweep
from dlatlas.errors import InputError, unknown
from dlatlas.identity import pointer
from dlatlas.identity.code import SOURCE, code_digest
from dlatlas.identity.content import digest, file_digest
from dlatlas.identity.store import read_json, write_json
from dlatlas.planning.kept import Kept, Record, text_digest
from dlatlas.planning.paths import FOLDERS, as_typed, at_home, plain

STAGES = {
    "cube": ("cube.zarr",),
    "verdict": ("verdict.json",),
    "figure": ("figure.svg", "figure.png"),
}
"""The stages of a study after its measures, and what each leaves in ``results/<study>/``."""


JUDGING = (
    "dlatlas.judging.verdict:judge_study",
    "dlatlas.judging.sample",
    "dlatlas.judging.selection",
    "dlatlas.judging.reduction",
    "dlatlas.judging.statistics",
    "dlatlas.declare.statistic",
    "dlatlas.declare.bounds",
    "dlatlas.declare.claim",
    "dlatlas.declare.panel",
)


def stage_roots(home: str) -> dict[str, list[str]]:
    """The code that each of those stages of the study in a module depends on, see `dlatlas.identity.code`."""
    claimed = ("title", "variables", "observables", "claims", "theory")
    drawn = ("title", "variables", "observables", "theory", "picture", "figure")
    assembly = ["dlatlas.cubes.assembly:gather", "dlatlas.cubes.assembly:assemble", "dlatlas.cubes.cube:write_cube"]
    return {
        "cube": [*assembly, f"{home}:STUDY(variables)"],
        # Whole modules: what a study takes from them by public names of the package is not followed.
        "verdict": [*JUDGING, *(f"{home}:STUDY({part})" for part in claimed)],
        "figure": ["dlatlas.plotting.draw:draw", *JUDGING, *(f"{home}:STUDY({part})" for part in drawn)],
    }


@dataclass(frozen=True)
class Settings:
    """Where things are, and at which scale.

    Attributes:
        root: the checkout.
        params, data, results: folders; relative ones are taken from the working directory.
        scale: smoke, laptop or cluster.
        studies: which of them, by name or chapter, or ``tour``; all that have a params file when empty.
    """

    root: Path
    params: Path
    data: Path
    results: Path
    scale: str = "laptop"
    studies: tuple[str, ...] = ()

    @classmethod
    def read(
        cls, config: Mapping[str, Any], root: Path, typed: Iterable[str] = (), start: Path | None = None
    ) -> "Settings":
        """Settings from Snakemake's config or the command line.

        Args:
            config: the settings, folders as text or paths.
            root: the checkout.
            typed: the entries of ``--config`` before Snakemake read them as YAML.
            start: the folder in which they were typed; the working directory if None.

        Raises:
            InputError: an unknown key or scale, or a folder that is none.
        """
        allowed = ("params", "data", "results", "scale", "studies")
        for key in config:
            if key not in allowed:
                raise unknown("--config", "key", key, allowed)
        config = {**config, **as_typed(typed, start or Path.cwd())}
        for key in FOLDERS:
            if not isinstance(config.get(key, "."), str | Path) or not str(config.get(key, ".")):
                raise InputError(f"--config {key}: expected a folder, found {config[key]!r}")
        scale = str(config.get("scale", "laptop"))
        if scale not in SCALES:
            raise unknown("--config scale", "scale", scale, SCALES)
        chosen = config.get("studies", ()) or ()
        if not isinstance(chosen, str | int | float | list | tuple):
            raise InputError(f"--config studies: expected names with commas between, found {chosen!r}")
        names = chosen if isinstance(chosen, list | tuple) else str(chosen).replace(",", " ").split()
        return cls(
            root=root,
            params=at_home(str(config.get("params", root / "params"))),
            data=at_home(str(config.get("data", "data"))),
            results=at_home(str(config.get("results", "results"))),
            scale=scale,
            studies=tuple(str(name).replace("-", "_") for name in names),
        )

    @property
    def pointer(self) -> Path:
        """``data.dvc``, which says what the data sets are."""
        return self.root / "data.dvc"

    def options(self) -> list[str]:
        """The same settings as command-line options."""
        folders = {"--params": self.params, "--data": self.data, "--results": self.results}
        return [*(str(word) for pair in folders.items() for word in pair), "--scale", self.scale]

    def plain(self) -> "Settings":
        """The same settings with results by a name that Snakemake's rules can say, see `dlatlas.planning.paths`."""
        return replace(self, results=plain(self.results))


class Plan:
    """All studies, their shards, and the names of everything that is made of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lab = Lab.read(settings.root)
        self.lab.check()
        self.params = self.lab.params(settings.params)
        if settings.params == settings.root / "params":
            check_pairs(self.lab, self.params)
        self.names = self._chosen() or tuple(sorted(self.params))
        if not self.names:
            raise InputError(f"{settings.params}: no params file; `dlatlas new NAME` writes one")
        self.complete = set(self.names) == set(self.params)
        """Whether these are all studies that have a params file."""
        self._sweeps: dict[str, Sweep] = {}
        self._records: dict[str, Record] = {}
        self._kept = Kept(self.lab, settings.params, settings.scale)

    def _chosen(self) -> tuple[str, ...]:
        """The studies that the settings name, a chapter for all of its studies."""
        chapters = {chapter for chapter in self.lab.chapters.values() if chapter}
        found: list[str] = []
        for word in self.settings.studies:
            if word == "tour":
                found += self.lab.tour or sorted(self.params)
            elif word in chapters:
                found += [name for name, chapter in self.lab.chapters.items() if chapter == word]
            elif word in self.params:
                found.append(word)
            else:
                raise unknown("--config studies", "study or chapter", word, [*self.params, *chapters, "tour"])
        return tuple(dict.fromkeys(name for name in found if name in self.params))

    def sweep(self, name: str) -> Sweep:
        """The sweep of a study."""
        if name not in self._sweeps:
            s = self.settings
            self._sweeps[name] = load_sweep(self.lab.study(name), self.params[name], s.scale, s.pointer)
        return self._sweeps[name]

    def said(self, name: str) -> str:
        """A study's params file as seen from the checkout, for errors."""
        return self.lab.near(self.params[name])

    def home(self, name: str) -> Path:
        """``results/<study>``."""
        return self.settings.results / name

    # Names of what is made.

    @cached_property
    def data_stamp(self) -> Path:
        """Says that the prepared data are those of ``data.dvc``."""
        return self.settings.results / "prepared" / f"{file_digest(self.settings.pointer)[:20]}.json"

    def record(self, name: str) -> Record:
        """What is made of a study, by digest; kept from process to process, see `dlatlas.planning.kept`."""
        if name not in self._records:
            found = self._kept.get(name, self.params[name])
            if found is None:
                found = self._derived(name)
                self._kept.put(name, self.params[name], found, self._named(name))
            self._records[name] = found
        return self._records[name]

    def keep(self) -> None:
        """Plans every study and keeps what was found for the next process."""
        for name in self.names:
            self.record(name)
        self._kept.write()

    def _derived(self, name: str) -> Record:
        sweep = self.sweep(name)
        shards = [shard.digest for shard in sweep.shards]
        measures: dict[str, str] = {}
        if sweep.study.kind == "train":
            code = self._measure_code(name)
            measures = {shard: digest([shard, list(sweep.measures), code]) for shard in shards}
        code = {stage: code_digest(roots) for stage, roots in stage_roots(sweep.study.module).items()}
        parts = [shards, list(measures.values()), sweep.dims, list(sweep.dims), sweep.fixed, sweep.scale, code["cube"]]
        cube = digest(parts)
        verdict = digest([cube, code["verdict"]])
        stages = {"cube": cube, "verdict": verdict, "figure": digest([verdict, code["figure"]])}
        return Record(sweep.study.kind, tuple(shards), measures, stages, self._data(sweep))

    def _named(self, name: str) -> set[str]:
        """The modules of what a params file names."""
        sweep = self.sweep(name)
        places = {
            place for shard in sweep.shards for stack in shard.stacks for place in sweep.things(stack.shared).values()
        }
        places |= {registry.root("measures", measure, sweep.study.packages) for measure in sweep.measures}
        return {place.partition(":")[0] for place in places}

    def needs_data(self, name: str) -> bool:
        """Whether a study reads prepared files."""
        return bool(self.data(name))

    def data(self, name: str) -> dict[str, str]:
        """The prepared data sets that a study reads, and the digests of their files."""
        return dict(self.record(name).data)

    def _data(self, sweep: Sweep) -> dict[str, str]:
        if sweep.study.kind != "train":
            return {}
        values = {sweep.fixed.get("data"), *(v for c in sweep.dims.values() for v in c.get("data", []))} - {None}
        places = {str(value): registry.root("data", str(value), sweep.study.packages) for value in values}
        files = {value: registry.data_file(place) for value, place in sorted(places.items())}
        return {value: pointer.digest(self.settings.pointer, file) for value, file in files.items() if file}

    def shard(self, name: str, wanted: str) -> Shard:
        """The shard of that digest.

        Raises:
            InputError: there is none in this plan.
        """
        for shard in self.sweep(name).shards:
            if shard.digest == wanted:
                return shard
        raise InputError(f"{self.said(name)}: no shard {wanted} at scale {self.settings.scale}; has the file changed?")

    def shard_manifest(self, name: str, shard: str) -> Path:
        """The manifest of a trained shard."""
        return self.home(name) / "shards" / f"{shard}.json"

    def measured(self, name: str) -> dict[str, Path]:
        """Shard digest -> manifest of its measures; empty for kinds that have none."""
        home = self.home(name) / "measures"
        return {shard: home / f"{measured}.json" for shard, measured in self.record(name).measures.items()}

    def _measure_code(self, name: str) -> str:
        sweep = self.sweep(name)
        own = [f"{sweep.study.module}:STUDY(measure)", f"{sweep.study.module}:STUDY(variables)"]
        named = [registry.root("measures", measure, sweep.study.packages) for measure in sweep.measures]
        return code_digest(["dlatlas.measures.job:measure_stack", *own, *named])

    def shard_of(self, name: str, measured: str) -> str:
        """The shard that a manifest of measures belongs to."""
        for shard, found in self.record(name).measures.items():
            if found == measured:
                return shard
        raise InputError(f"{self.said(name)}: nothing named {measured} is measured at scale {self.settings.scale}")

    def stage_digest(self, name: str, stage: str) -> str:
        """The digest of one stage of a study: all that it depends on."""
        return self.record(name).stages[stage]

    def codes(self, name: str) -> dict[str, str]:
        """Digest of the code of each stage of a study, without what it is run on; ``run`` trains, solves or samples."""
        sweep = self.sweep(name)
        recipes = sorted({sweep.code(stack.shared) for shard in sweep.shards for stack in shard.stacks})
        measure = {"measure": self._measure_code(name)} if sweep.study.kind == "train" else {}
        return {
            "run": digest(recipes),
            **measure,
            **{stage: code_digest(roots) for stage, roots in stage_roots(sweep.study.module).items()},
        }

    def stamp(self, name: str, stage: str) -> Path:
        """Says that a stage of a study is done; its name is its digest."""
        return self.home(name) / "stamps" / f"{stage}-{self.stage_digest(name, stage)}.json"

    def cube_inputs(self, name: str) -> list[Path]:
        """What a cube is assembled from."""
        shards = [self.shard_manifest(name, shard) for shard in self.record(name).shards]
        return [*shards, *self.measured(name).values()]

    @cached_property
    def atlas_stamp(self) -> Path:
        """Says that the page is up to date with every study."""
        own = {name: (self.settings.scale, self.stage_digest(name, "figure")) for name in self.names}
        figures = {**self.others, **own}
        files = [*sorted((SOURCE / "pages").rglob("*.*"))]
        files += [SOURCE / "declare" / "cite.py", SOURCE / "declare" / "bibliography.py"]
        files += [self.lab.file(name) for name in sorted(figures)]
        files += [self.lab.bibliography] if self.lab.bibliography.is_file() else []
        looks = [text_digest(path) for path in files if "__pycache__" not in path.parts]
        content = digest([figures, looks, asdict(collection(self.lab.root))])
        return self.settings.results / "atlas" / "stamps" / f"atlas-{content}.json"

    @cached_property
    def others(self) -> dict[str, tuple[str, str]]:
        """The lab's studies outside this plan that have results: their scale, and the digest of their figure.

        Read from what lies there, so that no study is imported for it: the page shows what there is.
        """
        found = {}
        for name in sorted(self.params.keys() & self.lab.chapters.keys() - set(self.names)):
            figures = sorted(self.home(name).glob("stamps/figure-*.json"))
            scale = self._made_at(name)
            if figures and scale in SCALES:
                found[name] = scale, figures[-1].stem.partition("-")[2]
        return found

    def at(self, scale: str, name: str) -> "Plan":
        """The plan of one study at another scale, all else being the same."""
        return Plan(replace(self.settings, scale=scale, studies=(name,)))

    def _made_at(self, name: str) -> str | None:
        """The scale of a study's verdict, or else of its cube; None if there is none that can be read."""
        for file in ("verdict.json", "cube.zarr/zarr.json"):
            with suppress(InputError, AttributeError):
                record = read_json(self.home(name) / file)
                return record.get("attributes", record).get("scale")
        return None

    def guard(self) -> None:
        """Refuses to make a study where results of another scale lie, but for those of smoke, which take seconds.

        Called once before the graph is built, never inside a job.

        Raises:
            InputError: whose results they are, and where others may go.
        """
        scale = self.settings.scale
        for name in self.names:
            if self.stamp(name, "cube").is_file():
                continue
            held = self._made_at(name)
            if held not in (None, "smoke", scale):
                raise InputError(
                    f"{self.home(name)}: holds results of scale {held}, which scale={scale} would overwrite; "
                    f"add results=results-{scale} to --config, or delete {self.home(name)}"
                )

    def targets(self) -> list[Path]:
        """All that a complete atlas has: the page, and each study's cube, verdict and figure.

        The page alone would not do: Snakemake does not miss an intermediate whose descendants are there.
        """
        return [self.atlas_stamp, *(self.stamp(name, stage) for name in self.names for stage in STAGES)]

    @property
    def page(self) -> Path:
        """The front page."""
        return self.settings.results / "atlas" / "index.html"

    # Stamps.

    def write_stamp(self, path: Path, made: Iterable[Path], record: Mapping[str, Any]) -> None:
        """Says that a stage is done, and takes the stamps of its older versions away."""
        write_json(path, {**record, "made": [str(item.relative_to(path.parent.parent)) for item in made]})
        stage = path.stem.partition("-")[0]
        for other in path.parent.glob(f"{stage}-*.json"):
            if other != path:
                other.unlink(missing_ok=True)

    def forget_lost(self) -> list[Path]:
        """Removes stamps that lie: those whose products somebody has deleted. Returns what is missing.

        Called once before the graph is built, never inside a job.
        """
        lost = []
        for stamp in (*self.targets(), self.data_stamp):
            if not stamp.is_file():
                continue
            base = self.settings.data if stamp == self.data_stamp else stamp.parent.parent
            missing = [base / item for item in read_json(stamp)["made"] if not (base / item).exists()]
            if missing:
                stamp.unlink()
                lost += missing
        return lost
