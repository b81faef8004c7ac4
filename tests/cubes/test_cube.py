import errno
import os
import re
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from dlatlas.cubes import cube as cube_module
from dlatlas.cubes.assembly import Piece, assemble
from dlatlas.cubes.cube import cube_digest, files_of, open_cube, write_cube
from dlatlas.declare import sweep as sweep_module
from dlatlas.declare.parameter import choice, count, number
from dlatlas.declare.params import Point
from dlatlas.declare.study import Study
from dlatlas.declare.sweep import Sweep
from dlatlas.declare.variable import Variable
from dlatlas.errors import AtlasError, InputError
from dlatlas.identity.store import open_arrays, write_arrays

ROOT = Path(__file__).parents[2]
VARIABLES = {
    "loss": Variable("loss", "1", "test", {"step": None}),
    "norm": Variable("norm of each layer", "1", "test", {"layer": None}),
    "error": Variable("error", "1", "test"),
}


@pytest.fixture(autouse=True)
def one_code(monkeypatch):
    """The toy study has no file: its code is a constant."""
    monkeypatch.setattr(sweep_module.Sweep, "code", lambda self, shared: "code")


def make(dims, shard_runs=8):
    own = {"depth": count(1, "depth"), "lr": number(1.0, "rate"), "rule": choice("sgd", ("sgd", "adam"), "rule")}
    study = Study(
        title="Toy", rows=("x",), kind="solve", says="", formula="", papers=(), claims=(), caption="",
        theory=lambda cube: cube, figure=lambda *a: None, shape=("depth",), parameters=own, variables=VARIABLES,
        module="toy",
    )  # fmt: skip
    return Sweep(study, Point(dims=dims, fixed={}, measures=[], shard_runs=shard_runs), "smoke", Path("unused"))


@pytest.fixture
def sweep():
    dims = {"depth": {"depth": [1, 3]}, "size": {"rule": ["sgd", "adam"], "lr": [0.5, 0.1]}, "seed": {"seed": [0, 1]}}
    return make(dims)


@pytest.fixture
def pieces():
    def piece(index, layers, steps, coordinate):
        n = len(index)
        runs = np.asarray(index, dtype=float)
        arrays = {
            "loss": runs[:, None] + np.arange(steps) / 10,
            "norm": np.ones((n, layers)) * layers,
            "error": runs,
            "status": np.zeros(n, dtype=np.int8),
        }
        return Piece(np.asarray(index), arrays, {"step": coordinate})

    return [piece([0, 1, 2, 3], 2, 3, [0, 1, 10]), piece([4, 5, 7], 4, 2, [0, 10])]


@pytest.mark.parametrize("name", ["loss", "error"])
def test_a_nan_of_a_run_that_did_not_diverge_is_refused_unless_the_variable_may_have_one(sweep, pieces, tmp_path, name):
    pieces[1].arrays[name][1] = np.nan
    run = ", ".join(f"{axis} = {values[0]}" for axis, values in sweep.columns(np.array([5])).items())
    where = rf"study {sweep.name}: variable {name}: NaN in a run that did not diverge \({re.escape(run)}\)"
    with pytest.raises(InputError, match=where):
        write_cube(assemble(sweep, pieces, VARIABLES), tmp_path / "cube.zarr")
    assert not list(tmp_path.iterdir())
    declared = {**VARIABLES, name: replace(VARIABLES[name], undefined="for a constant input")}
    assert np.isnan(assemble(sweep, pieces, declared)[name].values.reshape(8, -1)[5]).all()
    pieces[1].arrays["status"][1] = 1
    assert np.isnan(assemble(sweep, pieces, VARIABLES)[name].values.reshape(8, -1)[5]).all()


def test_every_result_lies_at_its_own_coordinates(sweep, pieces):
    cube = assemble(sweep, pieces, VARIABLES)
    assert cube["error"].dims == ("depth", "size", "seed")
    assert cube["error"].sel(depth=3, size=1, seed=1) == 7
    assert cube["lr"].values.tolist() == [0.5, 0.1]
    np.testing.assert_allclose(cube["loss"].sel(depth=3, size=0, seed=0, step=[0, 10]), [4, 4.1])


