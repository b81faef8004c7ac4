"""Two figures of one study, compared: bytes, pixels, and side by side."""

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dlatlas.reproduction.compare import Difference, Outcome


def compare_figures(was: Path, now: Path, drawn_from: Outcome | None) -> list[Difference] | None:
    """What differs between the figures in two folders, signatures left out; None if one folder has none.

    A figure that differs is within tolerance if the numbers that it shows are, and not identical: then it should
    differ. If they are identical, the drawing has changed.

    Args:
        was: a folder with ``figure.svg`` and ``figure.png``.
        now: another.
        drawn_from: the worse of the outcomes of cube and verdict.
    """
    kinds = [kind for kind in ("svg", "png") if (was / f"figure.{kind}").is_file()]
    if not kinds or not any((now / f"figure.{kind}").is_file() for kind in kinds):
        return None
    outcome: Outcome = "within tolerance" if drawn_from == "within tolerance" else "different"
    found = []
    for kind in kinds:
        old, new = was / f"figure.{kind}", now / f"figure.{kind}"
        if not new.is_file():
            found.append(Difference(old.name, "different", "missing"))
        elif kind == "svg" and unsigned(old.read_bytes()) != unsigned(new.read_bytes()):
            found.append(Difference(old.name, outcome, "other bytes"))
        elif kind == "png" and (said := _pixels(old, new)):
            found.append(Difference(old.name, outcome, said))
    return found


def unsigned(svg: bytes) -> bytes:
    """An SVG without the description that holds its signature."""
    return re.sub(rb"<dc:description>.*?</dc:description>", b"", svg, flags=re.DOTALL)


def _pixels(was: Path, now: Path) -> str:
    """How two pictures differ; empty if their pixels are the same."""
    try:
        old, new = _open(was), _open(now)
    except OSError as error:
        return f"not a readable picture ({error})"
    if old.size != new.size:
        return f"{new.width} × {new.height} pixels, was {old.width} × {old.height}"
    changed = (np.asarray(old) != np.asarray(new)).any(-1)
    return f"{changed.mean():.2%} of the pixels" if changed.any() else ""


def _open(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGBA")


def side_by_side(was: Path, now: Path, titles: tuple[str, str]) -> bytes:
    """A PNG of two pictures, and of where they differ (black) if they are of one size.

    Raises:
        OSError: one of them is no picture.
    """
    pictures = [_open(was), _open(now)]
    names = list(titles)
    if pictures[0].size == pictures[1].size:
        changed = (np.asarray(pictures[0]) != np.asarray(pictures[1])).any(-1)
        pale = 0.75 * 255 + 0.25 * np.asarray(pictures[1].convert("L"), dtype=float)
        pictures.append(Image.fromarray(np.where(changed, 0, pale).astype(np.uint8)).convert("RGBA"))
        names.append(f"where they differ: {changed.mean():.2%} of the pixels")
    band = 60
    whole = Image.new("RGB", (sum(p.width for p in pictures), band + max(p.height for p in pictures)), "white")
    pen, left = ImageDraw.Draw(whole), 0
    for picture, name in zip(pictures, names):
        whole.paste(picture, (left, band), picture)
        pen.text((left + 20, 12), name, fill="black", font=ImageFont.load_default(28))
        left += picture.width
    buffer = io.BytesIO()
    whole.save(buffer, format="png")
    return buffer.getvalue()
