from pathlib import Path

import pytest
from typer.testing import CliRunner

from dlatlas.cli.app import app
from dlatlas.planning.plan import Plan, Settings

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
    assert 'unknown study or chapter "catapult_fase"; did you mean "catapult_phase"?' in done.output


def test_check_without_results_says_what_to_do(tmp_path):
    done = run(app, ["check", "--results", str(tmp_path)])
    assert done.exit_code == 1
    assert "no verdicts yet; `snakemake --cores all` makes them" in done.output


def test_the_tour_visits_most_chapters():
    plan = Plan(Settings.read({"studies": "tour"}, ROOT))
    assert set(plan.names) == set(plan.lab.tour)
    assert len({plan.lab.chapters[name] for name in plan.names}) >= 8


def test_a_chapter_stands_for_its_studies():
    plan = Plan(Settings.read({"studies": "graphs,kernel"}, ROOT))
    assert plan.names == ("gnn_wl_bound", "lazy_vs_mean_field_scaling", "ntk_constancy_with_width")
