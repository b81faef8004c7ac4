"""A new study: one params file and one Python file that run at once."""

from pathlib import Path
from string import Template

from dlatlas.declare import bibliography
from dlatlas.declare.lab import SHARED, Lab, check_name
from dlatlas.errors import InputError
from dlatlas.identity.store import write_bytes

TEMPLATES = Path(__file__).parent / "templates"


def write_study(name: str, lab: Lab, params: Path, chapter: str = "") -> list[Path]:
    """Writes ``<params>/<chapter>/<name>.yaml`` and ``<package>/<chapter>/<name>.py`` from the templates.

    The paper that they name is added to the lab's BibTeX file if it is not there yet.

    Args:
        name: the study's name.
        lab: where its Python file goes.
        params: the folder of params files.
        chapter: the folder in both, "" for none.

    Raises:
        InputError: a name that is no Python module name, or one that is taken, or a BibTeX file that cannot be read;
            nothing is written then.
    """
    name, chapter = name.replace("-", "_"), chapter.replace("-", "_")
    if chapter in SHARED:
        raise InputError(f"chapter: {chapter} holds what studies share; found {chapter!r}")
    for what, word in (("study name", name), *([("chapter", chapter)] if chapter else [])):
        check_name(word, what)
    if name in SHARED:
        raise InputError(f"study name: {lab.package}.{name} is what studies share; call it otherwise")
    if name in lab.chapters.values():
        raise InputError(f"study name: {name} is a chapter; call it otherwise")
    targets = {
        params / chapter / f"{name}.yaml": "params.yaml",
        lab.folder / chapter / f"{name}.py": "study.py.txt",
    }
    for path in targets:
        if path.exists() or name in lab.chapters:
            raise InputError(f"{path.name}: a study named {name} exists already; nothing was written")
    papers = _with_papers(lab.bibliography)
    source, *_ = [lab.near(path) for path in targets if path.suffix == ".py"]
    schema = "../schema.json" if chapter else "schema.json"
    for path, template in targets.items():
        text = Template((TEMPLATES / template).read_text(encoding="utf-8"))
        write_bytes(path, text.substitute(name=name, source=source, schema=schema).encode())
    if papers:
        write_bytes(lab.bibliography, papers.encode())
    return [*targets, lab.bibliography] if papers else list(targets)


def _with_papers(path: Path) -> str:
    """A BibTeX file's text and, after it, the template's entry; "" if it has that already."""
    ours = TEMPLATES / "references.bib"
    if not path.is_file():
        return ours.read_text(encoding="utf-8")
    if bibliography.keys(ours) <= bibliography.keys(path):
        return ""
    return "\n".join([path.read_text(encoding="utf-8"), ours.read_text(encoding="utf-8")])
