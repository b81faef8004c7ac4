"""``dlatlas new``: two files that belong together, in a lab's own folders."""

import re
from pathlib import Path

import pytest

from dlatlas.cli.scaffold import write_study
from dlatlas.declare.bibliography import keys
from dlatlas.declare.lab import TAKEN, Lab, check_pairs
from dlatlas.errors import InputError
from dlatlas.pages import page


@pytest.fixture
def lab(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.dlatlas]\nstudies = "src/mine"\n')
    return Lab.read(tmp_path)


@pytest.mark.parametrize("chapter", ["", "large-steps"])
def test_a_new_study_has_both_files_and_takes_no_name_twice(lab, chapter):
    folder = chapter.replace("-", "_")
    made = write_study("my-study", lab, lab.root / "params", chapter)
    source = lab.folder / folder / "my_study.py"
    assert made[:2] == [lab.root / "params" / folder / "my_study.yaml", source]
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
    assert study.rows == ["first_steps"]


OTHER = "@misc{other,\n  author = {Doe, Jane},\n  title = {T},\n  year = {2020},\n}\n"


def test_a_new_study_brings_its_paper_where_there_is_no_bibliography(tmp_path):
    lab = Lab.read(tmp_path)
    made = write_study("my_study", lab, tmp_path / "params")
    assert made[-1] == lab.bibliography
    assert keys(lab.bibliography) == {"cohen2021"}


def test_it_is_added_to_what_is_there_and_only_once(tmp_path):
    lab = Lab.read(tmp_path)
    lab.bibliography.write_text(OTHER)
    write_study("my_study", lab, tmp_path / "params")
    listed = lab.bibliography.read_text()
    assert listed.startswith(f"{OTHER}\n@inproceedings{{cohen2021,")
    made = write_study("another", Lab.read(tmp_path), tmp_path / "params")
    assert lab.bibliography not in made
    assert lab.bibliography.read_text() == listed


def test_a_bibliography_that_cannot_be_read_stops_it_before_anything_is_written(tmp_path):
    lab = Lab.read(tmp_path)
    lab.bibliography.write_text(OTHER + OTHER)
    with pytest.raises(InputError, match=r"references\.bib: other: a second entry of that key"):
        write_study("my_study", lab, tmp_path / "params")
    assert [path.name for path in tmp_path.iterdir()] == ["references.bib"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("atlas", "'atlas' means something else here or in Python"),
        ("contents", "'contents' means something else"),
        ("index", "'index' means something else"),
        ("prepared", "'prepared' means something else"),
        ("tour", "'tour' means something else"),
        ("all", "'all' means something else"),
        ("class", "'class' means something else here or in Python"),
        ("true", "'true' means something else"),
        ("a" * 260, "expected at most 80 letters, found 260: aaaaaaaaaaaaaaaaaaaa..."),
        ("landscape", "landscape is a chapter"),
    ],
)
def test_a_name_that_something_else_has_is_refused(tmp_path, name, said):
    lab = Lab(tmp_path, tmp_path / "somebodys")
    (tmp_path / "somebodys" / "landscape").mkdir(parents=True)
    (tmp_path / "somebodys" / "landscape" / "other.py").touch()
    with pytest.raises(InputError) as told:
        write_study(name, lab, tmp_path / "params")
    assert said in str(told.value)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "params").exists()


def test_what_an_editor_leaves_is_no_study_and_no_params_file(tmp_path):
    lab = Lab(tmp_path, tmp_path / "somebodys")
    for folder in (tmp_path / "params", tmp_path / "somebodys"):
        folder.mkdir()
    for name in ("._one.yaml", "one.yaml~", ".one.yaml.swp", "#one.yaml#"):
        (tmp_path / "params" / name).write_bytes(b"\x00\xff")
    (tmp_path / "params" / ".#one.yaml").symlink_to("nobody@nowhere.1")
    (tmp_path / "somebodys" / ".#one.py").symlink_to("nobody@nowhere.1")
    for path in (tmp_path / "params" / "one.yaml", tmp_path / "somebodys" / "one.py"):
        path.touch()
    assert lab.params(tmp_path / "params") == {"one": tmp_path / "params" / "one.yaml"}
    assert lab.chapters == {"one": ""}


def test_no_study_is_called_like_a_page():
    """A study's page is ``<study>.html`` beside them."""
    written = re.findall(r'write\("(\w+)\.html"', Path(page.__file__).read_text())
    assert len(written) >= 3
    assert set(written) <= TAKEN
