import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlatlas.cli import show
from dlatlas.identity.store import read_json
from dlatlas.planning.cluster import estimates_path
from dlatlas.planning.plan import Plan, Settings
from dlatlas.training.estimate import Affine, estimates

ROOT = Path(__file__).parents[2]


def plan_of(study, results, scale="smoke", data=Path("data"), params=ROOT / "params"):
    config = {"scale": scale, "studies": study, "results": results, "data": data, "params": params}
    return Plan(Settings.read(config, ROOT))


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.integers(1, 50), st.integers(1, 50))
def test_a_line_goes_through_its_points_and_is_never_negative(few, more, start, step):
    line = Affine.through((start, few), (start + step, more))
    assert line.fixed >= 0
    assert line.each >= 0
    if few <= more <= few * (start + step) / start:
        assert line.at(start) == pytest.approx(few, abs=1e-6)
        assert line.at(start + step) == pytest.approx(more, abs=1e-6)


def test_a_training_of_more_steps_costs_more_and_wider_networks_store_more(tmp_path):
    params = tmp_path / "params"
    params.mkdir()
    text = (ROOT / "params" / "large_lr" / "catapult_phase.yaml").read_text()
    (params / "catapult_phase.yaml").write_text(text)
    for _ in range(2):  # the first trace of a process takes longer
        (short,) = estimates(plan_of("catapult_phase", tmp_path, params=params), "catapult_phase")[0].values()
    longer = text.replace("fixed: {steps: 200, trace_every: 200}", "fixed: {steps: 20000, trace_every: 20000}")
    (params / "catapult_phase.yaml").write_text(longer.replace("[32, 128, 512, 128]", "[32, 512, 1024, 32]"))
    (long,) = estimates(plan_of("catapult_phase", tmp_path, params=params), "catapult_phase")[0].values()
    assert long.seconds > 10 * short.seconds
    assert long.stored_megabytes == pytest.approx(2 * short.stored_megabytes, rel=0.05)
    assert long.megabytes > short.megabytes


def test_what_is_stored_is_what_lies_on_disk_afterwards(tmp_path):
    from dlatlas.training.job import compute_shard

    plan = plan_of("catapult_phase", tmp_path)
    (estimate,) = estimates(plan, "catapult_phase")[0].values()
    home = tmp_path / "catapult_phase" / "shards"
    compute_shard(plan.sweep("catapult_phase"), plan.sweep("catapult_phase").shards[0], home, tmp_path)
    (file,) = home.glob("*.safetensors")
    assert estimate.stored_megabytes == pytest.approx(file.stat().st_size / 1e6, rel=0.2)


def test_a_finished_shard_corrects_the_estimate_at_every_scale(tmp_path):
    plan = plan_of("triple_descent", tmp_path)
    found, factor, finished = estimates(plan, "triple_descent")
    assert (factor, finished) == (1.0, 0)
    shard = plan.sweep("triple_descent").shards[0]
    path = plan.shard_manifest("triple_descent", shard.digest)
    path.parent.mkdir(parents=True)
    took = 1000.0
    path.write_text(json.dumps({"seconds": took, "computed": shard.size, "machine": {}}))
    found, factor, finished = estimates(plan, "triple_descent")
    assert finished == 1
    assert found[shard.digest].seconds == pytest.approx(took, rel=0.1)  # ten seconds of trial against a thousand
    path.write_text(json.dumps({"seconds": 0.01, "computed": shard.size, "machine": {}}))  # moments say little
    assert estimates(plan, "triple_descent")[1] == pytest.approx(1, abs=0.05)
    path.write_text(json.dumps({"seconds": took, "computed": shard.size - 1, "machine": {}}))  # the rest was reused
    assert estimates(plan, "triple_descent")[1:] == (1.0, 0)


def test_a_plan_says_what_it_costs_and_leaves_it_where_the_rules_look(tmp_path, capsys):
    plan = plan_of("triple_descent", tmp_path)
    show.costs(plan)
    said = capsys.readouterr().out
    assert "triple_descent" in said
    assert "4,500" in said
    assert "jobs are short; shard_runs:" in said
    shards = read_json(estimates_path(plan, "triple_descent"))["shards"]
    assert set(shards) == {shard.digest for shard in plan.sweep("triple_descent").shards}


def test_a_solve_that_is_too_long_to_try_is_said_to_be_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("dlatlas.training.estimate.TRY", 0.05)
    plan = plan_of("langevin_escape_kramers", tmp_path)
    show.costs(plan)
    assert "more than 0.05 s to try" in capsys.readouterr().out
    assert not estimates_path(plan, "langevin_escape_kramers").exists()


@pytest.mark.slow
def test_an_estimate_from_small_shards_is_within_a_factor_of_two_of_larger_ones(tmp_path):
    """Triple descent at smoke scale says what a laptop's shard takes; again where other tests hold the cores."""
    from dlatlas.training.job import compute_shard

    def ratio(home):
        small, large = (plan_of("triple_descent", home, scale) for scale in ("smoke", "laptop"))
        shards = small.sweep("triple_descent").shards
        for shard in shards:
            compute_shard(small.sweep("triple_descent"), shard, home / "triple_descent" / "shards", home)
        found, _, finished = estimates(large, "triple_descent")
        assert finished == len(shards)
        shard = large.sweep("triple_descent").shards[0]
        made = compute_shard(large.sweep("triple_descent"), shard, home / "triple_descent" / "shards", home)
        return found[shard.digest].seconds / min(made["seconds"], made["core_seconds"])

    ratios = [ratio(tmp_path / "0")]
    while not 0.5 < ratios[-1] < 2 and len(ratios) < 4:
        ratios.append(ratio(tmp_path / str(len(ratios))))
    assert 0.5 < ratios[-1] < 2, ratios
