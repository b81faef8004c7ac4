"""Where a figure or page comes from, written into the file itself: its signature."""

import html
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlatlas import __version__
from dlatlas.declare.cite import cite, collection
from dlatlas.declare.lab import Lab
from dlatlas.errors import InputError
from dlatlas.identity import content as identity
from dlatlas.identity.code import SOURCE, imports
from dlatlas.identity.git import head
from dlatlas.planning.plan import Plan

if TYPE_CHECKING:
    import xarray as xr

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def provenance(study: str, scale: str, digests: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """A signature: commit and its date, study, scale, digests, and the command that makes the file again.

    It holds nothing of the clock or the machine, so that equal input gives equal files.

    Args:
        study: the study, or all of them joined by commas.
        scale: smoke, laptop or cluster.
        digests: name -> digest of what the file shows.
        now: `dlatlas.identity.git.head` of the checkout.
    """
    return {
        "atlas": __version__,
        "study": study,
        "scale": scale,
        **now,
        **digests,
        "again": f"snakemake --cores all --config studies={study} scale={scale}",
    }


def entered(plan: Plan, names: Iterable[str] = ()) -> list[Path]:
    """The files here on which the results of some studies depend; an instrument that is installed is none of them.

    All modules of the packages count: one that is not imported today may be so tomorrow. So does all else that digests
    follow: a file beside the package, or on ``PYTHONPATH``.

    Args:
        plan: the plan.
        names: the studies; the plan's if none.
    """
    lab = plan.lab
    code = [*lab.folder.rglob("*.py"), *(SOURCE.rglob("*.*") if SOURCE.is_relative_to(lab.root.resolve()) else ())]
    files = [lab.root / "pyproject.toml", plan.settings.pointer, lab.bibliography, lab.folder / "documents.yaml"]
    files += [path for path in code if not path.match("__pycache__/*") and path.suffix != ".pyc"]
    shown = [path for path in files if path.is_file() and not any(part.startswith(".") for part in _below(lab, path))]
    names = list(names) or plan.names
    beside = (path for name in names for path in imports([lab.module(name)], lab.folder.parent))
    return sorted({*shown, *beside, *(plan.params[name] for name in names)})


def _below(lab: Lab, path: Path) -> tuple[str, ...]:
    return path.relative_to(lab.root).parts if path.is_relative_to(lab.root) else ()


def figure_signature(plan: Plan, study: str, cube: "xr.Dataset", digest: str) -> str:
    """The signature of a study's figure, drawn from a cube of that digest."""
    codes = identity.digest(plan.codes(study))
    digests = {"cube": digest, "params": plan.stage_digest(study, "cube"), "code": codes}
    record = provenance(study, plan.settings.scale, digests, head(plan.settings.root, entered(plan)))
    record["versions"] = json.loads(cube.attrs.get("versions", "{}"))
    shown = plan.sweep(study).study
    record["cite"] = cite(shown, plan.lab.papers(shown), collection(plan.lab.root), record)
    return signed(record)


def signed(signature: Mapping[str, Any]) -> str:
    """A signature as text: JSON, sorted, ASCII, and safe inside an HTML script element."""
    return json.dumps(signature, sort_keys=True).replace("<", "\\u003c")


def read_signature(path: Path) -> dict[str, Any]:
    """What an SVG, PNG or HTML file of ours says of itself, recognised by its content, not its name.

    Raises:
        InputError: not a file of ours, or a signature that is not whole.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    text = _png_text(path) if content.startswith(PNG_MAGIC) else _markup_text(content)
    if text is None or not text.startswith("{"):
        raise InputError(f"{path}: not a file of the atlas: it carries no signature")
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: its signature cannot be read ({error}); delete it and run again") from None
    if "again" not in record:
        raise InputError(f"{path}: not a file of the atlas: its signature is of another program")
    return record


def _png_text(path: Path) -> str | None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return image.info.get("Description")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise InputError(f"{path}: not a whole PNG file ({error})") from None


def _markup_text(content: bytes) -> str | None:
    text = content.decode("utf-8", errors="replace")
    page = re.search(r'<script type="application/json" id="signature">(.*?)</script>', text, re.DOTALL)
    if page:
        return page[1]
    figure = re.search(r"<dc:description>(.*?)</dc:description>", text, re.DOTALL)
    return html.unescape(figure[1]) if figure else None
