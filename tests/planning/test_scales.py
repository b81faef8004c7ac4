"""Results of one scale are not overwritten by another's, but for smoke's."""

from dataclasses import replace

import pytest

from dlatlas.errors import InputError
from dlatlas.identity.store import write_json
from dlatlas.planning.plan import Plan, Settings

STUDY = "catapult_phase"


@pytest.fixture
def plan(lab, tmp_path):
    """``plan(scale)``: of one study, with results there."""
    settings = Settings.read({"studies": STUDY, "results": tmp_path / "results"}, lab.root)
    return lambda scale: Plan(replace(settings, scale=scale))


def held(plan, scale):
    write_json(plan.home(STUDY) / "verdict.json", {"scale": scale})


@pytest.mark.parametrize(("there", "wanted"), [("laptop", "smoke"), ("laptop", "cluster"), ("cluster", "laptop")])
def test_a_scale_does_not_overwrite_another(plan, there, wanted):
    held(plan(there), there)
    with pytest.raises(InputError) as caught:
        plan(wanted).guard()
    said = str(caught.value)
    assert said.count("\n") == 0
    assert f"results/{STUDY}: holds results of scale {there}, which scale={wanted} would overwrite; " in said
    assert f"add results=results-{wanted} to --config" in said
    plan(there).guard()


def test_smoke_is_overwritten_and_nothing_is_no_hindrance(plan):
    plan("laptop").guard()
    held(plan("smoke"), "smoke")
    plan("laptop").guard()
    plan("cluster").guard()


def test_what_is_made_already_is_not_in_the_way(plan):
    held(plan("laptop"), "laptop")
    made = plan("smoke")
    made.write_stamp(made.stamp(STUDY, "cube"), [], {"stage": "cube"})
    made.guard()  # nothing will be made


def test_a_verdict_that_cannot_be_read_is_made_anew_but_not_at_another_scale_than_its_cube(plan):
    home = plan("laptop").home(STUDY)
    home.mkdir(parents=True)
    (home / "verdict.json").write_text("{")
    plan("smoke").guard()
    write_json(home / "cube.zarr" / "zarr.json", {"attributes": {"scale": "laptop"}})
    plan("laptop").guard()
    with pytest.raises(InputError, match="holds results of scale laptop"):
        plan("smoke").guard()
