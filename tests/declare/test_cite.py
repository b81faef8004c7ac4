import re
from pathlib import Path

import pytest

from dlatlas.declare.cite import Author, Collection, cite, collection
from dlatlas.declare.lab import Lab
from dlatlas.errors import InputError

ROOT = Path(__file__).parents[2]
LAB = Lab.read(ROOT)
SIGNATURE = {"commit": "c0ffee", "date": "2026-01-02T00:00:00Z", "dirty": False, "cube": "abc"}


def fields(entry):
    return dict(re.findall(r"^  (\w+) = \{(.*)\},$", entry, flags=re.MULTILINE))


def own(of, study="catapult_phase"):
    return fields(cite(LAB.study(study), (), of, SIGNATURE))


@pytest.mark.parametrize("name", LAB.chapters)
def test_every_study_s_citation_has_balanced_braces_and_unique_keys(name):
    study = LAB.study(name)
    text = cite(study, LAB.papers(study), collection(ROOT), SIGNATURE)
    plain = re.sub(r"\\[{}]", "", text)
    assert plain.count("{") == plain.count("}")
    keys = re.findall(r"^@\w+\{(\w+),$", text, flags=re.MULTILINE)
    assert keys == [f"dlatlas_{name}", *study.papers]
    assert fields(text.split("\n\n")[0])["year"] == "2026"
    assert fields(text.split("\n\n")[0])["note"] == "commit c0ffee, cube abc"


def test_papers_are_cited_by_their_entries_as_they_stand():
    study, listed = LAB.study("catapult_phase"), LAB.bibliography.read_text(encoding="utf-8")
    _, *entries = cite(study, LAB.papers(study), collection(ROOT), SIGNATURE).split("\n\n")
    assert len(entries) == len(study.papers)
    assert all(entry in listed for entry in entries)


def test_special_characters_are_escaped():
    said = own(Collection("R_n & 50 %", (Author("A & B", person=False), Author("Do_e, Jane", person=True))))
    assert said["author"] == r"{A \& B} and Do\_e, Jane"
    assert said["howpublished"] == r"R\_n \& 50 \%, study catapult\_phase"


def test_the_atlas_is_the_author_of_its_own_studies():
    assert own(collection(ROOT))["author"] == "{The Deep Learning Theory Atlas authors}"
    assert own(collection(ROOT))["howpublished"] == r"The Deep Learning Theory Atlas, study catapult\_phase"


def test_a_lab_is_named_by_its_citation_file(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\nauthors = [{name = "Somebody Else"}]\n')
    (tmp_path / "CITATION.cff").write_text(
        "title: My Lab\nauthors:\n"
        "- {family-names: Luxburg, given-names: Ulrike, name-particle: von}\n- {name: The Lab}\n"
    )
    assert own(collection(tmp_path))["author"] == "von Luxburg, Ulrike and {The Lab}"
    assert own(collection(tmp_path))["howpublished"] == r"My Lab, study catapult\_phase"


def test_a_lab_without_one_is_named_by_its_project(tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "my-lab"\nauthors = [{name = "Jane Doe", email = "jane@x.org"}, {email = "joe@x.org"}]\n'
    )
    assert own(collection(tmp_path))["author"] == "Jane Doe"
    assert own(collection(tmp_path))["howpublished"] == r"my-lab, study catapult\_phase"


def test_a_lab_that_does_not_say_who_it_is_has_no_author(tmp_path):
    for text in (None, "[tool.dlatlas]\n", '[project]\nname = "my-lab"\n'):
        if text is not None:
            (tmp_path / "pyproject.toml").write_text(text)
        said = own(collection(tmp_path))
        assert "author" not in said
        assert "Atlas" not in " ".join(said.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: [", r"CITATION\.cff: while parsing"),
        ("- a\n", r"CITATION\.cff: expected title and a list of authors$"),
        ("title: T\nauthors: Jane\n", r"CITATION\.cff: expected title and a list of authors$"),
        (
            "title: T\nauthors: [{given-names: Jane}]\n",
            r"authors: expected name, or family-names and given-names",
        ),
    ],
)
def test_a_citation_file_that_cannot_be_read_is_one_line(tmp_path, text, said):
    (tmp_path / "CITATION.cff").write_text(text)
    with pytest.raises(InputError, match=said) as told:
        collection(tmp_path)
    assert "\n" not in str(told.value)