AXES = {"depth": [1, 2, 3], "lr": [0.1, 0.2, 0.3], "seed": [0, 1, 2, 3]}


@st.composite
def results(draw):
    """A sweep of any axes in any order, cut anyhow, and of each stack its runs, steps and number of layers."""
    names = draw(st.permutations(sorted(AXES)))[: draw(st.integers(0, 3))]
    sweep = make(
        {name: {name: AXES[name][: draw(st.integers(1, len(AXES[name])))]} for name in names}, draw(st.integers(1, 20))
    )
    steps = {depth: sorted(draw(st.sets(st.sampled_from([0, 1, 2, 5, 10]), min_size=1))) for depth in (None, 1, 2, 3)}
    layers = {depth: draw(st.integers(1, 7)) for depth in steps}
    stacks = [
        (stack.index, steps[stack.shared.get("depth")], layers[stack.shared.get("depth")])
        for shard in sweep.shards
        for stack in shard.stacks
    ]
    return sweep, draw(st.lists(st.sampled_from(stacks), min_size=1, unique_by=lambda stack: stack[0][0]))


@settings(max_examples=25, deadline=None)
@given(results(), st.integers(2, 40), st.integers(1, 4), st.booleans())
def test_a_cube_in_many_files_says_of_every_run_what_its_stack_says(
    tmp_path_factory, results, numbers, chunks, precise
):
    (sweep, stacks), home = results, tmp_path_factory.mktemp("cube")
    variables = {**VARIABLES, "hits": Variable("whole numbers", "1", "test")}
    all_steps, depth = sorted({step for _, steps, _ in stacks for step in steps}), max(n for *_, n in stacks)
    expected = {
        "loss": np.full((*sweep.shape, len(all_steps)), np.nan),
        "norm": np.full((*sweep.shape, depth), np.nan),
        "error": np.full(sweep.shape, np.nan),
        "hits": np.full(sweep.shape, -1),
        "status": np.full(sweep.shape, 3),
    }
    pieces = []
    for part, (index, steps, layers) in enumerate(stacks):
        runs = index.astype("f8" if precise else "f4")
        arrays = {
            "loss": runs[:, None] + np.array(steps) / 16,
            "norm": runs[:, None] - np.arange(layers) / 16,
            "error": runs,
            "hits": 2 * index,
            "status": (index % 3).astype(np.int8),
        }
        digest = write_arrays(home / f"{part}.safetensors", arrays)
        pieces.append(Piece(index, open_arrays(home / f"{part}.safetensors", digest), {"step": steps}))
        for run in index:
            place = np.unravel_index(run, sweep.shape) if sweep.shape else ()
            for step in steps:
                expected["loss"][(*place, all_steps.index(step))] = run + step / 16
            for layer in range(layers):
                expected["norm"][(*place, layer)] = run - layer / 16
            expected["error"][place], expected["hits"][place], expected["status"][place] = run, 2 * run, run % 3
    with patch.multiple(cube_module, CHUNK_NUMBERS=numbers, FILE_CHUNKS=chunks):
        files = write_cube(assemble(sweep, pieces, variables), home / "cube.zarr")
        assert write_cube(assemble(sweep, pieces[::-1], variables), home / "again.zarr") == files
    assert files == files_of(home / "cube.zarr")
    opened = xr.open_zarr(home / "cube.zarr")
    for name, values in expected.items():
        np.testing.assert_array_equal(opened[name], values, strict=False)
        assert opened[name].dims[: len(sweep.shape)] == tuple(sweep.dims)
    assert opened["error"].dtype == ("f8" if precise else "f4")
    assert opened["step"].values.tolist() == all_steps


def test_stacks_of_two_precisions_keep_the_finer(sweep, pieces):
    coarse = {name: array.astype("f4") for name, array in pieces[0].arrays.items()}
    fine = {**pieces[1].arrays, "error": np.array([0.1, 0.2, 0.3])}
    mixed = [Piece(pieces[0].index, coarse, pieces[0].coords), Piece(pieces[1].index, fine, pieces[1].coords)]
    assert assemble(sweep, mixed, VARIABLES)["error"].sel(depth=3, size=0, seed=0) == 0.1


