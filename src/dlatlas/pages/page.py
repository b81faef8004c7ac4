"""The atlas: a static page over all studies, and one for each; opens from disk, asks nothing of a network."""

import io
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from latex2mathml.converter import convert
from markupsafe import Markup

from dlatlas.declare.bibliography import Paper
from dlatlas.declare.cite import cite, collection
from dlatlas.declare.lab import Lab
from dlatlas.declare.outcome import OUTCOMES, SIGNS
from dlatlas.declare.source import said
from dlatlas.errors import AtlasError, InputError
from dlatlas.identity.git import head
from dlatlas.identity.store import read_json, write_bytes
from dlatlas.judging.digest import claim_digest
from dlatlas.judging.history import changed, mark, past
from dlatlas.judging.verdict import told
from dlatlas.pages import numbers
from dlatlas.pages.bar import bar
from dlatlas.planning.cost import cost
from dlatlas.planning.plan import Plan
from dlatlas.planning.provenance import entered, provenance, read_signature, signed

TEMPLATES = Path(__file__).parent / "templates"
THUMBNAIL = 480
"""Pixels across."""


def build_page(plan: Plan) -> list[Path]:
    """Writes the front page, contents, disagreements, a page a study, and the figures; returns what was written.

    Shown are the plan's studies and all others of the lab that have results, each at the scale of these.

    Raises:
        InputError: a study without verdict or figure, by file.
    """
    folder = plan.page.parent
    studies = _entries(plan)
    names = [study["name"] for study in studies]
    made: list[Path] = []

    def write(name: str, content: str | bytes) -> None:
        write_bytes(folder / name, content.encode() if isinstance(content, str) else content)
        made.append(folder / name)

    environment, now = _environment(), head(plan.settings.root, entered(plan, names))

    def signature(names: list[str], scale: str, shown: Mapping[str, Any]) -> Markup:
        return Markup(signed(provenance(",".join(names), scale, shown, now)))  # noqa: S704

    for name in ("style.css", "atlas.js"):
        write(name, (TEMPLATES / name).read_bytes())
    tally = {word: sum(study["verdict"] == word for study in studies) for word in SIGNS}
    kinds = sorted({study["kind"] for study in studies})
    chapters = _chapters(plan.lab, studies)
    scale = plan.settings.scale
    own = [study["name"] for study in studies if study["scale"] == scale]  # which one command makes again
    everything = signature(own, scale, {"cubes": {s["name"]: s["provenance"]["cube"] for s in studies}})
    write("index.html", environment.get_template("index.html").render(
        studies=studies, tally=tally, kinds=kinds, chapters=[chapter["name"] for chapter in chapters],
        scale=scale,
        runs=sum(study["runs"] for study in studies), claims=sum(len(study["claims"]) for study in studies),
        outcomes=OUTCOMES, chance=sum(study["by_chance"] for study in studies),
        decided=sum(claim["verdict"] != "undecided" for study in studies for claim in study["claims"]),
        near=sum(claim["close"] for study in studies for claim in study["claims"]), signature=everything,
    ))  # fmt: skip
    write("contents.html", environment.get_template("contents.html").render(
        chapters=chapters, papers=_papers(studies), documents=_documents(plan.lab, studies), claims=_claims(studies),
        signature=everything,
    ))  # fmt: skip
    open_claims = [
        {**study, "claims": [claim for claim in study["claims"] if claim["verdict"] != "supported"]}
        for word in SIGNS
        for study in studies
        if study["verdict"] == word and study["supported"] < len(study["claims"])
    ]
    open_claims.sort(key=lambda study: -sum(claim["verdict"] == "contradicted" for claim in study["claims"]))
    write("disagreements.html", environment.get_template("disagreements.html").render(
        studies=open_claims, claims=sum(len(study["claims"]) for study in open_claims), scale=scale,
        signature=everything,
    ))  # fmt: skip
    for place, study in enumerate(studies):
        around = {"before": studies[place - 1], "after": studies[(place + 1) % len(studies)]}
        drawn = study["provenance"]
        kept = {key: drawn[key] for key in ("cube", "params", "code", "versions") if key in drawn}
        kept |= {"figure_commit": drawn["commit"], "cite": study["cite"]}
        around["signature"] = signature([study["name"]], study["scale"], kept)
        write(f"{study['name']}.html", environment.get_template("study.html").render(study=study, **around))
        home = plan.home(study["name"])
        write(f"{study['name']}.svg", (home / "figure.svg").read_bytes())
        write(f"{study['name']}.png", _thumbnail(home / "figure.png", signed(drawn)))
    return made


