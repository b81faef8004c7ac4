"""What is to be made, by name. Every name is a digest of all that it depends on: existence means up to date.

The Snakefile reads nothing else of the package, so this imports neither torch nor xarray and writes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dlatlas import registry
from dlatlas.data.prepare import digest as data_digest
from dlatlas.errors import InputError, unknown
from dlatlas.identity import SOURCE, code_digest, digest, file_digest
from dlatlas.params import SCALES
from dlatlas.store import read_json, write_json
from dlatlas.study import module, study_names
from dlatlas.sweep import Shard, Sweep, load_sweep

STAGES = {
    "cube": ("cube.zarr",),
    "verdict": ("verdict.json",),
    "figure": ("figure.svg", "figure.png"),
}
"""The stages of a study after its measures, and what each leaves in ``results/<study>/``."""


TOUR = (
    "catapult_phase",
    "double_descent",
    "gnn_wl_bound",
    "mean_field_sgd_pde",
    "neural_collapse_mse_ufm",
    "ntk_constancy_with_width",
    "random_label_memorization",
    "score_matching_wasserstein",
    "steepest_descent_max_margin",
    "triple_descent",
)
"""What ``studies=tour`` stands for: one or two studies of most chapters, and not the slowest."""


def stage_roots(name: str) -> dict[str, list[str]]:
    """The code that each of those stages of a study depends on, as roots of `dlatlas.identity.code_digest`."""
    home = module(name)
    claimed = ("title", "claims", "theory")
    assembly = ["dlatlas.assembly:gather", "dlatlas.assembly:assemble", "dlatlas.cube:write_cube"]
    return {
        "cube": [*assembly, f"{home}:STUDY(variables)"],
        "verdict": ["dlatlas.verdict:judge_study", *(f"{home}:STUDY({part})" for part in claimed)],
        "figure": ["dlatlas.plotting.draw:draw", f"{home}:STUDY(figure)"],
    }


@dataclass(frozen=True)
class Settings:
    """Where things are, and at which scale.

    Attributes:
        root: the checkout.
        params, data, results: folders; relative ones are taken from the working directory.
        scale: smoke, laptop or cluster.
        studies: which of them; all that have a params file when empty.
    """

    root: Path
    params: Path
    data: Path
    results: Path
    scale: str = "laptop"
    studies: tuple[str, ...] = ()

    @classmethod
    def read(cls, config: Mapping[str, Any], root: Path) -> "Settings":
        """Settings from Snakemake's config or the command line.

        Raises:
            InputError: an unknown key or scale.
        """
        allowed = ("params", "data", "results", "scale", "studies")
        for key in config:
            if key not in allowed:
                raise unknown("--config", "key", key, allowed)
        scale = str(config.get("scale", "laptop"))
        if scale not in SCALES:
            raise unknown("--config scale", "scale", scale, SCALES)
        chosen = config.get("studies", ())
        names = chosen.replace(",", " ").split() if isinstance(chosen, str) else list(chosen)
        names = list(TOUR) if names == ["tour"] else names
        return cls(
            root=root,
            params=Path(config.get("params", root / "params")),
            data=Path(config.get("data", "data")),
            results=Path(config.get("results", "results")),
            scale=scale,
            studies=tuple(str(name).replace("-", "_") for name in names),
        )

    @property
    def pointer(self) -> Path:
        """``data.dvc``, which says what the data sets are."""
        return self.root / "data.dvc"

    def options(self) -> str:
        """The same settings as command-line options."""
        return f"--params {self.params} --data {self.data} --results {self.results} --scale {self.scale}"


class Plan:
    """All studies, their shards, and the names of everything that is made of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        found = sorted(path.stem for path in settings.params.glob("*.yaml"))
        for name in settings.studies:
            if name not in found:
                raise unknown("--config studies", "study", name, found)
        self.names = settings.studies or tuple(found)
        if not self.names:
            raise InputError(f"{settings.params}: no params file; `dlatlas new NAME` writes one")
        for name in set(self.names) - set(study_names()):
            raise InputError(f"params/{name}.yaml: there is no src/dlatlas/studies/{name}.py")
        self.complete = set(self.names) == set(found)
        """Whether these are all studies that have a params file."""
        self._sweeps: dict[str, Sweep] = {}

    def sweep(self, name: str) -> Sweep:
        """The sweep of a study."""
        if name not in self._sweeps:
            s = self.settings
            self._sweeps[name] = load_sweep(name, s.params, s.scale, s.pointer)
        return self._sweeps[name]

    def home(self, name: str) -> Path:
        """``results/<study>``."""
        return self.settings.results / name

    # Names of what is made.

    @cached_property
    def data_stamp(self) -> Path:
        """Says that the prepared data are those of ``data.dvc``."""
        return self.settings.results / "prepared" / f"{file_digest(self.settings.pointer)[:20]}.json"

    def needs_data(self, name: str) -> bool:
        """Whether a study reads prepared files."""
        return bool(self.data(name))

    def data(self, name: str) -> dict[str, str]:
        """The prepared data sets that a study reads, and their digests."""
        sweep = self.sweep(name)
        values = {sweep.fixed.get("data"), *(v for c in sweep.dims.values() for v in c.get("data", []))}
        used = sorted(value for value in values if value in registry.FILE_DATASETS)
        return {value: data_digest(self.settings.pointer, registry.FILE_DATASETS[value]) for value in used}

    def shard(self, name: str, wanted: str) -> Shard:
        """The shard of that digest.

        Raises:
            InputError: there is none in this plan.
        """
        for shard in self.sweep(name).shards:
            if shard.digest == wanted:
                return shard
        raise InputError(f"params/{name}.yaml: no shard {wanted} at scale {self.settings.scale}; has the file changed?")

    def shard_manifest(self, name: str, shard: str) -> Path:
        """The manifest of a trained shard."""
        return self.home(name) / "shards" / f"{shard}.json"

    def measured(self, name: str) -> dict[str, Path]:
        """Shard digest -> manifest of its measures; empty for kinds that have none."""
        sweep = self.sweep(name)
        if sweep.study.kind != "train":
            return {}
        code = self._measure_code(name)
        return {
            shard.digest: self.home(name) / "measures" / f"{digest([shard.digest, list(sweep.measures), code])}.json"
            for shard in sweep.shards
        }

    def _measure_code(self, name: str) -> str:
        own = [f"{module(name)}:STUDY(measure)", f"{module(name)}:STUDY(variables)"]
        named = [f"dlatlas.measures.registry:MEASURES[{measure}]" for measure in self.sweep(name).measures]
        return code_digest(["dlatlas.measures.job:measure_stack", *own, *named])

    def shard_of(self, name: str, measured: str) -> str:
        """The shard that a manifest of measures belongs to."""
        for shard, path in self.measured(name).items():
            if path.stem == measured:
                return shard
        raise InputError(f"params/{name}.yaml: nothing named {measured} is measured at scale {self.settings.scale}")

    def stage_digest(self, name: str, stage: str) -> str:
        """The digest of one stage of a study: all that it depends on."""
        sweep, code = self.sweep(name), code_digest(stage_roots(name)[stage])
        if stage == "cube":
            parts = [path.stem for path in self.measured(name).values()]
            shards = [shard.digest for shard in sweep.shards]
            return digest([shards, parts, sweep.dims, list(sweep.dims), sweep.fixed, sweep.scale, code])
        return digest([self.stage_digest(name, "cube" if stage == "verdict" else "verdict"), code])

    def codes(self, name: str) -> dict[str, str]:
        """Digest of the code of each stage of a study, without what it is run on; ``run`` trains, solves or samples."""
        sweep = self.sweep(name)
        recipes = sorted({sweep.code(stack.shared) for shard in sweep.shards for stack in shard.stacks})
        measure = {"measure": self._measure_code(name)} if sweep.study.kind == "train" else {}
        return {
            "run": digest(recipes),
            **measure,
            **{stage: code_digest(roots) for stage, roots in stage_roots(name).items()},
        }

    def stamp(self, name: str, stage: str) -> Path:
        """Says that a stage of a study is done; its name is its digest."""
        return self.home(name) / "stamps" / f"{stage}-{self.stage_digest(name, stage)}.json"

    def cube_inputs(self, name: str) -> list[Path]:
        """What a cube is assembled from."""
        shards = [self.shard_manifest(name, shard.digest) for shard in self.sweep(name).shards]
        return [*shards, *self.measured(name).values()]

    @cached_property
    def atlas_stamp(self) -> Path:
        """Says that the page is up to date with every study."""
        figures = [self.stage_digest(name, "figure") for name in self.names]
        files = [*sorted((SOURCE / "atlas").rglob("*.*")), SOURCE / "cite.py"]
        files += [SOURCE / "studies" / f"{name}.py" for name in self.names]
        looks = [file_digest(path) for path in files if "__pycache__" not in path.parts]
        return self.settings.results / "atlas" / "stamps" / f"atlas-{digest([list(self.names), figures, looks])}.json"

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
