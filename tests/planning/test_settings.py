"""What ``--config`` says, also where YAML has made a number or nothing of it."""

from pathlib import Path

import pytest

from dlatlas.errors import InputError
from dlatlas.planning.plan import Plan, Settings

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("key", ["results", "data", "params"])
def test_a_folder_that_looks_like_a_number_or_begins_at_home(key, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert getattr(Settings.read({key: "2026"}, ROOT), key).name == "2026"
    assert getattr(Settings.read({key: "~/x"}, ROOT), key) == Path("/home/somebody/x")


@pytest.mark.parametrize("found", [None, "", ["a"], {"a": 1}])
@pytest.mark.parametrize("key", ["results", "data", "params", "scale"])
def test_a_folder_or_scale_that_is_none_is_one_line(key, found):
    with pytest.raises(InputError, match=rf"^--config {key}: "):
        Settings.read({key: found}, ROOT)


@pytest.mark.parametrize("found", [None, "", [], ()])
def test_no_studies_named_means_all(found):
    assert Settings.read({"studies": found}, ROOT).studies == ()


@pytest.mark.parametrize(("found", "said"), [(123, '"123"'), ("nothing_such", '"nothing_such"'), (True, '"True"')])
def test_a_study_that_is_none_is_one_line(found, said):
    with pytest.raises(InputError, match=rf"--config studies: unknown study or chapter {said}"):
        Plan(Settings.read({"studies": found}, ROOT))


def test_studies_that_are_no_names_are_one_line():
    with pytest.raises(InputError, match=r"--config studies: expected names with commas between, found \{'a': 1\}"):
        Settings.read({"studies": {"a": 1}}, ROOT)
