"""The command line: what a person types."""

import json
import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Literal

import typer

from dlatlas.cli.jobs import job
from dlatlas.cli.options import HOME, ROOT, Data, Params, Results, ScaleName, StudyName, plain_errors, plan_at
from dlatlas.cli.terminal import write_any_text
from dlatlas.errors import AtlasError

app = typer.Typer(
    help=(
        "The Deep Learning Theory Atlas: claims as sweeps, sweeps as cubes, cubes as figures with a verdict.\n\n"
        "`snakemake --cores all` makes everything; these commands look at it. Start with `dlatlas list`, then "
        "`dlatlas show STUDY`; write your own with `dlatlas new NAME`."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.add_typer(job, name="job")
cluster = typer.Typer(help="Tells the atlas about a SLURM cluster.", no_args_is_help=True)
app.add_typer(cluster, name="cluster")

PARAMS, DATA, RESULTS = ROOT / "params", Path(os.path.relpath(HOME / "data")), Path(os.path.relpath(HOME / "results"))
_HERE = tuple(Path(os.path.relpath(ROOT / folder)) for folder in ("data", "results"))
"""The checkout's own folders, as seen from the working directory."""


@app.callback()
def _begin() -> None:
    write_any_text()


@app.command("list")
@plain_errors
def list_studies(
    params: Params = PARAMS, data: Data = DATA, results: Results = RESULTS, scale: ScaleName = "laptop"
) -> None:
    """All studies: kind, number of runs, verdict."""
    from dlatlas.cli.show import table

    faults = table(plan_at(params, data, results, scale))
    for fault in faults:
        typer.echo(f"error: {fault}", err=True)
    raise typer.Exit(bool(faults))


@app.command()
@plain_errors
def show(
    study: StudyName,
    params: Params = PARAMS,
    data: Data = DATA,
    results: Results = RESULTS,
    scale: ScaleName = "laptop",
) -> None:
    """One study: what is claimed, what is swept, what came out, and where the files are."""
    from dlatlas.cli.show import card

    card(plan_at(params, data, results, scale, study), study.replace("-", "_"))


@app.command()
@plain_errors
def new(
    name: Annotated[str, typer.Argument(help="A name in words_with_underscores, as the catalogue's row.")],
    chapter: Annotated[str, typer.Option(help="The chapter's folder; none if not given.")] = "",
    params: Params = PARAMS,
) -> None:
    """Writes a params file and a Python file named NAME: a small study that runs at once.

    Then `snakemake --cores all --config studies=NAME scale=smoke` makes its cube, verdict, figure and page.
    """
    from dlatlas.cli.scaffold import write_study
    from dlatlas.declare.lab import Lab

    for path in write_study(name, Lab.read(ROOT), params, chapter):
        typer.echo(f"wrote {os.path.relpath(path)}")
    typer.echo(f"now: snakemake --cores all --config studies={name} scale=smoke")


@app.command()
@plain_errors
def check(
    studies: Annotated[
        list[str] | None, typer.Argument(help="Which studies, or archives of `dlatlas export`; all studies if none.")
    ] = None,
    results: Results = RESULTS,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run the sweep again on seeds never used; say what flips.")] = (
        False
    ),
    scale: ScaleName = "laptop",
    cores: Annotated[str, typer.Option(help="With --fresh: as Snakemake's option.")] = "all",
) -> None:
    """Verifies each cube's (or archive's) files and computes its verdict again, from the cube alone.

    Exits with 1 if a file is corrupted or a verdict differs from the one on disk. With --fresh it runs the studies
    again on seeds never used, into results-fresh, and says which verdicts flip.
    """
    from dlatlas.declare.lab import Lab
    from dlatlas.judging.check import check_study
    from dlatlas.publishing.crate import check_archive

    lab = Lab.read(ROOT)
    if fresh:
        from dlatlas.reproduction.fresh import described, report, run_fresh

        plan = plan_at(PARAMS, DATA, results, scale, ",".join(studies or []))
        typer.echo(described(plan, plan.names))
        for line in report(run_fresh(plan, plan.names, cores, typer.echo)):
            typer.echo(line)
        return

    names = [name if name.endswith(".zip") else name.replace("-", "_") for name in studies or []]
    names = names or sorted(path.parent.name for path in results.glob("*/verdict.json"))
    if not names:
        raise AtlasError(f"{results}: no verdicts yet; `snakemake --cores all` makes them")
    bad = 0
    for name in names:
        try:
            typer.echo(
                check_archive(Path(name), lab) if name.endswith(".zip") else check_study(lab.study(name), results)
            )
        except AtlasError as error:
            typer.echo(f"error: {error}", err=True)
            bad += 1
    if bad:
        raise typer.Exit(1)


@app.command()
@plain_errors
def plan(
    studies: Annotated[list[str] | None, typer.Argument(help="Which studies; all if none.")] = None,
    params: Params = PARAMS,
    data: Data = DATA,
    results: Results = RESULTS,
    scale: ScaleName = "cluster",
) -> None:
    """What a sweep will cost: shards, hours, gigabytes; a cluster is then asked for that much.

    Traces a step of each shape or tries some solves, which takes seconds to minutes; nothing is submitted.
    """
    from dlatlas.cli.show import costs

    costs(plan_at(params, data, results, scale, ",".join(studies or [])))


@cluster.command()
@plain_errors
def init(
    account: Annotated[str | None, typer.Option(help="Who pays; what `sacctmgr` says if not given.")] = None,
    partition: Annotated[str | None, typer.Option(help="For jobs without GPU; the default one if not given.")] = None,
    gpu_partition: Annotated[str | None, typer.Option(help="For trainings; one with GPUs if not given.")] = None,
) -> None:
    """Asks `sinfo` and `sacctmgr` and writes workflow/profiles/slurm/site.yaml.

    Then `snakemake --workflow-profile workflow/profiles/slurm --config scale=cluster` runs on the cluster.
    """
    from dlatlas.planning.cluster import SITE, find_site, write_site

    site = find_site(account, partition, gpu_partition)
    write_site(ROOT / SITE, site)
    typer.echo(f"wrote {os.path.relpath(ROOT / SITE)}:")
    typer.echo((ROOT / SITE).read_text(encoding="utf-8").rstrip())


@app.command()
@plain_errors
def status(
    params: Params = PARAMS,
    data: Data = DATA,
    results: Results = RESULTS,
    scale: ScaleName = "laptop",
    studies: Annotated[str, typer.Option(help="Which studies, with commas between; all if not given.")] = "",
    watch: Annotated[bool, typer.Option(help="Stay, and look again every few seconds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """How far it is: shards done, running, waiting and failed, runs a second, time left. From any shell."""
    from dlatlas.cli.status import report, watched

    if as_json:
        with redirect_stdout(sys.stderr):  # what studies, models and measures print is not what was asked for
            seen = report(plan_at(params, data, results, scale, studies))
        typer.echo(json.dumps(seen, indent=1))
    else:
        watched(plan_at(params, data, results, scale, studies), forever=watch)


@app.command()
@plain_errors
def rerun(
    studies: Annotated[list[str], typer.Argument(help="Which studies.")],
    params: Params = PARAMS,
    data: Data = DATA,
    results: Results = RESULTS,
    scale: ScaleName = "laptop",
) -> None:
    """Forgets what was made of studies at a scale, after another torch, say: the next `snakemake` makes it anew."""
    from dlatlas.planning.rerun import forget

    found = plan_at(params, data, results, scale, ",".join(studies))
    for name in found.names:
        typer.echo(f"{name}: {forget(found, name)} shards forgotten; `snakemake --cores all` makes them anew")


@app.command()
@plain_errors
def reproduce(
    commit: Annotated[str, typer.Argument(help="A commit, branch or tag.")],
    studies: Annotated[
        list[str] | None, typer.Argument(help="Which studies; all that the commit's ledger lists if none.")
    ] = None,
    source: Annotated[
        Literal["results", "data", "scratch"],
        typer.Option("--from", help="What is pulled from the DVC remote: results and data, data only, or nothing."),
    ] = "results",
    env: Annotated[
        Literal["lock", "current"] | None,
        typer.Option(help="The commit's own lock file, or the current environment; current if the lock files agree."),
    ] = None,
    scale: Annotated[
        str | None, typer.Option(help="smoke, laptop or cluster; as in the commit's ledger if none.")
    ] = None,
    cores: Annotated[str, typer.Option(help="As Snakemake's.")] = "all",
    remote: Annotated[str | None, typer.Option(help="DVC remote; the default one if none.")] = None,
    results: Results = RESULTS,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the commit's checkout in the cache.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A record for machines on standard output.")] = False,
) -> None:
    """A commit's figures again, by its own code, compared with its ledger, its published results and the results here.

    Exits with 0 if all are identical or within tolerance, with 1 if one differs or there is nothing to compare with.
    """
    from dlatlas.cli.report import record, table
    from dlatlas.identity.store import write_json
    from dlatlas.reproduction.reproduce import Request, reproduce

    begun = time.monotonic()

    def tell(text: str) -> None:
        typer.echo(f"{time.monotonic() - begun:6.1f} s  {text}", err=True)

    request = Request(ROOT, commit, tuple(studies or ()), source, env, scale, cores, results, keep, remote)
    with redirect_stdout(sys.stderr):
        report = reproduce(request, tell)
    said = record(report)
    write_json(results / "reproduced" / report.commit[:12] / "report.json", said)
    if as_json:
        sys.stdout.write(json.dumps(said) + "\n")  # ASCII: on no terminal is a sign written by its like
    else:
        table(report)
    if report.outcome not in ("identical", "within tolerance"):
        raise typer.Exit(1)


@app.command()
@plain_errors
def publish(
    studies: Annotated[
        list[str] | None, typer.Argument(help="Which studies; all of them and the page if none.")
    ] = None,
    remote: Annotated[str | None, typer.Option(help="DVC remote; the default one if none.")] = None,
    scale: ScaleName = "laptop",
) -> None:
    """Puts results into DVC and into results/ledger/, one pointer and one file a study, and pushes them.

    Computes nothing. Refuses uncommitted changes, results that are not up to date, and a verdict or figure whose cube
    is not the one on disk. What is left to you is to commit the pointers and the ledger.
    """
    from dlatlas.publishing.publish import publish as enter

    for line in enter(plan_at(PARAMS, *_HERE, scale, ",".join(studies or [])), remote):
        typer.echo(line)


@app.command()
@plain_errors
def pull(
    studies: Annotated[
        list[str] | None, typer.Argument(help="Which studies; all, the page and the data if none.")
    ] = None,
    remote: Annotated[str | None, typer.Option(help="DVC remote; the default one if none.")] = None,
) -> None:
    """Gets published results from the DVC remote and verifies every cube.

    As `dvc pull`, but the host key of an SSH remote is checked, and a remote that does not verify digests is refused.
    """
    from dlatlas.publishing.publish import pull as get

    for line in get(ROOT, studies or [], remote):
        typer.echo(line)


@app.command()
@plain_errors
def whence(
    file: Annotated[Path, typer.Argument(help="An SVG, PNG or HTML file, or the folder of a cube, wherever it is.")],
) -> None:
    """Where a figure, page or cube comes from: commit, study, digests, versions, and how to make it again.

    Figures and pages say it themselves; a cube is looked up by its digest in the history of results/ledger/.
    Exits with 1 for a file that is not the atlas's, and for a cube whose bytes are not those that were written.
    """
    from dlatlas.publishing.whence import whence as told

    for line in told(file, ROOT):
        typer.echo(line)


@app.command()
@plain_errors
def export(
    study: StudyName,
    to: Annotated[Path | None, typer.Option(help="The archive; STUDY-CUBE.zip here if not given.")] = None,
    scale: ScaleName = "laptop",
) -> None:
    """Writes one published study as one self-contained ZIP archive (RO-Crate 1.1).

    Params, the study's code, cube, verdict, figure, ledger entry and citation; `dlatlas check ARCHIVE` verifies it
    anywhere. Equal results give equal bytes.
    """
    from dlatlas.publishing.crate import export as write

    name = study.replace("-", "_")
    typer.echo(f"wrote {write(plan_at(PARAMS, *_HERE, scale, name), name, to)}")
