"""One study's figure: drawn by the study, finished and signed here."""

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from dlatlas.cubes.cube import with_fixed
from dlatlas.declare.outcome import SIGNS
from dlatlas.declare.study import Study
from dlatlas.errors import AtlasError
from dlatlas.identity.store import write_bytes
from dlatlas.plotting.panels import draw_panels
from dlatlas.plotting.style import STYLE

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

COLORS = {"supported": "#1A7F4B", "contradicted": "#B3261E", "not reproduced": "#A3470B", "undecided": "#8A6100"}
"""A colour for each verdict; sign and word always stand beside it."""


def draw(study: Study, cube: "xr.Dataset", verdict: dict[str, Any], folder: Path, signature: str) -> list[Path]:
    """Draws ``figure.svg`` and ``figure.png`` with the verdict in the corner and the signature inside the files.

    Raises:
        AtlasError: the study's figure function raised, or a panel names what is not there.
    """
    cube = with_fixed(cube.load())
    try:
        with mpl.rc_context(fname=STYLE), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            theory = study.theory(cube)
            figure = study.figure(cube, theory, verdict) if study.figure else draw_panels(study, cube, theory)
            sign(figure, study.title, verdict)
            settle(figure)
            return save(figure, folder, study.title, signature)
    except AtlasError:
        raise
    except Exception as error:
        raise AtlasError(f"study {cube.attrs['study']}: figure: {type(error).__name__}: {error}") from error


def sign(figure: "Figure", title: str, verdict: dict[str, Any]) -> None:
    """The title at the left, the verdict at the right, in a band of their own above the panels."""
    mark, color = SIGNS[verdict["verdict"]], COLORS[verdict["verdict"]]
    claims = verdict["claims"]
    good = sum(claim["verdict"] == "supported" for claim in claims)
    band = 0.36 / figure.get_size_inches()[1]
    figure.get_layout_engine().set(rect=(0.005, 0.0, 0.99, 1 - band))
    look = {"va": "center", "fontweight": "bold"}
    figure.text(0.012, 1 - 0.42 * band, title, ha="left", fontsize=10.5, color="#1B1F24", **look)
    said = f"{mark} {verdict['verdict']} · {good} of {len(claims)} hold"
    figure.text(0.988, 1 - 0.42 * band, said, ha="right", fontsize=10, color=color, **look)


def settle(figure: "Figure") -> None:
    """Lays the panels out once and rounds their edges to a millionth of the figure.

    The solver of the layout goes through its variables by their addresses in memory, so that the last digit of an edge,
    and with it the bytes of the file, would differ from process to process.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for panel in figure.axes:
        panel.set_position([round(float(edge), 6) for edge in panel.get_position().bounds])


def save(figure: "Figure", folder: Path, title: str, signature: str) -> list[Path]:
    """Writes SVG (Dublin Core description) and PNG (text chunk) with the signature; equal input gives equal bytes."""
    made = []
    for kind in ("svg", "png"):
        metadata: dict[str, Any] = {"Title": title, "Description": signature}
        metadata |= (
            {"Creator": "Deep Learning Theory Atlas", "Date": None}
            if kind == "svg"
            else {"Software": "Deep Learning Theory Atlas"}
        )
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, metadata=metadata, dpi=200)
        path = folder / f"figure.{kind}"
        write_bytes(path, buffer.getvalue())
        made.append(path)
    return made