def test_two_cubes_of_one_sweep_are_not_taken_for_each_other(sweep, pieces):
    one, two = assemble(sweep, pieces, VARIABLES), assemble(sweep, pieces[:1], VARIABLES)
    difference = one["error"].fillna(-1) - two["error"].fillna(-1)
    assert difference.values.ravel().tolist() == [0, 0, 0, 0, 5, 6, 0, 8]


def test_edited_training_code_that_changes_no_number_changes_no_file(sweep, pieces, tmp_path, monkeypatch):
    before, name = write_cube(assemble(sweep, pieces, VARIABLES), tmp_path / "cube.zarr"), sweep.shards[0].digest
    monkeypatch.setattr(sweep_module.Sweep, "code", lambda self, shared: "edited")
    edited = make(sweep.dims)
    assert edited.shards[0].digest != name
    assert write_cube(assemble(edited, pieces, VARIABLES), tmp_path / "cube.zarr") == before


def test_what_does_not_exist_is_nan_and_status_says_why(sweep, pieces):
    cube = assemble(sweep, pieces, VARIABLES)
    assert np.isnan(cube["error"].sel(depth=3, size=1, seed=0))
    assert cube["status"].sel(depth=3, size=1, seed=0) == 3
    assert int((cube["status"] == 0).sum()) == 7
    assert cube["status"].attrs["flag_meanings"] == "ok diverged failed missing"
    assert np.isnan(cube["norm"].sel(depth=1, layer=3)).all()
    assert np.isnan(cube["loss"].sel(depth=3, step=1)).all()


def test_every_variable_says_what_it_is(sweep, pieces):
    cube = assemble(sweep, pieces, VARIABLES)
    for name in (*cube.data_vars, *cube.coords):
        if name != "size":
            assert {"units", "long_name", "source"} <= set(cube[name].attrs), name
            assert cube[name].attrs["units"]


def test_plain_xarray_opens_it_and_finds_the_same(sweep, pieces, tmp_path):
    cube = assemble(sweep, pieces, VARIABLES)
    write_cube(cube, tmp_path / "cube.zarr")
    opened = xr.open_zarr(tmp_path / "cube.zarr")
    xr.testing.assert_identical(opened.load(), cube)
    unconsolidated = xr.open_zarr(tmp_path / "cube.zarr", consolidated=False)
    xr.testing.assert_equal(unconsolidated.load(), cube)


def test_writing_warns_of_nothing(sweep, pieces, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_cube(assemble(sweep, pieces, VARIABLES), tmp_path / "cube.zarr")


def test_equal_cubes_have_equal_digests_and_others_do_not(sweep, pieces, tmp_path):
    cube = assemble(sweep, pieces, VARIABLES)
    one, two = write_cube(cube, tmp_path / "one.zarr"), write_cube(cube, tmp_path / "two.zarr")
    assert one == two == files_of(tmp_path / "one.zarr")
    assert cube_digest(tmp_path / "one.zarr") == cube_digest(tmp_path / "two.zarr")
    cube["error"] = cube["error"] + 1e-12
    assert write_cube(cube, tmp_path / "three.zarr") != one


def test_snakemake_s_own_timestamp_is_not_part_of_a_cube(sweep, pieces, tmp_path):
    write_cube(assemble(sweep, pieces, VARIABLES), tmp_path / "cube.zarr")
    digest = cube_digest(tmp_path / "cube.zarr")
    (tmp_path / "cube.zarr" / ".snakemake_timestamp").write_text("now")
    assert cube_digest(tmp_path / "cube.zarr") == digest


def test_a_corrupted_missing_or_foreign_file_is_named(sweep, pieces, tmp_path):
    path = tmp_path / "cube.zarr"
    write_cube(assemble(sweep, pieces, VARIABLES), path)
    files = files_of(path)
    chunk = path / "error" / "c" / "0" / "0" / "0"
    content = chunk.read_bytes()
    chunk.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=r"cube.zarr/error/c/0/0/0: corrupted"):
        open_cube(path, files)
    chunk.unlink()
    with pytest.raises(InputError, match=r"cube.zarr/error/c/0/0/0: missing"):
        open_cube(path, files)
    chunk.write_bytes(content)
    (path / "foreign").write_text("")
    with pytest.raises(InputError, match=r"cube.zarr/foreign: not a file of this cube"):
        open_cube(path, files)
    with pytest.raises(InputError, match=r"other.zarr: no such cube"):
        open_cube(tmp_path / "other.zarr")


