"""What planning keeps from one process to the next, and when it must not."""

import shutil
from pathlib import Path

import pytest

from dlatlas.declare.lab import Lab
from dlatlas.identity.code import forget, imports
from dlatlas.planning import kept, plan
from dlatlas.planning.kept import Kept, Record
from dlatlas.planning.plan import Plan, Settings

RECORD = Record("solve", ("a", "b"), {}, {"cube": "c", "verdict": "d", "figure": "e"}, {})

STUDY = """from mine.theory import law
from . import near


def solve(stack):
    return {"x": law.value()}
"""


@pytest.fixture
def lab(tmp_path):
    folder = tmp_path / "src" / "mine"
    for name in ("chapter", "theory", "data"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").touch()
    (folder / "__init__.py").touch()
    (folder / "chapter" / "one.py").write_text(STUDY)
    (folder / "chapter" / "near.py").write_text("from ..theory.deeper import depth\n")
    (folder / "theory" / "law.py").write_text("import mine.theory.below\n")
    (folder / "theory" / "below.py").write_text("")
    (folder / "theory" / "deeper.py").write_text("depth = 1\n")
    (folder / "theory" / "other.py").write_text("")
    (tmp_path / "params" / "chapter").mkdir(parents=True)
    (tmp_path / "params" / "chapter" / "one.yaml").write_text("axes: {}\n")
    for name in ("data.dvc", "references.bib"):
        (tmp_path / name).touch()
    (tmp_path / "pyproject.toml").write_text('[tool.dlatlas]\nstudies = "src/mine"\n')
    return Lab.read(tmp_path)


def found(lab, scale="smoke"):
    """As another process would find it: what was read of files is forgotten."""
    forget()
    lab = Lab.read(lab.root)
    return Kept(lab, lab.root / "params", scale).get("one", lab.root / "params" / "chapter" / "one.yaml")


@pytest.fixture
def filled(lab):
    forget()
    store = Kept(lab, lab.root / "params", "smoke")
    store.put("one", lab.root / "params" / "chapter" / "one.yaml", RECORD, ["mine.data.near"])
    store.write()
    return lab


def test_the_next_process_finds_what_was_kept(filled):
    assert found(filled) == RECORD
    assert found(filled, "laptop") is None


@pytest.mark.parametrize(
    "path",
    [
        "src/mine/chapter/one.py",
        "src/mine/chapter/near.py",
        "src/mine/theory/law.py",
        "src/mine/theory/below.py",
        "src/mine/theory/deeper.py",
        "params/chapter/one.yaml",
        "data.dvc",
        "references.bib",
        "pyproject.toml",
    ],
)
def test_a_change_of_any_text_that_it_depends_on_is_seen(filled, path):
    file = filled.root / path
    file.write_text(file.read_text() + "\n# changed\n")
    assert found(filled) is None


def test_a_change_elsewhere_and_a_new_time_are_not_looked_at(filled):
    (filled.folder / "theory" / "other.py").write_text("x = 1\n")
    (filled.folder / "chapter" / "one.py").touch()
    assert found(filled) == RECORD


def test_a_new_file_that_params_could_name_is_seen(filled):
    (filled.folder / "data" / "near.py").touch()
    assert found(filled) is None


def test_everything_counts_where_a_file_imports_by_a_text(lab):
    law = lab.folder / "theory" / "law.py"
    law.write_text("from importlib import import_module\n\ndef value(name):\n    return import_module(name).x\n")
    names = {path.name for path in imports(["mine.chapter.one"], lab.folder.parent)}
    assert {"other.py", "below.py", "deeper.py"} <= names


def test_a_file_that_is_damaged_is_as_none(filled):
    (path,) = (filled.root / kept.FOLDER).glob("*.json")
    path.write_text(path.read_text()[:20])
    assert found(filled) is None


def test_where_nothing_can_be_written_planning_goes_on(lab):
    (lab.root / ".snakemake").write_text("a file, not a folder")
    store = Kept(lab, lab.root / "params", "smoke")
    store.put("one", lab.root / "params" / "chapter" / "one.yaml", RECORD, [])
    store.write()
    assert found(lab) is None


def test_a_plan_that_was_kept_is_that_of_a_fresh_one_and_imports_no_study(tmp_path, monkeypatch):
    root = Path(__file__).parents[2]
    for name in ("src", "params"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("data.dvc", "pyproject.toml", "references.bib"):
        shutil.copy(root / name, tmp_path)
    monkeypatch.setattr(Lab, "_enter", lambda lab: None)  # the copy's studies are those that are imported here
    settings = Settings.read({"scale": "smoke", "studies": "double_descent,catapult_phase"}, tmp_path)
    fresh = Plan(settings)
    fresh.keep()
    monkeypatch.setattr(plan, "load_sweep", lambda *_: pytest.fail("a study was planned again"))
    again = Plan(settings)
    for name in fresh.names:
        assert again.record(name) == fresh.record(name)
    assert again.targets() == fresh.targets()
