"""What a job asks of a cluster: minutes, memory, GPU, partition, account. Light: the rules read it in every job.

What a shard needs stands in ``results/plans/``, written by ``dlatlas plan``; what a site wants stands in its site file,
written by ``dlatlas cluster init``. Both may be missing.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Any

import yaml

from dlatlas.errors import AtlasError, InputError, unknown
from dlatlas.identity.store import read_json, write_bytes
from dlatlas.planning.plan import Plan

SITE = Path("workflow/profiles/slurm/site.yaml")
"""The site file, from the checkout's root; not in git."""

UNKNOWN_MINUTES, UNKNOWN_MB = 60, 4000
"""Asked for where no estimate was made."""

LEAST_MINUTES = 5

START = 15.0
"""Seconds until a job begins to compute: Snakemake twice, Python, imports (6 s with torch)."""

MARGIN = 3
"""Asked for over what is estimated; a job that needs more is killed, and its next attempt is given more."""

BASE_MB = 1200
"""Memory of Snakemake and of an interpreter with torch and Lightning."""


@dataclass(frozen=True)
class Site:
    """What a cluster is told beside the resources themselves; what is None or 0 is not said.

    Attributes:
        account: who pays.
        partition: where jobs go.
        gpu_partition: where trainings go instead.
        gpus: GPUs of a training; 0 trains on processors.
        gpu_model: their model, e.g. a100.
        gres: said instead of both, e.g. ``shard:1`` where several jobs share a GPU.
        max_minutes, gpu_max_minutes: the time limits of the two partitions.
        max_mb, gpu_max_mb: the memory of their smallest nodes.
        constraint: node features, e.g. ``ib&avx512``.
    """

    account: str | None = None
    partition: str | None = None
    gpu_partition: str | None = None
    gpus: int = 0
    gpu_model: str | None = None
    gres: str | None = None
    max_minutes: int | None = None
    gpu_max_minutes: int | None = None
    max_mb: int | None = None
    gpu_max_mb: int | None = None
    constraint: str | None = None


def read_site(path: Path) -> Site:
    """A site file; all defaults if there is none.

    Raises:
        InputError: not YAML, an unknown key or a wrong type.
    """
    if not path.is_file():
        return Site()
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected keys and values, found {found!r}")
    known = {field.name: field for field in fields(Site)}
    for key, value in found.items():
        if key not in known:
            raise unknown(str(path), "key", key, known)
        wants_number = "int" in str(known[key].type)
        if wants_number and value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            raise InputError(f"{path}: {key}: expected a whole number, found {value!r}")
    return Site(**{key: str(v) if v is not None and "str" in str(known[key].type) else v for key, v in found.items()})


def write_site(path: Path, site: Site) -> None:
    """Writes a site file for people to edit."""
    head = "# Written by `dlatlas cluster init`; what each key means: docs/cluster.md. Not in git.\n"
    write_bytes(path, (head + yaml.safe_dump(asdict(site), sort_keys=False)).encode())


