"""The rooms and the order in which they stand: imports go downwards only, at the top of a file and inside functions."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"

ROOMS = (
    ("errors",),
    ("identity",),
    ("declare",),
    ("planning",),
    ("data", "models", "losses", "optimizers"),
    ("training",),
    ("measures",),
    ("cubes",),
    ("judging",),
    ("plotting",),
    ("pages",),
    ("publishing",),
    ("reproduction",),
    ("cli",),
    ("__main__",),
)
"""From the bottom to the top; rooms on one floor share nothing but what is below them."""
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}

SHARED = ("theory", "models", "data", "losses", "measures")
"""The folders of the atlas that its studies may import from."""


def module_of(path, source=SOURCE):
    """``src/dlatlas/identity/git.py`` -> ``dlatlas.identity.git``; a package is its ``__init__``."""
    parts = path.relative_to(source).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files(package, source=SOURCE):
    return {module_of(path, source): path for path in sorted((source / package).rglob("*.py"))}


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING"


def imports(path, known, *, types=True):
    """Every import of a known module in a file, wherever it stands, ``(module, line)``; ``types``: those for types."""
    found, ahead = [], [ast.parse(path.read_text(encoding="utf-8"))]
    while ahead:
        node = ahead.pop()
        if is_type_checking(node) and not types:
            ahead += node.orelse
            continue
        ahead += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names if alias.name in known]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in known or node.module in known:
                    found.append((inner if inner in known else node.module, node.lineno))
    return found


def room(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def upwards(known, *, types=True):
    """``file:line``, what and why, for every import that goes upwards or to another room of the same floor."""
    said = []
    for module, path in known.items():
        mine = room(module)
        for other, line in imports(path, known, types=types):
            its = room(other)
            if not its or its == mine:
                continue
            if FLOOR[its] >= FLOOR[mine]:
                said.append(f"{path}:{line}: {mine} imports {other}, which does not stand below it")
    return said


def circle(known):
    """A circle of modules, as a text; empty if there is none. Imports for types alone do not run."""
    graph = {module: {other for other, _ in imports(path, known, types=False)} for module, path in known.items()}
    try:
        TopologicalSorter({module: others - {module} for module, others in graph.items()}).prepare()
    except CycleError as error:
        return " -> ".join(error.args[1])
    return ""


KNOWN = files("dlatlas")
ATLAS = files("dltheory")
STUDIES = {module: path for module, path in ATLAS.items() if module.count(".") == 2 and room(module) not in SHARED}


def test_every_room_has_its_floor():
    assert {room(module) for module in KNOWN} - {""} == set(FLOOR)


def test_no_import_goes_upwards():
    assert upwards(KNOWN, types=False) == []


def test_no_import_for_a_type_goes_upwards():
    assert upwards(KNOWN) == []


def test_no_modules_import_each_other_in_a_circle():
    assert circle({**KNOWN, **ATLAS}) == ""


def test_the_instrument_does_not_know_the_atlas():
    said = []
    for path in KNOWN.values():
        text = path.read_text(encoding="utf-8")
        said += [f"{path}:{n}: {line.strip()}" for n, line in enumerate(text.splitlines(), 1) if "dltheory" in line]
    for path in (SOURCE / "dlatlas").rglob("templates/*"):
        said += [f"{path}: names dltheory"] * ("dltheory" in path.read_text(encoding="utf-8"))
    assert said == []


def test_studies_do_not_import_each_other():
    assert len(STUDIES) > 20
    said = [
        f"{path}:{line}: {module} imports {other}"
        for module, path in STUDIES.items()
        for other, line in imports(path, STUDIES)
    ]
    assert said == []


def test_what_studies_share_imports_no_study():
    shared = {module: path for module, path in ATLAS.items() if room(module) in SHARED}
    said = [f"{path}:{line}: {other}" for path in shared.values() for other, line in imports(path, STUDIES)]
    assert said == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("from dlatlas.cli.app import app\n", 1),
        ("import dlatlas.cli.app\n", 1),
        ("def late():\n    from dlatlas.cli import app\n", 2),
        ("if TYPE_CHECKING:\n    from dlatlas.cli.app import app\n", 2),
    ],
)
def test_an_import_that_goes_upwards_is_found_wherever_it_stands(tmp_path, text, line):
    for name, content in (("cli/app.py", "app = 1\n"), ("identity/git.py", text)):
        (tmp_path / "dlatlas" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dlatlas" / name).write_text(content)
    (said,) = upwards(files("dlatlas", tmp_path))
    assert said.startswith(f"{tmp_path / 'dlatlas/identity/git.py'}:{line}: identity imports dlatlas.cli.app")


def test_a_circle_is_told_by_its_modules(tmp_path):
    folder = tmp_path / "dlatlas" / "identity"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("from dlatlas.identity import b\n")
    (folder / "b.py").write_text("def late():\n    from dlatlas.identity.a import x\n")
    said = circle(files("dlatlas", tmp_path))
    assert set(said.split(" -> ")) == {"dlatlas.identity.a", "dlatlas.identity.b"}


def drawing():
    """The rooms as a Mermaid graph; an arrow that follows from two others is left out."""
    below = {room(module): set() for module in KNOWN}
    for module, path in {**KNOWN, **ATLAS}.items():
        mine = room(module) if module in KNOWN else "dltheory"
        below.setdefault(mine, set()).update(room(other) for other, _ in imports(path, KNOWN, types=False))
    below = {mine: others - {mine, ""} for mine, others in below.items() if mine}

    def under(name):
        return below[name].union(*(under(other) for other in below[name]))

    direct = {name: others - set().union(*(under(other) for other in others)) for name, others in below.items()}
    arrows = [f"    {name} --> {other}" for name in sorted(direct) for other in sorted(direct[name])]
    return "\n".join(["```mermaid", "graph TD", *arrows, "```"])


def test_the_drawing_of_the_rooms_is_what_the_imports_are():
    page = SOURCE.parent / "docs" / "rooms.md"
    assert drawing() in page.read_text(encoding="utf-8"), f"{page} should have:\n{drawing()}"
