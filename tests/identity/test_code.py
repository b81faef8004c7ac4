import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlatlas.errors import InputError
from dlatlas.identity import content as identity

VALUES = st.one_of(
    st.booleans(), st.integers(-(2**50), 2**50), st.floats(allow_nan=False, allow_infinity=False), st.text()
)


@given(st.dictionaries(st.text(), VALUES))
def test_the_order_of_keys_does_not_matter(record):
    assert identity.canonical(record) == identity.canonical(dict(reversed(record.items())))


@given(st.integers(-(2**50), 2**50))
def test_a_whole_number_and_its_float_are_the_same(value):
    assert (
        identity.digest({"n": value}) == identity.digest({"n": float(value)}) == identity.digest({"n": np.int64(value)})
    )


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_different_numbers_have_different_names(a, b):
    assert (identity.canonical(a) == identity.canonical(b)) == (a == b or (a == 0 and b == 0))


def test_true_is_not_one():
    assert identity.digest(True) != identity.digest(1)


def test_a_nan_has_no_name():
    with pytest.raises(ValueError):
        identity.canonical(math.nan)


def test_digests_are_golden():
    """None of these may change: every stored run is found by such a digest, and a change orphans them all.

    If what a run means changes, raise identity.SCHEMA instead; it renames the runs on purpose.
    """
    assert identity.canonical({"b": 1.0, "a": [True, 0.1, "x"]}) == '{"a":[true,0.1,"x"],"b":1}'
    assert identity.digest({"lr": 0.1, "width": 64, "seed": 3}) == "b77231e47a932e24c19e"


SOURCES = {
    "helper.py": 'X = 2\n\ndef used(a):\n    """Doc."""\n    return a * X\n\ndef unused(a):\n    return a\n',
    "main.py": (
        "from dlatlas.helper import used\n"
        "from dlatlas import registry\n\n"
        "def train(a: int) -> int:\n    # why\n    return used(a) + len(registry.ALL)\n\n"
        "def draw():\n    from dlatlas.helper import unused\n    return unused(1)\n\n"
        'TABLE = {"one": used, "two": draw}\n'
        "RECORD = dict(run=train, figure=draw)\n"
    ),
    "registry.py": 'ALL = {"a": 1}\n',
    "__init__.py": "",
}


@pytest.fixture
def digest_of(tmp_path, monkeypatch):
    """``digest_of(root, file=new text)``: the code digest in a small package with some files changed."""

    def compute(root: str, **changed: str) -> str:
        for name, text in SOURCES.items():
            (tmp_path / name).write_text(changed.get(name.removesuffix(".py"), text))
        identity._module.cache_clear()
        identity._path.cache_clear()
        return identity.code_digest([root])

    monkeypatch.setattr(identity, "SOURCE", Path(tmp_path))
    yield compute
    identity._module.cache_clear()
    identity._path.cache_clear()


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


def test_a_new_entry_of_a_registry_renames_nothing(digest_of):
    assert digest_of("dlatlas.main:train") == digest_of("dlatlas.main:train", registry='ALL = {"a": 1, "b": 2}\n')


def test_entries_and_arguments_are_told_apart(digest_of):
    changed = SOURCES["helper.py"].replace("return a\n", "return -a\n")
    assert digest_of("dlatlas.main:TABLE[one]") == digest_of("dlatlas.main:TABLE[one]", helper=changed)
    assert digest_of("dlatlas.main:TABLE[two]") != digest_of("dlatlas.main:TABLE[two]", helper=changed)
    assert digest_of("dlatlas.main:RECORD(run)") == digest_of("dlatlas.main:RECORD(run)", helper=changed)
    assert digest_of("dlatlas.main:RECORD(figure)") != digest_of("dlatlas.main:RECORD(figure)", helper=changed)


def test_a_root_that_does_not_exist_is_an_error(digest_of):
    with pytest.raises(InputError, match="no definition named nothing"):
        digest_of("dlatlas.main:nothing")
    with pytest.raises(InputError, match="no entry three"):
        digest_of("dlatlas.main:TABLE[three]")


@pytest.fixture
def kept(digest_of, monkeypatch, tmp_path):
    """Writes caches as Python does; the folder of them."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path / "__pycache__"


def test_what_was_parsed_is_kept_and_not_parsed_again(digest_of, kept, monkeypatch):
    first = digest_of("dlatlas.main:train")
    assert {path.name.partition(".")[0] for path in kept.glob("*.parts.json")} >= {"main", "helper"}
    monkeypatch.setattr(identity.ast, "parse", lambda text: pytest.fail("parsed again"))
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
