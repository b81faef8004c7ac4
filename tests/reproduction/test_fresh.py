"""Studies again on fresh seeds: which seeds, and what is said of flips. The run itself is a workflow test."""

import pytest

from dlatlas.errors import InputError
from dlatlas.reproduction.fresh import compared, fresh_seeds, report


def record(**claims):
    return {
        "study": "toy",
        "claims": [
            {"name": name, "verdict": verdict, "close": close, "estimate": 1.0, "interval": [0.9, 1.1]}
            for name, (verdict, close) in claims.items()
        ],
    }


def test_a_flip_is_a_claim_whose_verdict_is_another_and_close_ones_are_told_apart():
    old = record(a=("supported", False), b=("supported", True), c=("undecided", False))
    new = record(a=("undecided", False), b=("contradicted", False), c=("undecided", False))
    lines = report(compared(old, new))
    assert lines == [
        "toy: a: supported → undecided: 1 [0.9, 1.1] → 1 [0.9, 1.1]",
        "toy: b: supported → contradicted (close): 1 [0.9, 1.1] → 1 [0.9, 1.1]",
        "2 of 3 claims flip; 1 of the 2 that are not close",
    ]


def test_fresh_seeds_are_as_many_and_beyond_all_that_were_ever_judged(made_up_plan, monkeypatch, tmp_path):
    name = "double_descent"
    seeds = made_up_plan.sweep(name).dims["seed"]["seed"]
    monkeypatch.setattr(made_up_plan, "settings", made_up_plan.settings)
    found = fresh_seeds(made_up_plan, name)
    assert len(found) == len(seeds)
    assert not set(found) & set(seeds)
    assert found[0] % 1000 == 0


def test_seeds_of_earlier_publications_are_used_up(made_up_plan, monkeypatch):
    entry = {"commit": "a", "cube": "c", "seeds": "0-9", "verdict": {"verdict": "supported", "claims": {}}}
    entry["before"] = [{"commit": "b", "cube": "d", "seeds": "5000-5009", "verdict": "supported", "claims": {}}]
    monkeypatch.setattr("dlatlas.reproduction.fresh.read_entry", lambda root, name: entry)
    assert fresh_seeds(made_up_plan, "double_descent")[0] == 6000


def test_a_study_without_an_axis_of_seeds_is_named(made_up_plan, monkeypatch):
    sweep = made_up_plan.sweep("double_descent")
    dims = {name: columns for name, columns in sweep.dims.items() if name != "seed"}

    class Seedless:
        pass

    bare = Seedless()
    bare.dims = dims
    monkeypatch.setattr(made_up_plan, "sweep", lambda name: bare)
    with pytest.raises(InputError, match=r"double_descent\.yaml: axes: expected an axis of seeds alone, found none"):
        fresh_seeds(made_up_plan, "double_descent")
