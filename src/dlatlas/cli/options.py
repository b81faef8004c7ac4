"""What the commands for people and those for the rules share: their options, their errors in one line, the plan."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from dlatlas.declare.lab import check_instrument, installed
from dlatlas.errors import AtlasError
from dlatlas.planning.paths import home


def checkout() -> Path:
    """The lab that the working directory lies in, found as git does; else the one that this package came with."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "Snakefile").is_file() and (folder / "params").is_dir():
            return folder
    return installed()


ROOT = checkout()
"""The checkout that commands work on."""
HOME = home(ROOT)
"""Where results and logs are: the checkout from any folder in it, else right here."""

StudyName = Annotated[str, typer.Argument(help="The study's name, as `dlatlas list` shows it.")]
Params = Annotated[Path, typer.Option(help="Folder of params files.")]
Data = Annotated[Path, typer.Option(help="Folder of prepared data sets.")]
Results = Annotated[Path, typer.Option(help="Folder of results.")]
ScaleName = Annotated[str, typer.Option(help="smoke (seconds), laptop (a minute) or cluster.")]


def plain_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Tells an AtlasError in one line and exits with 1; Ctrl-C exits with 130."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        try:
            check_instrument(ROOT)
            return command(*args, **kwargs)
        except AtlasError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            typer.echo("interrupted: nothing half-written; run again to go on", err=True)
            raise typer.Exit(130) from None

    return wrapped


def plan_at(params: Path, data: Path, results: Path, scale: str, studies: str = "") -> Any:  # noqa: ANN401
    """The plan for these folders, scale and studies; all studies if none are named."""
    from dlatlas.planning.plan import Plan, Settings

    config = {"params": params, "data": data, "results": results, "scale": scale, "studies": studies}
    return Plan(Settings.read(config, ROOT))
