"""The params files' reference, made from the schema itself: ``python -m dlatlas.declare.reference`` writes it anew."""

import json
from pathlib import Path

from pydantic import BaseModel

from dlatlas.declare.parameter import SEED, TRAINING
from dlatlas.declare.params import Geomspace, Linspace, Logspace, Params, Range, Scale
from dlatlas.declare.registry import INSTRUMENT, named
from dlatlas.identity.store import write_bytes

ROOT = Path(__file__).resolve().parents[3]


def schema() -> str:
    """The JSON schema of a params file, for editors (``# yaml-language-server: $schema=schema.json``)."""
    tree = Params.model_json_schema()
    tree["properties"]["measures"]["items"]["enum"] = list(named("measures", (INSTRUMENT,)))
    return json.dumps(tree, indent=1, ensure_ascii=False) + "\n"


def tables() -> str:
    """The same as Markdown: keys, forms of an axis, the hyper-parameters of every trained run, the measures."""
    lines = [
        "# Params files",
        "",
        "One file a study, `params/<chapter>/<study>.yaml`. `python -m dlatlas.declare.reference` makes this page;",
        "a test keeps it so. Editors complete and check the files through `params/schema.json`.",
        "",
        "The files are YAML 1.2 in UTF-8. What readers of 1.1 take for another value (`0100`, `1_000`, `1:30`, `on`,",
        "a date) is refused, with what to write instead: a number in plain digits, a word in quotes.",
        "",
        "## Keys",
        "",
        "| key | what it is |",
        "| --- | --- |",
        *_fields(Params),
        "",
        "Under each scale (`smoke`, `laptop`, `cluster`):",
        "",
        "| key | what it is |",
        "| --- | --- |",
        *_fields(Scale),
        "",
        "## Forms of an axis",
        "",
        "| form | values |",
        "| --- | --- |",
        "| `[a, b, c]` | as listed |",
        *(f"| `{form.__name__.lower()}` | {(form.__doc__ or '').strip()} |" for form in AXES),
        "",
        "On a whole-number hyper-parameter the points are rounded, and equal ones kept once.",
        "",
        "## Hyper-parameters of every trained run",
        "",
        "A study adds its own; `dlatlas show STUDY` lists them.",
        "",
        "| name | default | allowed | meaning |",
        "| --- | --- | --- | --- |",
        *(f"| `{n}` | `{p.default}` | {p.allowed()} | {_cell(p.meaning)} |" for n, p in {**SEED, **TRAINING}.items()),
        "",
        "## Measures",
        "",
        ", ".join(f"`{name}`" for name in named("measures", (INSTRUMENT,))) + ".",
        "",
    ]
    return "\n".join(lines)


AXES: tuple[type[BaseModel], ...] = (Range, Linspace, Geomspace, Logspace)

FILES = {"params/schema.json": schema, "docs/params.md": tables}


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _fields(model: type[BaseModel]) -> list[str]:
    return [f"| `{name}` | {field.description} |" for name, field in model.model_fields.items()]


if __name__ == "__main__":
    for name, make in FILES.items():
        write_bytes(ROOT / name, make().encode())
