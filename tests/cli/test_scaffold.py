"""What `dlatlas new` leaves in a lab's bibliography."""

import pytest

from dlatlas.cli import scaffold
from dlatlas.declare.bibliography import keys
from dlatlas.declare.lab import Lab
from dlatlas.errors import InputError

OTHER = "@misc{other,\n  author = {Doe, Jane},\n  title = {T},\n  year = {2020},\n}\n"


def test_a_new_study_brings_its_paper_where_there_is_no_bibliography(tmp_path):
    lab = Lab.read(tmp_path)
    made = scaffold.write_study("my_study", lab, tmp_path / "params")
    assert made[-1] == lab.bibliography
    assert keys(lab.bibliography) == {"cohen2021"}


def test_it_is_added_to_what_is_there_and_only_once(tmp_path):
    lab = Lab.read(tmp_path)
    lab.bibliography.write_text(OTHER)
    scaffold.write_study("my_study", lab, tmp_path / "params")
    listed = lab.bibliography.read_text()
    assert listed.startswith(f"{OTHER}\n@inproceedings{{cohen2021,")
    made = scaffold.write_study("another", Lab.read(tmp_path), tmp_path / "params")
    assert lab.bibliography not in made
    assert lab.bibliography.read_text() == listed


def test_a_bibliography_that_cannot_be_read_stops_it_before_anything_is_written(tmp_path):
    lab = Lab.read(tmp_path)
    lab.bibliography.write_text(OTHER + OTHER)
    with pytest.raises(InputError, match=r"references\.bib: other: a second entry of that key"):
        scaffold.write_study("my_study", lab, tmp_path / "params")
    assert [path.name for path in tmp_path.iterdir()] == ["references.bib"]