@pytest.fixture
def large(monkeypatch):
    """A cube of 1200 runs of 10 steps in files of 2 chunks of 60 runs: eight chunks a seed, ten files in all."""
    monkeypatch.setattr(cube_module, "CHUNK_NUMBERS", 600)
    monkeypatch.setattr(cube_module, "FILE_CHUNKS", 2)
    sweep = make({"lr": {"lr": [float(n) for n in range(20)]}, "seed": {"seed": list(range(60))}})
    runs = np.arange(1200)
    arrays = {"loss": runs[:, None] + np.arange(10) / 16, "status": np.zeros(1200, dtype=np.int8)}
    return assemble(sweep, [Piece(runs, arrays, {"step": list(range(10))})], {"loss": VARIABLES["loss"]})


def test_one_slice_reads_only_its_file(large, tmp_path):
    write_cube(large, tmp_path / "cube.zarr")
    files = sorted((tmp_path / "cube.zarr" / "loss" / "c").glob("*/*/*"))
    assert len(files) == 10
    for file in files[:3] + files[4:]:
        file.write_bytes(b"spoilt")
    kept = int(files[3].parts[-3])
    opened = xr.open_zarr(tmp_path / "cube.zarr")
    assert opened["loss"].chunks[0] == (1,) * 20
    np.testing.assert_array_equal(
        opened["loss"].sel(lr=2 * kept + 1, seed=7), (2 * kept + 1) * 60 + 7 + np.arange(10) / 16
    )
    with pytest.raises(Exception):  # noqa: B017  whatever the codec says
        opened["loss"].isel(lr=2 * kept + 2).load()


def test_one_slice_reads_only_its_chunk_and_opening_no_chunk_at_all(large, tmp_path):
    write_cube(large, tmp_path / "cube.zarr")
    read = {}

    class Counting(zarr.storage.WrapperStore):
        async def get(self, key, *rest, **options):
            found = await super().get(key, *rest, **options)
            if found is not None:
                read[key] = read.get(key, 0) + len(found)
            return found

    store = Counting(zarr.storage.LocalStore(tmp_path / "cube.zarr", read_only=True))
    opened = xr.open_zarr(store, chunks=None)  # still lazy; Dask would read through a copy of the store
    assert not [key for key in read if key.startswith(("loss/c", "status/c"))]
    read.clear()
    opened["loss"].isel(lr=5, seed=7).load()
    assert list(read) == ["loss/c/2/0/0"]
    size = (tmp_path / "cube.zarr" / "loss/c/2/0/0").stat().st_size
    assert 0.4 * size < read["loss/c/2/0/0"] < 0.6 * size


