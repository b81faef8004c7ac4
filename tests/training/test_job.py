"""Counting: what is computed, what is reused, and what a fault costs."""

from pathlib import Path

import numpy as np
import pytest

from dlatlas import sweep as sweep_module
from dlatlas.errors import AtlasError, InputError
from dlatlas.params import Point
from dlatlas.study import Study, Variable, count, flag, number
from dlatlas.sweep import Sweep
from dlatlas.training import job
from dlatlas.training.job import compute_shard, read_shard

CALLS: list[dict] = []


def solve(stack):
    CALLS.extend(stack.runs)
    if any(run["rate"] == 13.0 for run in stack.runs):
        raise ZeroDivisionError("thirteen")
    draws = np.array([stack.generator(i).normal() for i in range(len(stack))])
    return {"twice": 2 * stack["rate"], "draw": draws, "powers": stack["rate"][:, None] ** np.arange(3)}


def study(kind="solve"):
    own = {"rate": number(1.0, "rate"), "width": count(2, "width")}
    net = {"inputs": count(3, "inputs"), "outputs": count(1, "outputs"), "bias": flag(False, "biases")}
    return Study(
        title="", rows=("x",), family="", kind=kind, statement="", formula="", papers=(), claims=(), caption="",
        theory=lambda cube: cube, figure=lambda *a: None, shape=("width", "inputs", "outputs", "bias"), solve=solve,
        parameters=own if kind == "solve" else {**own, **net},
        variables={"twice": Variable("2x"), "draw": Variable("draw"), "powers": Variable("p", dims={"power": None})},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def constant_code(monkeypatch):
    monkeypatch.setattr(sweep_module.Sweep, "_code", lambda self, shared: "code")
    CALLS.clear()


def make(shard_runs=4, kind="solve", **dims):
    columns = {name: {name: list(values)} for name, values in dims.items()}
    known = study(kind).all_parameters()
    fixed = {name: parameter.default for name, parameter in known.items() if name not in columns}
    if kind == "train":
        fixed |= {"data": "gaussian_regression", "steps": 30, "checkpoints": 2}
    return Sweep("toy", study(kind), Point(dims=columns, fixed=fixed, measures=[], shard_runs=shard_runs), "smoke", {})


def compute(sweep, home):
    return [
        compute_shard(sweep, s, home, Path("unused")) for s in sweep.shards if not (home / f"{s.digest}.json").exists()
    ]


def values(sweep, home, name="draw"):
    found = {}
    for shard in sweep.shards:
        for plan, (_, arrays) in zip(shard.stacks, read_shard(home / f"{shard.digest}.json")):
            found |= dict(zip(map(int, plan.index), arrays[name]))
    return np.array([found[i] for i in range(sweep.size)])


def test_all_runs_are_computed_once(tmp_path):
    sweep = make(rate=[1, 2, 3], seed=range(4))
    manifests = compute(sweep, tmp_path)
    assert len(CALLS) == 12 == sum(m["computed"] for m in manifests)
    np.testing.assert_array_equal(values(sweep, tmp_path, "twice"), np.repeat([2.0, 4.0, 6.0], 4))
    np.testing.assert_array_equal(values(sweep, tmp_path, "powers")[4], [1, 2, 4])


def test_extending_an_axis_computes_only_the_new_runs(tmp_path):
    old = make(rate=[1, 2], seed=range(3))
    compute(old, tmp_path)
    CALLS.clear()
    new = make(rate=[1, 2, 5], seed=range(4))
    compute(new, tmp_path)
    assert len(CALLS) == 12 - 6
    assert {(run["rate"], run["seed"]) for run in CALLS} == {(1, 3), (2, 3), (5, 0), (5, 1), (5, 2), (5, 3)}
    both = values(new, tmp_path).reshape(3, 4)[:2, :3].ravel()
    np.testing.assert_array_equal(both, values(old, tmp_path))


@pytest.mark.parametrize(
    "dims",
    [{"rate": [2], "seed": range(3)}, {"seed": [2, 0, 1], "rate": [2, 1]}],
    ids=["a value taken away", "axes reordered"],
)
def test_nothing_is_computed_again(tmp_path, dims):
    compute(make(rate=[1, 2], seed=range(3)), tmp_path)
    CALLS.clear()
    compute(make(**dims), tmp_path)
    assert CALLS == []


def test_cutting_the_sweep_anew_computes_nothing(tmp_path):
    compute(make(rate=[1, 2], seed=range(3)), tmp_path)
    CALLS.clear()
    compute(make(shard_runs=5, rate=[1, 2], seed=range(3)), tmp_path)
    assert CALLS == []


def test_equal_sweeps_give_equal_bytes(tmp_path):
    for name in ("one", "two"):
        compute(make(rate=[1, 2], seed=range(3)), tmp_path / name)
    for path in (tmp_path / "one").glob("*.safetensors"):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_a_run_that_raises_fails_alone_and_is_tried_again(tmp_path):
    sweep = make(shard_runs=8, rate=[1, 13, 3])
    (manifest,) = compute(sweep, tmp_path)
    assert manifest["status"] == {"ok": 2, "diverged": 0, "failed": 1}
    assert list(manifest["stacks"][0]["failed"].values()) == ["ZeroDivisionError: thirteen"]
    assert values(sweep, tmp_path, "status").tolist() == [job.OK, job.FAILED, job.OK]
    np.testing.assert_array_equal(values(sweep, tmp_path, "twice"), [2, np.nan, 6])
    CALLS.clear()
    compute(make(shard_runs=8, rate=[1, 13, 3, 4]), tmp_path)
    assert {run["rate"] for run in CALLS} == {13, 4}


def test_a_study_that_always_raises_is_one_line(tmp_path):
    with pytest.raises(AtlasError, match="study toy: ZeroDivisionError: thirteen"):
        compute(make(rate=[13]), tmp_path)
    assert not list(tmp_path.glob("*"))


def test_a_corrupted_shard_is_found_by_its_digest_and_named(tmp_path):
    sweep = make(rate=[1, 2])
    compute(sweep, tmp_path)
    path = tmp_path / f"{sweep.shards[0].digest}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{path.name}: corrupted"):
        values(sweep, tmp_path)


