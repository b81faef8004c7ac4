"""What the Snakemake rules call: each stage of the pipeline as one command, `python -m dlatlas job STAGE`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from dlatlas.cli.options import Data, Params, Results, ScaleName, StudyName, plain_errors, plan_at
from dlatlas.declare.registry import INSTRUMENT

job = typer.Typer(hidden=True, help="One step of the pipeline, as the Snakemake rules call it.")


@job.command()
@plain_errors
def prepare(params: Params, data: Data, results: Results, scale: ScaleName) -> None:
    """Makes the data sets."""
    from dlatlas.data.prepare import prepare as make

    plan = plan_at(params, data, results, scale)
    make(data, plan.settings.pointer, (INSTRUMENT, plan.lab.package))
    plan.write_stamp(plan.data_stamp, [], {"stage": "prepare", "data": [path.name for path in data.iterdir()]})


@job.command()
@plain_errors
def train(
    study: StudyName,
    digest: str,
    params: Params,
    data: Data,
    results: Results,
    scale: ScaleName,
) -> None:
    """Trains, solves or samples one shard."""
    plan = plan_at(params, data, results, scale, study)
    from dlatlas.data.prepare import verify
    from dlatlas.training.job import compute_shard, failures

    if plan.needs_data(study):
        verify(data, plan.settings.pointer)
    sweep, shard = plan.sweep(study), plan.shard(study, digest)
    manifest = compute_shard(sweep, shard, plan.home(study) / "shards", data)
    told = ", ".join(f"{number:,} {word}" for word, number in manifest["status"].items() if number)
    sys.stdout.write(f"{study}: {told}; {manifest['reused']:,} reused; {manifest['seconds']:.1f} s\n")
    for line in failures(sweep, shard, manifest):
        sys.stdout.write(f"{study}: {line}\n")


@job.command()
@plain_errors
def measure(
    study: StudyName,
    digest: str,
    params: Params,
    data: Data,
    results: Results,
    scale: ScaleName,
) -> None:
    """Measures one trained shard."""
    plan = plan_at(params, data, results, scale, study)
    from dlatlas.measures.job import measure_shard

    shard = plan.shard_of(study, digest)
    path = plan.home(study) / "measures" / f"{digest}.json"
    measure_shard(plan.sweep(study), plan.shard(study, shard), plan.shard_manifest(study, shard), path, data)


@job.command()
@plain_errors
def cube(study: StudyName, params: Params, data: Data, results: Results, scale: ScaleName) -> None:
    """Assembles one cube."""
    from dlatlas.cubes.assembly import assemble, gather
    from dlatlas.cubes.cube import write_cube
    from dlatlas.identity.content import digest
    from dlatlas.identity.store import only_one
    from dlatlas.planning.cost import cost
    from dlatlas.training.job import forget_leftovers

    plan = plan_at(params, data, results, scale, study)
    home = plan.home(study)
    path = home / "cube.zarr"
    with only_one(path):
        pieces, variables = gather(plan.sweep(study), home, plan.measured(study))
        files = write_cube(assemble(plan.sweep(study), pieces, variables), path)
        made_of = [str(source.relative_to(home)) for source in plan.cube_inputs(study)]
        record = {"stage": "cube", "digest": digest(files), "made_of": made_of, "files": files}
        record["cost"] = cost(plan.cube_inputs(study))
        plan.write_stamp(plan.stamp(study, "cube"), [path], record)
    for folder in ("shards", "measures"):
        forget_leftovers(home / folder)


@job.command()
@plain_errors
def verdict(study: StudyName, params: Params, data: Data, results: Results, scale: ScaleName) -> None:
    """Judges one study."""
    from dlatlas.identity.store import setting_aside, write_json
    from dlatlas.judging.check import judged
    from dlatlas.judging.verdict import summary

    plan = plan_at(params, data, results, scale, study)
    path = plan.home(study) / "verdict.json"
    with setting_aside(plan.home(study) / "cube.zarr"):
        record = judged(plan.lab.study(study), plan.home(study))
    write_json(path, record)
    plan.write_stamp(plan.stamp(study, "verdict"), [path], {"stage": "verdict", "cube": record["cube"]})
    sys.stdout.write(summary(record) + "\n")


@job.command()
@plain_errors
def figure(study: StudyName, params: Params, data: Data, results: Results, scale: ScaleName) -> None:
    """Draws one study."""
    from dlatlas.identity.git import OUTSIDE
    from dlatlas.identity.store import read_json, setting_aside
    from dlatlas.judging.check import verified_cube
    from dlatlas.planning.provenance import figure_signature
    from dlatlas.plotting.draw import draw

    plan = plan_at(params, data, results, scale, study)
    home = plan.home(study)
    with setting_aside(home / "cube.zarr"):
        opened, digest = verified_cube(home)
    record = read_json(home / "verdict.json")
    signature = figure_signature(plan, study, opened, digest)
    unknown = json.loads(signature).get("unknown", OUTSIDE)
    if unknown != OUTSIDE:
        sys.stderr.write(f"{study}: its figure names no commit: {unknown}\n")
    made = draw(plan.sweep(study).study, opened, record, home, signature)
    plan.write_stamp(plan.stamp(study, "figure"), made, {"stage": "figure", "cube": digest})


@job.command()
@plain_errors
def atlas(
    studies: Annotated[str, typer.Option()],
    stamp: Annotated[Path, typer.Option()],
    params: Params,
    data: Data,
    results: Results,
    scale: ScaleName,
) -> None:
    """Builds the page; the stamp is the one that was planned, whatever else has been made meanwhile."""
    from dlatlas.pages.page import build_page

    plan = plan_at(params, data, results, scale, studies)
    made = build_page(plan)
    plan.write_stamp(plan.page.parent / "stamps" / stamp.name, made, {"stage": "atlas"})
    sys.stdout.write(f"open {plan.page}\n")