class Requests:
    """The resources of every rule, as callables that Snakemake asks for each job and attempt."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.site = read_site(plan.settings.root / SITE)
        self._estimates: dict[str, dict[str, dict[str, float]]] = {}

    def of(self, rule: str) -> dict[str, Callable[..., int | str | None]]:
        """``resources:`` of a rule: train, measure, cube or verdict."""
        site = self.site
        gpu = rule == "train" and bool(site.gpus or site.gres)

        def on_gpu(wildcards: Any) -> bool:  # noqa: ANN401
            return gpu and self.plan.record(wildcards.study).kind == "train"

        def minutes(wildcards: Any, attempt: int) -> int:  # noqa: ANN401
            limit = site.gpu_max_minutes if on_gpu(wildcards) else site.max_minutes
            asked = self._minutes(rule, wildcards) * attempt
            return min(asked, limit) if limit else asked

        def memory(wildcards: Any, attempt: int) -> int:  # noqa: ANN401
            limit = site.gpu_max_mb if on_gpu(wildcards) else site.max_mb
            asked = self._megabytes(rule, wildcards) * attempt
            return min(asked, limit) if limit else asked

        def of_gpu(value: int | str | None) -> Callable[..., int | str | None]:
            return lambda wildcards: value if on_gpu(wildcards) else None

        return {
            "runtime": minutes,
            "mem_mb": memory,
            "gpu": of_gpu(None if site.gres else site.gpus),
            "gpu_model": of_gpu(None if site.gres else site.gpu_model),
            "gres": of_gpu(site.gres),
            "slurm_partition": lambda wildcards: of_gpu(site.gpu_partition)(wildcards) or site.partition,
            "slurm_account": lambda wildcards: site.account,
            "constraint": lambda wildcards: site.constraint,
            "slurm_extra": lambda wildcards, attempt: self._after(rule, wildcards) if attempt == 1 else None,
        }

    def _minutes(self, rule: str, wildcards: Any) -> int:  # noqa: ANN401
        shard = self._shard(rule, wildcards)
        if shard is None:
            return UNKNOWN_MINUTES
        asked = max(LEAST_MINUTES, ceil((START + shard["seconds"]) * MARGIN / 60))
        return asked if rule == "train" else max(asked, UNKNOWN_MINUTES)

    def _megabytes(self, rule: str, wildcards: Any) -> int:  # noqa: ANN401
        shard = self._shard(rule, wildcards)
        return BASE_MB + ceil(1.5 * shard["megabytes"]) if shard else UNKNOWN_MB

    def _shard(self, rule: str, wildcards: Any) -> dict[str, float] | None:  # noqa: ANN401
        if rule in ("cube", "verdict"):
            return None
        name = wildcards.study
        if name not in self._estimates:
            path = estimates_path(self.plan, name)
            self._estimates[name] = read_json(path)["shards"] if path.is_file() else {}
        digest = wildcards.digest if rule == "train" else self.plan.shard_of(name, wildcards.digest)
        return self._estimates[name].get(digest)

    # Jobs of a killed Snakemake.

    def _after(self, rule: str, wildcards: Any) -> str | None:  # noqa: ANN401
        """Makes a job wait for the one that a killed Snakemake has left for the same file, which may finish it."""
        left = self._orphans.get((rule, wildcards.study, wildcards.digest))
        return f"--dependency=afterany:{':'.join(left)}" if left else None

    @cached_property
    def _orphans(self) -> dict[tuple[str, ...], list[str]]:
        """Jobs of this folder that live before this Snakemake has submitted any; asked once, never inside a job."""
        found: dict[tuple[str, ...], list[str]] = {}
        if "SLURM_JOB_ID" not in os.environ:
            for job in jobs_of(Path.cwd()):
                found.setdefault((job.rule, job.study, job.digest), []).append(job.number)
        return found


def estimates_path(plan: Plan, name: str) -> Path:
    """Where the estimates of a study's shards are."""
    return plan.settings.results / "plans" / f"{name}-{plan.settings.scale}.json"


@dataclass(frozen=True)
class Job:
    """One job of ours in SLURM's queue."""

    number: str
    state: str
    rule: str
    study: str
    digest: str


def jobs_of(folder: Path) -> Iterator[Job]:
    """Our jobs in SLURM's queue that were submitted from a folder; none where there is no SLURM."""
    if shutil.which("squeue") is None:
        return
    try:
        lines = asked("squeue", "--me", "--noheader", "--format=%i|%T|%Z|%k").splitlines()
    except AtlasError:
        return
    for line in lines:
        number, state, where = line.split("|", 2)
        where, _, comment = where.rpartition("|")
        named = re.fullmatch(r"rule_([a-z]+)_wildcards_(\w+)_([0-9a-f]{20})", comment)
        if named and Path(where).is_relative_to(folder):  # Snakemake may be started in a folder of the checkout
            yield Job(number, state, *named.groups())


