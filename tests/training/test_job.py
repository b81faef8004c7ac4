"""Counting: what is computed, what is reused, and what a fault costs."""

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dlatlas.cubes.assembly import assemble, gather
from dlatlas.data import gaussian
from dlatlas.declare import sweep as sweep_module
from dlatlas.declare.parameter import count, flag, number
from dlatlas.declare.params import Point
from dlatlas.declare.study import Study
from dlatlas.declare.sweep import Sweep
from dlatlas.declare.variable import Variable
from dlatlas.errors import AtlasError, InputError
from dlatlas.measures.job import measure_shard
from dlatlas.models import conv_net, mlp
from dlatlas.training import job
from dlatlas.training.job import _unmasked, compute_shard, failures, read_shard

CALLS: list[dict] = []


def solve(stack):
    CALLS.extend(stack.runs)
    if any(run["rate"] == 13.0 for run in stack.runs):
        raise ZeroDivisionError("thirteen")
    draws = np.array([stack.generator(i).normal() for i in range(len(stack))])
    return {"twice": 2 * stack["rate"], "draw": draws, "powers": stack["rate"][:, None] ** np.arange(3)}


def study(kind="solve", late=()):
    own = {"rate": number(1.0, "rate"), "width": count(2, "width")}
    net = {"inputs": count(3, "inputs"), "outputs": count(1, "outputs"), "bias": flag(False, "biases")}
    net |= {"n_train": count(100, "examples")}
    grown = {"noise": number(0.0, "label noise", late=True), "depth": count(1, "hidden layers", late=True)}
    variables = {"twice": Variable("2x"), "draw": Variable("draw"), "powers": Variable("p", dims={"power": None})}
    return Study(
        title="", rows=("x",), kind=kind, says="", formula="", papers=(), claims=(), caption="",
        theory=lambda cube: cube, figure=lambda *a: None, solve=solve, variables=variables if kind == "solve" else {},
        shape=("width", "depth", "inputs", "outputs", "bias", "n_train"),
        parameters={**own, **({} if kind == "solve" else net), **{name: grown[name] for name in late}},
        module="toy",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def constant_code(monkeypatch):
    monkeypatch.setattr(sweep_module.Sweep, "code", lambda self, shared: "code")
    CALLS.clear()


def make(shard_runs=4, kind="solve", late=(), **dims):
    columns = {name: {name: list(values)} for name, values in dims.items()}
    toy = study(kind, late)
    known = toy.all_parameters()
    fixed = {name: parameter.default for name, parameter in known.items() if name not in columns}
    if kind == "train":
        given = {"data": "gaussian_regression", "steps": 30, "checkpoints": 2}
        fixed |= {name: value for name, value in given.items() if name not in columns}
    measures = ["train_loss"] if kind == "train" else []
    return Sweep(
        toy, Point(dims=columns, fixed=fixed, measures=measures, shard_runs=shard_runs), "smoke", Path("unused")
    )


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


def test_a_corrupted_shard_is_found_by_its_digest_and_computed_anew_alone(tmp_path):
    sweep = make(rate=[1, 2])
    compute(sweep, tmp_path)
    path = tmp_path / f"{sweep.shards[0].digest}.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{path.name}: corrupted.*set aside as {path.stem}.json.corrupted1"):
        values(sweep, tmp_path)
    assert (tmp_path / f"{path.name}.corrupted1").read_bytes() == content
    CALLS.clear()
    (again,) = compute(sweep, tmp_path)
    assert again["computed"] == len(CALLS) == 2
    assert values(sweep, tmp_path, "twice").tolist() == [2, 4]


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
    losses = StackedEnsemble._losses

    class Killed(BaseException):
        pass

    stops = iter([7, 15, 29])
    stop = next(stops)

    def interrupted(self, first, last):
        if stop is not None and first <= stop < last:
            raise Killed
        return losses(self, first, last)

    monkeypatch.setattr(StackedEnsemble, "_losses", interrupted)
    for following in (*stops, None):
        with pytest.raises(Killed):
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