def test_a_wrong_variable_is_an_error_that_says_what_was_declared(tmp_path, monkeypatch):
    sweep = make(rate=[1])
    monkeypatch.setitem(sweep.study.__dict__, "solve", lambda stack: {"thrice": stack["rate"]})
    with pytest.raises(
        InputError, match=r"solve returns \['thrice'\], variables declares \['draw', 'powers', 'twice'\]"
    ):
        compute(sweep, tmp_path)


def test_a_wrong_shape_is_an_error_that_says_which(tmp_path, monkeypatch):
    sweep = make(rate=[1])
    monkeypatch.setitem(sweep.study.__dict__, "solve", lambda s: {"twice": [1.0], "draw": [1.0], "powers": [1.0]})
    with pytest.raises(InputError, match=r"powers has shape \(1,\), expected \(1, ...\) with 1 more"):
        compute(sweep, tmp_path)


def test_a_trained_shard_interrupted_anywhere_ends_with_equal_numbers(tmp_path, monkeypatch):
    from dlatlas.training import fit
    from dlatlas.training.ensemble import StackedEnsemble

    sweep = make(kind="train", seed=range(3), lr=[0.05, 0.1], optimizer=["adam"])
    compute(sweep, tmp_path / "whole")
    monkeypatch.setattr(fit, "SAVE_EVERY", 0.0)
    advance = StackedEnsemble._advance
    stops = iter([7, 15, 29])
    stop = next(stops)

    def interrupted(self, step):
        if step == stop:
            raise RuntimeError("killed")
        return advance(self, step)

    monkeypatch.setattr(StackedEnsemble, "_advance", interrupted)
    for following in (*stops, None):
        with pytest.raises(RuntimeError, match="killed"):
            compute(sweep, tmp_path / "killed")
        stop = following
    manifests = compute(sweep, tmp_path / "killed")
    assert sum(m["computed"] for m in manifests) >= 1
    for path in (tmp_path / "whole").glob("*.safetensors"):
        assert path.read_bytes() == (tmp_path / "killed" / path.name).read_bytes()
    assert not list((tmp_path / "killed").glob(".*"))


def test_extending_a_trained_axis_trains_only_the_new_runs(tmp_path):
    old = make(kind="train", seed=range(2))
    compute(old, tmp_path)
    new = make(kind="train", seed=range(3))
    (manifest,) = compute(new, tmp_path)
    assert (manifest["computed"], manifest["reused"]) == (1, 2)
    name = "parameters/layers.0.weight"
    np.testing.assert_array_equal(values(new, tmp_path, name)[:2], values(old, tmp_path, name))