def asked(*command: str) -> str:
    """What a SLURM command prints.

    Raises:
        AtlasError: it is not there, fails, or does not answer within half a minute.
    """
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=30)
    except FileNotFoundError:
        raise AtlasError(f"{command[0]}: no such command: is this a SLURM login node?") from None
    except subprocess.TimeoutExpired:
        raise AtlasError(f"{command[0]}: no answer within 30 s") from None
    if done.returncode:
        raise AtlasError(f"{command[0]}: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return done.stdout


def find_site(account: str | None = None, partition: str | None = None, gpu_partition: str | None = None) -> Site:
    """What ``sinfo`` and ``sacctmgr`` say of this cluster, for what is not given.

    Args:
        account: who pays; the user's default account.
        partition: for jobs without GPU; the cluster's default partition.
        gpu_partition: for trainings; one that has GPUs and is not the default, if there is one.

    Raises:
        AtlasError: there is no SLURM, or it does not answer.
        InputError: no such partition, or one without GPUs.
    """
    said = asked("sinfo", "--noheader", "--format=%P|%l|%m|%G").splitlines()
    found = [_Partition.read(*(part.strip() for part in line.split("|"))) for line in said]
    if not found:
        raise AtlasError("sinfo: no partition that you may use")
    plain = _chosen("--partition", found, partition, lambda each: each.default) or found[0]
    with_gpu = [each for each in found if each.gpu is not None]
    best = _chosen("--gpu-partition", with_gpu, gpu_partition, lambda each: not each.default)
    best = best or next(iter(with_gpu), None)
    site = Site(account=account or _account(), partition=plain.name, max_minutes=plain.minutes)
    site = replace(site, max_mb=_smallest(found, plain.name))
    if best is None:
        return site
    own = {"gpu_partition": best.name, "gpus": 1, "gpu_model": best.gpu or None, "gpu_max_minutes": best.minutes}
    return replace(site, **own, gpu_max_mb=_smallest(with_gpu, best.name))


def _chosen(
    where: str, found: list["_Partition"], name: str | None, good: Callable[["_Partition"], bool]
) -> "_Partition | None":
    if name is not None and name not in {each.name for each in found}:
        raise unknown(where, "partition", name, {each.name for each in found})
    return next((each for each in found if (good(each) if name is None else each.name == name)), None)


@dataclass(frozen=True)
class _Partition:
    """Nodes of one kind in one partition, as ``sinfo`` shows them; ``gpu`` is a model, "" (not said) or None (none)."""

    name: str
    default: bool
    minutes: int | None
    megabytes: int
    gpu: str | None

    @classmethod
    def read(cls, name: str, limit: str, megabytes: str, gres: str) -> "_Partition":
        gpu = re.match(r"gpu(?::([A-Za-z][\w.]*))?:\d+", gres)
        memory = int(megabytes.rstrip("+"))
        return cls(name.rstrip("*"), name.endswith("*"), minutes_of(limit), memory, (gpu[1] or "") if gpu else None)


def _smallest(found: list[_Partition], name: str) -> int:
    return min(each.megabytes for each in found if each.name == name)


def _account() -> str | None:
    try:
        me = os.environ.get("USER") or asked("id", "-un").strip()
        names = asked("sacctmgr", "-nP", "show", "user", me, "format=defaultaccount").split()
    except AtlasError:
        return None  # a cluster without accounting
    return names[0] if names else None


def minutes_of(limit: str) -> int | None:
    """Minutes of a SLURM time limit: ``D-HH:MM:SS``, ``HH:MM:SS``, ``MM:SS``; None for infinite."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit)
    if found is None:
        return None
    days, hours, minutes, _ = (int(part or 0) for part in found.groups())
    return (days * 24 + hours) * 60 + minutes