def test_a_corrupted_shard_is_found_when_its_runs_are_to_be_reused(tmp_path):
    old = make(rate=[1, 2])
    compute(old, tmp_path)
    path = tmp_path / f"{old.shards[0].digest}.json"
    path.write_text(path.read_text()[:-30])
    CALLS.clear()
    new = make(rate=[1, 2, 3])
    with pytest.raises(InputError, match=rf"{path.name}: not a whole JSON record.*set aside"):
        compute(new, tmp_path)
    assert CALLS == []
    compute(new, tmp_path)
    assert len(CALLS) == 3


def test_a_finished_shard_is_left_alone(tmp_path):
    sweep = make(rate=[1, 2])
    (manifest,) = compute(sweep, tmp_path)
    files = sorted(tmp_path.iterdir())
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in files]
    assert compute_shard(sweep, sweep.shards[0], tmp_path, Path("unused")) == manifest
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in files] == before
    assert sorted(tmp_path.iterdir()) == files
    assert len(CALLS) == 2


@pytest.fixture
def thirteen_raises(monkeypatch):
    """The data generator raises for runs whose noise is 13."""
    draw = gaussian.gaussian_regression

    @functools.wraps(draw)
    def fragile(**arguments):
        if arguments["noise"] == 13:
            raise ZeroDivisionError("thirteen")
        return draw(**arguments)

    monkeypatch.setattr(gaussian, "gaussian_regression", fragile)


def test_a_training_run_that_raises_fails_alone_and_is_tried_again(tmp_path, thirteen_raises, monkeypatch):
    sweep = make(kind="train", late=["noise"], noise=[0.5, 13, 0, 2], seed=[0], shard_runs=8)
    (manifest,) = compute(sweep, tmp_path)
    assert manifest["status"] == {"ok": 3, "diverged": 0, "failed": 1}
    assert list(manifest["stacks"][0]["failed"].values()) == ["ZeroDivisionError: thirteen"]
    assert values(sweep, tmp_path, "status").tolist() == [job.OK, job.FAILED, job.OK, job.OK]
    assert not list(tmp_path.glob(".*"))
    loss = values(sweep, tmp_path, "loss_trace")
    np.testing.assert_array_equal(np.isfinite(loss).all(1), [True, False, True, True])
    np.testing.assert_array_equal(values(sweep, tmp_path, "hyper/noise"), [0.5, 13, 0, 2])
    healthy = make(kind="train", late=["noise"], noise=[0.5, 0, 2], seed=[0], shard_runs=8)
    compute(healthy, tmp_path / "healthy")
    np.testing.assert_allclose(loss[[0, 2, 3]], values(healthy, tmp_path / "healthy", "loss_trace"), rtol=1e-5)

    shard = sweep.shards[0]
    measured = tmp_path / "measures" / "m.json"
    measure_shard(sweep, shard, tmp_path / f"{shard.digest}.json", measured, Path("unused"))
    ((_, arrays),) = read_shard(measured)
    np.testing.assert_array_equal(np.isfinite(arrays["train_loss"]).all(1), [True, False, True, True])

    monkeypatch.undo()
    monkeypatch.setattr(sweep_module.Sweep, "code", lambda self, shared: "code")
    again = compute_shard(sweep, shard, tmp_path, Path("unused"))
    assert (again["computed"], again["reused"]) == (1, 3)
    assert again["status"]["failed"] == 0
    assert np.isfinite(values(sweep, tmp_path, "loss_trace")).all()
    measure_shard(sweep, shard, tmp_path / f"{shard.digest}.json", measured, Path("unused"))
    ((_, arrays),) = read_shard(measured)
    assert np.isfinite(arrays["train_loss"]).all()
    before = measured.stat().st_mtime_ns
    measure_shard(sweep, shard, tmp_path / f"{shard.digest}.json", measured, Path("unused"))
    assert measured.stat().st_mtime_ns == before


def test_a_training_in_which_every_run_raises_is_one_line(tmp_path, thirteen_raises):
    with pytest.raises(AtlasError, match=r"^study toy: ZeroDivisionError: thirteen$"):
        compute(make(kind="train", late=["noise"], noise=[13], seed=range(2)), tmp_path)