def _chapters(lab: Lab, studies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The chapters that have studies, in the order that the studies' package gives them, others by name."""
    order = getattr(import_module(lab.package), "CHAPTERS", ())
    names = dict.fromkeys([*order, *sorted({study["chapter"] for study in studies})])
    found = [
        {**dict(zip(("title", "story"), lab.story(name))), "name": name, "studies": held}
        for name in names
        if (held := [study for study in studies if study["chapter"] == name])
    ]
    return found


def _papers(studies: list[dict[str, Any]]) -> list[tuple[Paper, list[dict[str, Any]]]]:
    """Every paper with the studies that test it, by author."""
    found: dict[Paper, list[dict[str, Any]]] = {}
    for study in studies:
        for paper in study["papers"]:
            found.setdefault(paper, []).append(study)
    return sorted(found.items(), key=lambda item: (item[0].authors.lower(), item[0].year))


def _documents(lab: Lab, studies: list[dict[str, Any]]) -> list[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """The documents that ``documents.yaml`` beside the studies lists, with what each says of the rows of studies."""
    path = lab.folder / "documents.yaml"
    listed = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else []
    of_row = {row: study for study in studies for row in study["rows"]}
    found = [
        (each["title"], [(text, of_row[row]) for row, text in each["passages"].items() if row in of_row])
        for each in listed
    ]
    return [(title, passages) for title, passages in found if passages]


def _claims(studies: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every claim with its study, by name."""
    return sorted(((c, s) for s in studies for c in s["claims"]), key=lambda item: item[0]["name"].lower())


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "number": numbers.number,
        "whole": numbers.whole,
        "duration": numbers.duration,
        "size": numbers.size,
        "sign": SIGNS.__getitem__,
        "slug": lambda word: word.replace(" ", "-"),
        "p": told,
        "words": lambda name: name.replace("_", " ").replace("-", " "),
    }
    return environment


def _entries(plan: Plan) -> list[dict[str, Any]]:
    """What the pages say of each study, by name; one outside the plan that cannot be shown is left out, and said."""
    found = {name: _entry(plan, name) for name in plan.names}
    for name, (scale, _) in plan.others.items():
        try:
            found[name] = _entry(plan.at(scale, name), name)
        except AtlasError as error:
            sys.stderr.write(f"{name}: not on the page: {error}\n")
    return [found[name] for name in sorted(found)]


def _entry(plan: Plan, name: str) -> dict[str, Any]:
    """All that the pages say of one study."""
    sweep, home = plan.sweep(name), plan.home(name)
    study = sweep.study
    papers = plan.lab.papers(study)
    for file in ("verdict.json", "figure.svg", "figure.png", "cube.zarr"):
        if not (home / file).exists():
            raise InputError(f"{home / file}: missing; `snakemake --cores all` makes it")
    record, signature = read_json(home / "verdict.json"), read_signature(home / "figure.svg")
    known = study.all_parameters()
    ledger = plan.settings.root / "results" / "ledger" / f"{name}.json"
    history = past(read_json(ledger)) if ledger.is_file() else []
    digests = {claim.name: claim_digest(claim, study) for claim in study.claims}
    for claim in record["claims"]:
        claim["bar"] = Markup(bar(claim))  # noqa: S704  our own numbers
        claim["allowed"] = _allowed(*claim["bounds"])
        claim["source"] = said(claim["source"], papers)
        claim["mark"] = mark(digests.get(claim["name"], ""), record["seeds"], history)
    return {
        "name": name,
        "title": study.title,
        "kind": study.kind,
        "chapter": study.chapter,
        "rows": study.rows,
        "statement": study.says,
        "formula": Markup(convert(study.formula, display="block")),  # noqa: S704  MathML
        "papers": papers,
        "caption": study.caption,
        "about": study.about,
        "verdict": record["verdict"],
        "claims": record["claims"],
        "supported": sum(claim["verdict"] == "supported" for claim in record["claims"]),
        "identities": [{**each, "source": said(each["source"], papers)} for each in record["identities"]],
        "by_chance": record["by_chance"],
        "before": changed(record, history),
        "runs": record["runs"],
        "status": {word: count for word, count in record["status"].items() if count or word == "ok"},
        "scale": record["scale"],
        "axes": [
            (column, known[column].meaning, values)
            for columns in sweep.dims.values()
            for column, values in columns.items()
        ],
        "fixed": [(key, value, known[key].meaning) for key, value in sweep.fixed.items()],
        "measures": sweep.measures,
        "variables": _variables(home / "cube.zarr"),
        "cube_size": sum(path.stat().st_size for path in (home / "cube.zarr").rglob("*") if path.is_file()),
        "cost": _cost(plan, name),
        "provenance": signature,
        "cite": cite(study, papers, collection(plan.lab.root), signature),
        "search": " ".join([study.says, *(paper.cite() for paper in papers)]).lower(),
    }


def _allowed(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"≤ {numbers.number(high)}" if low is None else f"≥ {numbers.number(low)}"
    return f"{numbers.number((low + high) / 2)} ± {numbers.number((high - low) / 2)}"


def _variables(cube: Path) -> list[dict[str, Any]]:
    """Name, dimensions, units and meaning of each variable, from the metadata alone."""
    metadata = read_json(cube / "zarr.json")["consolidated_metadata"]["metadata"]
    return [
        {"name": name, "dims": item.get("dimension_names") or [], **item["attributes"]}
        for name, item in sorted(metadata.items())
        if item["node_type"] == "array" and "long_name" in item["attributes"]
    ]


def _cost(plan: Plan, name: str) -> dict[str, Any]:
    """From the cube's stamp, which a pulled cube has too, unlike its shards."""
    stamp = plan.stamp(name, "cube")
    held = read_json(stamp).get("cost") if stamp.is_file() else None
    return {**(held or cost(plan.cube_inputs(name))), "shards": len(plan.sweep(name).shards)}


def _thumbnail(figure: Path, signature: str) -> bytes:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    with Image.open(figure) as image:
        small = image.convert("RGB").resize((THUMBNAIL, round(image.height * THUMBNAIL / image.width)), Image.LANCZOS)
    buffer = io.BytesIO()
    info = PngInfo()
    info.add_text("Description", signature)
    small.quantize(256, kmeans=2).save(buffer, format="PNG", optimize=True, pnginfo=info)
    return buffer.getvalue()
