"""A new study: one params file and one Python file that run at once."""

import re
from pathlib import Path
from string import Template

from dlatlas.errors import InputError
from dlatlas.store import write_bytes
from dlatlas.study import study_names

TEMPLATES = Path(__file__).parent / "templates"
STUDIES = Path(__file__).parents[1] / "studies"


def write_study(name: str, params: Path, studies: Path = STUDIES) -> list[Path]:
    """Writes ``<params>/<name>.yaml`` and ``<studies>/<name>.py`` from the templates.

    Raises:
        InputError: a name that is no Python module name, or one that is taken; nothing is written then.
    """
    name = name.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(f"study name: expected lower-case words joined by underscores, found {name!r}")
    targets = {params / f"{name}.yaml": "params.yaml", studies / f"{name}.py": "study.py.txt"}
    for path in targets:
        if path.exists() or name in study_names():
            raise InputError(f"{path.name}: a study named {name} exists already; nothing was written")
    for path, template in targets.items():
        text = Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(name=name)
        write_bytes(path, text.encode())
    return list(targets)