@pytest.mark.parametrize("late", ["noise", "depth"])
def test_a_late_hyper_parameter_at_its_default_trains_nothing(tmp_path, late):
    old = make(kind="train", seed=range(3))
    compute(old, tmp_path)
    new = make(kind="train", late=[late], seed=range(3))
    assert [shard.digest for shard in new.shards] == [shard.digest for shard in old.shards]
    assert compute(new, tmp_path) == []
    measure_shard(new, new.shards[0], tmp_path / f"{new.shards[0].digest}.json", tmp_path / "m" / "m.json", Path())


def test_a_late_hyper_parameter_trains_at_its_other_values_only(tmp_path):
    old = make(kind="train", seed=range(3))
    compute(old, tmp_path)
    new = make(kind="train", late=["noise"], noise=[0.0, 0.5], seed=range(3), shard_runs=6)
    (manifest,) = compute(new, tmp_path)
    assert (manifest["computed"], manifest["reused"]) == (3, 3)
    weights = "parameters/layers.0.weight"
    np.testing.assert_array_equal(values(new, tmp_path, weights)[:3], values(old, tmp_path, weights))
    assert values(new, tmp_path, "hyper/noise").tolist() == [0, 0, 0, 0.5, 0.5, 0.5]
    trace = values(new, tmp_path, "loss_trace")
    assert not np.isclose(trace[:3, 0], trace[3:, 0]).any()
    # trained anew, without the old results, they are the same: the streams are those of before
    compute(new, tmp_path / "anew")
    np.testing.assert_allclose(values(new, tmp_path / "anew", "loss_trace"), trace, rtol=1e-5)


def test_a_hyper_parameter_that_is_not_late_trains_all_again(tmp_path):
    """Without the mark a new entry renames every run: the mark is what the two tests above are about."""
    names = []
    for late in (False, True):
        sweep = make(kind="train", late=["noise"], seed=range(3))
        sweep.late = {"noise": 0.0} if late else {}
        (shard,) = sweep.shards
        names.append({sweep.run_id(run, shard.stacks[0].shared) for run in sweep.runs(np.arange(3))})
    assert not names[0] & names[1]


def test_a_late_hyper_parameter_of_a_solved_study_keeps_its_draws(tmp_path):
    old, new = make(seed=range(3)), make(late=["noise"], seed=range(3))
    compute(old, tmp_path)
    assert compute(new, tmp_path) == []
    other = make(late=["noise"], noise=[0.5], seed=range(3))
    compute(new, tmp_path / "anew")
    compute(other, tmp_path)
    np.testing.assert_array_equal(values(old, tmp_path), values(new, tmp_path / "anew"))
    assert not np.isclose(values(old, tmp_path), values(other, tmp_path)).any()


