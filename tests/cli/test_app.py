from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlatlas.cli import scaffold
from dlatlas.cli.app import app
from dlatlas.declare.study import load_study
from dlatlas.errors import InputError
from dlatlas.planning.plan import TOUR, Plan, Settings

ROOT = Path(__file__).parents[2]

run = CliRunner().invoke


def test_help_teaches_the_first_steps():
    said = run(app, ["--help"]).output
    for word in ("dlatlas list", "dlatlas show", "dlatlas new", "snakemake --cores all"):
        assert word in said
    assert "job" not in said.split("Commands")[1]  # the rules' own commands are hidden


@pytest.mark.parametrize(
    "command", ["list", "show", "new", "check", "plan", "status", "reproduce", "publish", "pull", "whence", "export"]
)
def test_every_command_explains_itself(command):
    assert len(run(app, [command, "--help"]).output) > 200


def test_an_unknown_study_is_one_line():
    done = run(app, ["show", "catapult_fase"])
    assert done.exit_code == 1
    assert 'unknown study "catapult_fase"; did you mean "catapult_phase"?' in done.output


def test_check_without_results_says_what_to_do(tmp_path):
    done = run(app, ["check", "--results", str(tmp_path)])
    assert done.exit_code == 1
    assert "no verdicts yet; `snakemake --cores all` makes them" in done.output


def test_a_new_study_has_both_files_and_takes_no_name_twice(tmp_path):
    made = scaffold.write_study("my-study", tmp_path, tmp_path)
    assert sorted(path.name for path in made) == ["my_study.py", "my_study.yaml"]
    assert "src/dlatlas/studies/my_study.py" in (tmp_path / "my_study.yaml").read_text()
    before = [path.read_bytes() for path in made]
    with pytest.raises(InputError, match="a study named my_study exists already; nothing was written"):
        scaffold.write_study("my_study", tmp_path, tmp_path)
    assert [path.read_bytes() for path in made] == before


@pytest.mark.parametrize("name", ["9lives", "a b", "", "../up", "Name"])
def test_a_name_that_is_no_module_name_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="expected lower-case words joined by underscores"):
        scaffold.write_study(name, tmp_path, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_study_that_is_taken_is_refused_even_in_another_folder(tmp_path):
    with pytest.raises(InputError, match="exists already"):
        scaffold.write_study("catapult_phase", tmp_path, tmp_path)


def test_studies_load_by_name():
    assert load_study("catapult_phase").rows[0] == "catapult-phase"


def test_the_tour_visits_most_chapters():
    settings = Settings.read({"studies": "tour"}, ROOT)
    assert set(settings.studies) == set(TOUR) <= set(Plan(settings).names)
    assert len({load_study(name).family for name in TOUR}) >= 8
