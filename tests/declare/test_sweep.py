import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dlatlas.declare import sweep as sweep_module
from dlatlas.declare.parameter import count, number
from dlatlas.declare.params import Point
from dlatlas.declare.study import Study
from dlatlas.declare.sweep import Sweep

ROOT = Path(__file__).parents[2]


def make(dims, shard_runs=8, shape=("width",), cost=None, fixed=None):
    study = Study(
        title="", rows=("x",), kind="solve", says="", formula="", papers=(), claims=(), caption="",
        theory=lambda cube: cube, figure=lambda *a: None, shape=shape, cost=cost,
        parameters={"width": count(4, "width"), "rate": number(1.0, "rate")}, module="toy",
    )  # fmt: skip
    columns = {name: {name: list(values)} for name, values in dims.items()}
    rest = {"width": 4, "rate": 1.0, "seed": 0}
    fixed = {**{k: v for k, v in rest.items() if k not in columns}, **(fixed or {})}
    return Sweep(study, Point(dims=columns, fixed=fixed, measures=[], shard_runs=shard_runs), "smoke", Path("unused"))


@pytest.fixture(autouse=True)
def one_code(monkeypatch):
    """The toy study has no file: its code is a constant."""
    monkeypatch.setattr(sweep_module.Sweep, "code", lambda self, shared: "code")


AXES = st.fixed_dictionaries(
    {},
    optional={
        "width": st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True),
        "rate": st.lists(st.integers(0, 9).map(float), min_size=1, max_size=4, unique=True),
        "seed": st.lists(st.integers(0, 20), min_size=1, max_size=6, unique=True),
    },
)


def ids(sweep):
    return [
        sweep.run_id(run, plan.shared)
        for shard in sweep.shards
        for plan in shard.stacks
        for run in sweep.runs(plan.index)
    ]


@settings(max_examples=60)
@given(AXES, st.integers(1, 9))
def test_every_run_is_in_exactly_one_shard(dims, shard_runs):
    sweep = make(dims, shard_runs)
    covered = np.concatenate([plan.index for shard in sweep.shards for plan in shard.stacks])
    assert sorted(covered) == list(range(sweep.size))
    assert all(len(plan.index) <= shard_runs for shard in sweep.shards for plan in shard.stacks)


@settings(max_examples=60)
@given(AXES)
def test_all_runs_of_a_stack_have_its_shape(dims):
    sweep = make(dims)
    for shard in sweep.shards:
        for plan in shard.stacks:
            assert {run["width"] for run in sweep.runs(plan.index)} == {plan.shared["width"]}


@settings(max_examples=60)
@given(AXES, st.randoms())
def test_a_run_keeps_its_name_when_axes_are_reordered_or_cut_anew(dims, random):
    names = list(dims)
    random.shuffle(names)
    shuffled = {name: random.sample(dims[name], len(dims[name])) for name in names}
    assert set(ids(make(dims, 3))) == set(ids(make(shuffled, 5)))


@settings(max_examples=60)
@example({"width": [1], "seed": [0, 1, 2]}, {"seed": [0, 1, 2], "width": [1, 2]}, 1)  # was once one name for two
@given(AXES, AXES, st.integers(1, 5))
def test_two_sweeps_share_a_shard_only_if_they_share_its_runs(a, b, shard_runs):
    one, two = make(a, shard_runs), make(b, shard_runs)
    runs = {}
    for sweep in (one, two):
        for shard in sweep.shards:
            content = [sweep.run_id(r, plan.shared) for plan in shard.stacks for r in sweep.runs(plan.index)]
            assert runs.setdefault(shard.digest, content) == content


def test_extending_an_axis_keeps_the_old_names():
    before = set(ids(make({"seed": range(3), "rate": [0.1, 0.2]})))
    after = set(ids(make({"seed": range(5), "rate": [0.1, 0.2]})))
    assert before < after
    assert len(after - before) == 4


def test_a_hyper_parameter_at_its_default_changes_no_name():
    assert set(ids(make({"seed": range(3)}))) == set(ids(make({"seed": range(3)}, fixed={"rate": 1})))


def test_names_of_runs_are_different():
    names = ids(make({"seed": range(5), "rate": [0.1, 0.2], "width": [1, 2]}))
    assert len(set(names)) == len(names) == 20


def test_jobs_are_balanced_by_cost():
    sweep = make({"width": [1, 2, 4, 8, 15], "seed": range(4)}, shard_runs=10, cost=lambda shared: shared["width"])
    loads = [sum(plan.shared["width"] * len(plan.index) for plan in shard.stacks) for shard in sweep.shards]
    assert len(loads) == 2
    assert max(loads) <= 1.1 * min(loads)


def test_a_million_runs_are_planned_by_their_shards():
    sweep = make({"width": [1, 2], "rate": np.linspace(0, 1, 500).tolist(), "seed": range(1000)}, shard_runs=4096)
    assert sweep.size == 1_000_000
    assert 245 <= len(sweep.shards) <= 250


def test_the_place_of_a_run_in_the_cube_is_its_place_in_the_product():
    sweep = make({"rate": [0.1, 0.2, 0.3], "seed": [5, 7]})
    assert sweep.runs(np.array([3]))[0] == {"width": 4, "rate": 0.2, "seed": 7}


def test_planning_a_million_runs_takes_seconds_and_little_memory(tmp_path):
    """A process of its own, so that its time and memory are its own."""
    (tmp_path / "catapult_phase.yaml").write_text(
        "fixed: {model: two_layer_linear, data: one_sample, loss: half_mse, steps: 10}\n"
        "axes:\n  eta_lambda0: {linspace: [0.5, 4.5, 401]}\n  seed: {range: 1250}\n"
        "zip:\n  network: {width: [32, 512], linearised: [false, true]}\n"
        "measures: [train_loss]\n"
        "scales:\n  smoke: {shard_runs: 4096}\n"
    )
    code = (
        "import resource; from pathlib import Path; from dlatlas.planning.plan import Plan, Settings\n"
        f"config = {{'scale': 'smoke', 'params': {str(tmp_path)!r}}}\n"
        f"plan = Plan(Settings.read(config, Path({str(ROOT)!r})))\n"
        "plan.targets(); jobs = 2 * len(plan.sweep('catapult_phase').shards)\n"
        "usage = resource.getrusage(resource.RUSAGE_SELF)\n"
        "peak = Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]\n"
        "print(plan.sweep('catapult_phase').size, jobs, usage.ru_utime + usage.ru_stime, int(peak) / 1e6)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    runs, jobs, seconds, gigabytes = (float(word) for word in done.stdout.split())
    assert runs == 1_002_500
    assert jobs <= 500
    assert seconds < 5
    assert gigabytes < 1