class Dropping(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.line, self.drop = nn.Linear(inputs, outputs), nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(self.line(x))


def raising(inputs, outputs):
    raise ValueError("no such width")


def unknown_word(inputs, outputs):
    raise InputError("activation: unknown word")


BAD = {
    Dropping: "model conv_net: drop (Dropout) draws from torch's global generator in forward, which would be one "
    "constant for all runs and steps; allowed: a forward pass without chance",
    raising: "ValueError: no such width",
    unknown_word: "model conv_net: activation: unknown word",
}


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_a_model_that_cannot_be_trained_takes_none_of_the_others_with_it(tmp_path, monkeypatch, bad):
    monkeypatch.setattr(conv_net, "ConvNet", bad)
    sweep = make(shard_runs=12, kind="train", model=["mlp", "conv_net"], lr=[0.1, 0.2], seed=range(2))
    (manifest,) = compute(sweep, tmp_path)
    assert manifest["status"] == {"ok": 4, "diverged": 0, "failed": 4}
    assert values(sweep, tmp_path, "status").reshape(2, 4).tolist() == [[job.OK] * 4, [job.FAILED] * 4]
    alone = make(shard_runs=12, kind="train", model=["mlp"], lr=[0.1, 0.2], seed=range(2))
    compute(alone, tmp_path / "alone")
    ((_, found), *_), ((_, expected),) = read_shard_of(sweep, tmp_path), read_shard_of(alone, tmp_path / "alone")
    np.testing.assert_array_equal(found["loss_trace"], expected["loss_trace"])
    assert failures(sweep, sweep.shards[0], manifest) == [f"model = conv_net: 4 of 4 runs failed: {BAD[bad]}"]

    shard = sweep.shards[0]
    measured = tmp_path / "measures" / "m.json"
    measure_shard(sweep, shard, tmp_path / f"{shard.digest}.json", measured, Path("unused"))
    (tmp_path / "shards").symlink_to(tmp_path)
    cube = assemble(sweep, *gather(sweep, tmp_path, {shard.digest: measured})).compute()
    assert cube.status.sel(model="conv_net").values.tolist() == [[job.FAILED] * 2] * 2
    assert np.isnan(cube.train_loss.sel(model="conv_net")).all()
    assert np.isfinite(cube.train_loss.sel(model="mlp")).all()


def read_shard_of(sweep, home):
    """The stacks of a sweep of one shard, those of its first value first."""
    (shard,) = sweep.shards
    stacks = zip(shard.stacks, read_shard(home / f"{shard.digest}.json"))
    return [stack for _, stack in sorted(stacks, key=lambda pair: pair[0].index[0])]


def test_new_runs_that_all_fail_leave_those_that_are_reused(tmp_path, thirteen_raises):
    compute(make(kind="train", late=["noise"], noise=[0.5], seed=range(2)), tmp_path)
    sweep = make(kind="train", late=["noise"], noise=[0.5, 13], seed=range(2))
    (manifest,) = compute(sweep, tmp_path)
    assert (manifest["computed"], manifest["reused"]) == (2, 2)
    assert manifest["status"] == {"ok": 2, "diverged": 0, "failed": 2}
    assert values(sweep, tmp_path, "status").tolist() == [job.OK] * 2 + [job.FAILED] * 2
    np.testing.assert_array_equal(np.isfinite(values(sweep, tmp_path, "loss_trace")).all(1), [True, True, False, False])
    assert failures(sweep, sweep.shards[0], manifest) == ["noise = 13: 2 of 4 runs failed: ZeroDivisionError: thirteen"]


class PartlyFrozen(mlp.MLP):
    def __init__(self, inputs: int, width: int, outputs: int, noise: float):
        super().__init__(inputs, width, 1, outputs, bias=False)
        self.layers[0].weight.requires_grad_(noise == 0)
        self.unused = nn.Parameter(torch.zeros(2))


def test_the_cube_says_which_parameters_were_not_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(conv_net, "ConvNet", PartlyFrozen)
    sweep = make(shard_runs=12, kind="train", late=["noise"], model=["conv_net"], noise=[0.0, 0.5, 1], seed=range(2))
    with pytest.warns(match="model conv_net: unused: no gradient"):
        compute(sweep, tmp_path)
    (shard,) = sweep.shards
    measured = tmp_path / "measures" / "m.json"
    measure_shard(sweep, shard, tmp_path / f"{shard.digest}.json", measured, Path("unused"))
    (tmp_path / "shards").symlink_to(tmp_path)
    attributes = assemble(sweep, *gather(sweep, tmp_path, {shard.digest: measured})).attrs
    assert attributes["frozen"] == "layers.0.weight (4 of 6 runs)"
    assert attributes["without_gradient"] == "unused"


def test_what_solve_masks_has_no_value(tmp_path):
    """The number under a mask is no result: it was left there by whatever filled the array."""
    masked = np.ma.masked_array([1, 2, 3], mask=[False, True, False])
    assert np.isnan(_unmasked(masked)).tolist() == [False, True, False]
    assert _unmasked(masked)[[0, 2]].tolist() == [1, 3]
    whole = _unmasked(np.ma.masked_array([1, 2], mask=False))
    assert (whole.dtype.kind, whole.tolist(), np.ma.isMaskedArray(whole)) == ("i", [1, 2], False)


def test_a_solve_that_draws_from_a_global_generator_is_refused_and_nothing_is_stored(tmp_path, monkeypatch):
    sweep = make(rate=[1, 2])
    solve = sweep.study.solve

    def careless(stack):
        np.random.random()
        return solve(stack)

    monkeypatch.setitem(sweep.study.__dict__, "solve", careless)
    with pytest.raises(InputError, match=r"solve draws from NumPy.s global generator.*allowed: stack\.generator"):
        compute(sweep, tmp_path)
    assert not list(tmp_path.glob("*.json"))