def test_a_disk_that_is_full_in_the_middle_leaves_the_old_cube(large, tmp_path, monkeypatch):
    path = tmp_path / "cube.zarr"
    before = write_cube(large, path)
    written = []
    whole = zarr.storage.LocalStore.set

    async def half(self, key, value):
        if "/c/" in key:
            written.append(key)
            if len(written) > 5:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        await whole(self, key, value)

    monkeypatch.setattr(zarr.storage.LocalStore, "set", half)
    with pytest.raises(AtlasError, match=r"cube.zarr: cannot be written: No space left on device"):
        write_cube(large + 1, path)
    assert len(written) > 5
    assert files_of(path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["cube.zarr"]


def test_results_that_vanish_in_the_middle_leave_the_old_cube(sweep, pieces, tmp_path):
    path = tmp_path / "cube.zarr"
    before = write_cube(assemble(sweep, pieces, VARIABLES), path)
    digest = write_arrays(tmp_path / "x.safetensors", pieces[0].arrays)
    lost = Piece(pieces[0].index, open_arrays(tmp_path / "x.safetensors", digest), pieces[0].coords)
    (tmp_path / "x.safetensors").unlink()
    with pytest.raises(AtlasError, match=r"cube.zarr: cannot be written: No such file"):
        write_cube(assemble(sweep, [lost], VARIABLES), path)
    assert files_of(path) == before


@pytest.mark.slow
def test_a_million_runs_are_written_opened_and_averaged_in_little_memory(tmp_path):
    """Processes of their own, so that time and memory are their own; 521 MB of made-up results, no training."""

    def measured(code):
        code = f"from pathlib import Path; home = Path({str(tmp_path)!r})\n{code}\n" + (
            "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
        )
        env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "workflow" / "bench"), *sys.path])}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0, done.stderr
        *said, peak = (float(word) for word in done.stdout.split())
        return [*said, peak / 1e3]

    measured("from cubes import fabricate; fabricate(home)")
    runs, seconds, megabytes = measured(
        "import cubes, time\n"
        "from dlatlas.cubes.assembly import assemble, gather\nfrom dlatlas.cubes.cube import write_cube\n"
        "cubes.write_arrays, cubes.write_json = (lambda *a: ''), (lambda *a: None)\n"
        "cubes.curve = cubes.loss = lambda runs: runs\n"
        "sweep = cubes.fabricate(home); begun = time.process_time()\n"
        "write_cube(assemble(sweep, *gather(sweep, home, {})), home / 'cube.zarr')\n"
        "print(sweep.size, time.process_time() - begun)"
    )
    assert runs == 1_000_000
    assert seconds < 30
    assert megabytes < 400
    seconds, megabytes = measured(
        "import time, xarray, dask.array, zarr; begun = time.perf_counter()\n"
        "cube = xarray.open_zarr(home / 'cube.zarr'); print(time.perf_counter() - begun)"
    )
    assert seconds < 1
    assert megabytes < 250
    mean, megabytes = measured("import xarray; print(float(xarray.open_zarr(home / 'cube.zarr')['curve'].mean()))")
    assert abs(mean) < 1e-3
    assert megabytes < 400
    cube = xr.open_zarr(tmp_path / "cube.zarr")
    assert len(list((tmp_path / "cube.zarr" / "curve" / "c").rglob("*/*/*/*"))) < 60
    for rate, width, seed in ((0, 1, 0), (123, 2, 7), (499, 2, 999)):
        run = (2 * rate + width - 1) * 1000 + seed
        found = cube.isel(rate=rate).sel(width=width, seed=seed)
        np.testing.assert_allclose(found["curve"], np.sin((1.1 * run + 0.7) * np.sqrt(np.arange(64) + 2)))
        np.testing.assert_allclose(found["loss"], np.cos(1.3 * run))
        assert found["status"] == 0


def test_a_full_disk_leaves_the_old_cube(sweep, pieces, tmp_path, monkeypatch):
    path = tmp_path / "cube.zarr"
    cube = assemble(sweep, pieces, VARIABLES)
    before = write_cube(cube, path)

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cube_module.Path, "rename", full)
    cube["error"] += 1
    with pytest.raises(AtlasError, match=r"cube.zarr: cannot be written: No space left on device"):
        write_cube(cube, path)
    assert files_of(path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["cube.zarr"]


def test_a_dimension_that_is_also_an_axis_is_an_error(sweep, pieces):
    clash = {**VARIABLES, "norm": Variable("norm", dims={"seed": None})}
    with pytest.raises(InputError, match="variable norm: seed is also an axis"):
        assemble(sweep, pieces, clash)


def test_when_one_writer_fails_the_other_is_waited_for_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(cube_module, "CHUNK_NUMBERS", 10)
    monkeypatch.setattr(cube_module, "FILE_CHUNKS", 1)

    def block(block_info=None):
        first = block_info[None]["chunk-location"][0] == 0
        time.sleep(0.05 if first else 0.15)
        if first:
            raise InputError("the first one fails")
        return np.zeros(10)

    values = da.map_blocks(block, chunks=((10,) * 8,), dtype=float, meta=np.empty(0))
    with pytest.raises(InputError, match="the first one fails"):
        write_cube(xr.Dataset({"loss": ("run", values)}), tmp_path / "cube.zarr")
    time.sleep(0.3)
    assert not list(tmp_path.iterdir())
