import sys
from pathlib import Path

import pytest

from dlatlas.declare.lab import Lab
from dlatlas.declare.sweep import SOLVE_ROOTS, TRAIN_ROOTS
from dlatlas.errors import InputError
from dlatlas.identity import code

SOURCES = {
    "helper.py": 'X = 2\n\ndef used(a):\n    """Doc."""\n    return a * X\n\ndef unused(a):\n    return a\n',
    "main.py": (
        "from dlatlas.helper import used\n"
        "from dlatlas.declare import registry\n\n"
        "def train(a: int) -> int:\n    # why\n    return used(a) + len(registry.ALL)\n\n"
        "def draw():\n    from dlatlas.helper import unused\n    return unused(1)\n\n"
        "RECORD = dict(run=train, figure=draw)\n"
    ),
    "declare/registry.py": 'ALL = {"a": 1}\n',
    "declare/__init__.py": "",
    "__init__.py": "",
}


@pytest.fixture
def digest_of(tmp_path, monkeypatch):
    """``digest_of(root, file=new text)``: the code digest in a small package with some files changed."""

    def compute(root: str, **changed: str) -> str:
        for name, text in SOURCES.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(changed.get(name.removesuffix(".py"), text))
        code.forget()
        return code.code_digest([root])

    monkeypatch.setattr(code, "SOURCE", tmp_path)
    yield compute
    code.forget()


def test_comments_docstrings_and_annotations_change_nothing(digest_of):
    before = digest_of("dlatlas.main:train")
    plain = SOURCES["main.py"].replace("a: int) -> int", "a)").replace("    # why\n", "")
    assert digest_of("dlatlas.main:train", main=plain) == before
    assert digest_of("dlatlas.main:train", helper=SOURCES["helper.py"].replace("Doc.", "Other words.")) == before


@pytest.mark.parametrize(("old", "new"), [("a * X", "X * a"), ("X = 2", "X = 3")])
def test_an_imported_function_and_its_constants_count(digest_of, old, new):
    assert digest_of("dlatlas.main:train") != digest_of(
        "dlatlas.main:train", helper=SOURCES["helper.py"].replace(old, new)
    )


def test_what_is_not_used_does_not_count(digest_of):
    changed = SOURCES["helper.py"].replace("def unused(a):\n    return a", "def unused(a):\n    return -a")
    assert digest_of("dlatlas.main:train") == digest_of("dlatlas.main:train", helper=changed)
    assert digest_of("dlatlas.main:draw") != digest_of("dlatlas.main:draw", helper=changed)


def test_what_looks_names_up_renames_nothing(digest_of):
    """What a name stands for enters the names of runs as a root of its own."""
    changed = {"declare/registry": 'ALL = {"a": 1, "b": 2}\n'}
    assert digest_of("dlatlas.main:train") == digest_of("dlatlas.main:train", **changed)


def test_arguments_of_a_record_are_told_apart(digest_of):
    changed = SOURCES["helper.py"].replace("return a\n", "return -a\n")
    assert digest_of("dlatlas.main:RECORD(run)") == digest_of("dlatlas.main:RECORD(run)", helper=changed)
    assert digest_of("dlatlas.main:RECORD(figure)") != digest_of("dlatlas.main:RECORD(figure)", helper=changed)


def test_a_root_that_does_not_exist_is_an_error(digest_of):
    with pytest.raises(InputError, match="no definition named nothing"):
        digest_of("dlatlas.main:nothing")


@pytest.fixture
def kept(digest_of, monkeypatch, tmp_path):
    """Writes caches as Python does; the folder of them."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path / "__pycache__"


def test_what_was_parsed_is_kept_and_not_parsed_again(digest_of, kept, monkeypatch):
    first = digest_of("dlatlas.main:train")
    assert {path.name.partition(".")[0] for path in kept.glob("*.parts.json")} >= {"main", "helper"}
    monkeypatch.setattr(code.source, "read", lambda *_: pytest.fail("parsed again"))
    assert digest_of("dlatlas.main:train") == first


def test_what_is_kept_of_another_text_is_not_used(digest_of, kept):
    before = digest_of("dlatlas.main:train")
    changed = SOURCES["helper.py"].replace("X = 2", "X = 3")
    after = digest_of("dlatlas.main:train", helper=changed)
    assert after != before
    assert digest_of("dlatlas.main:train") == before
    moved = SOURCES["helper.py"].replace("def used", "def other")  # the unchanged main now refers to nothing
    assert digest_of("dlatlas.main:train", helper=moved) != before


def test_a_spoilt_cache_is_not_used(digest_of, kept):
    before = digest_of("dlatlas.main:train")
    for path in kept.glob("*.parts.json"):
        path.write_text(path.read_text()[:40])
    assert digest_of("dlatlas.main:train") == before


def test_nothing_is_kept_where_python_keeps_nothing(digest_of, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    digest_of("dlatlas.main:train")
    assert not (tmp_path / "__pycache__").exists()


@pytest.fixture
def lab(digest_of, tmp_path, monkeypatch):
    """``lab(helper=new text)``: the digest of a study in a package of its own that uses the instrument."""
    digest_of("dlatlas.main:train")
    home = tmp_path / "elsewhere" / "somebodys"
    home.mkdir(parents=True)
    monkeypatch.syspath_prepend(home.parent)
    texts = {
        "__init__": "",
        "shared": "def double(a):\n    return 2 * a\n",
        "study": "from dlatlas.helper import used\nfrom somebodys.shared import double\n\n"
        "def solve(stack):\n    return double(used(stack))\n\nSTUDY = dict(solve=solve)\n",
    }

    def compute(**changed):
        for name, text in {**texts, **changed}.items():
            (home / f"{name}.py").write_text(text)
        code.forget()
        return code.code_digest(["somebodys.study:STUDY(solve)"])

    return compute


def test_a_package_of_one_s_own_is_followed_and_the_instrument_with_it(lab, tmp_path):
    before = lab()
    assert lab(shared="def double(a):\n    # why\n    return 2 * a\n\ndef other():\n    return 1\n") == before
    assert lab(shared="def double(a):\n    return a + a\n") != before
    (tmp_path / "helper.py").write_text(SOURCES["helper.py"].replace("X = 2", "X = 3"))
    assert lab() != before


def test_a_package_that_is_not_there_is_an_error():
    with pytest.raises(InputError, match="nosuchpackage: no such package"):
        code.code_digest(["nosuchpackage.study:STUDY(solve)"])


def test_a_record_of_a_study_is_no_effect_of_its_module():
    """Else every claim would be part of what trains: a change of its words would train all anew."""
    lab = Lab.read(Path(__file__).parents[2])
    modules = [lab.module(name) for name in lab.chapters]
    walk = code._Walk(code.Packages.of(modules))
    assert [module for module in modules if walk._effects(module)] == []


@pytest.mark.parametrize(
    "room", ["pages", "plotting", "publishing", "reproduction", "cli", "planning", "cubes", "judging"]
)
def test_what_trains_does_not_take_in_rooms_that_do_not(room):
    roots = [*TRAIN_ROOTS, *SOLVE_ROOTS, "dlatlas.models.mlp:MLP", "dlatlas.optimizers.sgd:SGD"]
    taken = {root for root in code.closure(roots) if root.startswith(f"dlatlas.{room}.")}
    assert taken == set()
