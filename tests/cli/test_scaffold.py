"""``dlatlas new``: two files that belong together, in a lab's own folders."""

import pytest

from dlatlas.cli.scaffold import write_study
from dlatlas.declare.lab import Lab, check_pairs
from dlatlas.errors import InputError


@pytest.fixture
def lab(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.dlatlas]\nstudies = "src/mine"\n')
    return Lab.read(tmp_path)


@pytest.mark.parametrize("chapter", ["", "large-steps"])
def test_a_new_study_has_both_files_and_takes_no_name_twice(lab, chapter):
    folder = chapter.replace("-", "_")
    made = write_study("my-study", lab, lab.root / "params", chapter)
    source = lab.folder / folder / "my_study.py"
    assert made == [lab.root / "params" / folder / "my_study.yaml", source]
    assert f"what is claimed stands in {lab.near(source)}." in made[0].read_text()
    schema = "../schema.json" if chapter else "schema.json"
    assert made[0].read_text().startswith(f"# yaml-language-server: $schema={schema}\n")
    check_pairs(Lab.read(lab.root), Lab.read(lab.root).params(lab.root / "params"))
    before = [path.read_bytes() for path in made]
    with pytest.raises(InputError, match="a study named my_study exists already; nothing was written"):
        write_study("my_study", Lab.read(lab.root), lab.root / "params", "another")
    assert [path.read_bytes() for path in made] == before


@pytest.mark.parametrize("name", ["9lives", "a b", "", "../up", "Name"])
def test_a_name_that_is_no_module_name_is_refused(lab, name):
    with pytest.raises(InputError, match="study name: expected lower-case words joined by underscores"):
        write_study(name, lab, lab.root / "params")
    assert [path.name for path in lab.root.iterdir()] == ["pyproject.toml"]


def test_a_chapter_that_is_no_module_name_is_refused(lab):
    with pytest.raises(InputError, match=r"chapter: expected lower-case words joined by underscores, found '\.\./up'"):
        write_study("good", lab, lab.root / "params", "../up")


@pytest.mark.parametrize("chapter", ["theory", "models", "data"])
def test_a_folder_of_what_studies_share_is_no_chapter(lab, chapter):
    with pytest.raises(InputError, match=f"chapter: {chapter} holds what studies share"):
        write_study("good", lab, lab.root / "params", chapter)


def test_the_file_that_is_written_is_a_study_by_its_chapter_and_name(lab, monkeypatch):
    monkeypatch.syspath_prepend(lab.root / "src")
    write_study("first_steps", lab, lab.root / "params", "edge")
    study = Lab.read(lab.root).study("first_steps")
    assert (study.name, study.chapter, study.kind) == ("first_steps", "edge", "train")
    assert study.rows == ("first_steps",)
