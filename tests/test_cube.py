import errno
import os
import warnings

import numpy as np
import pytest
import xarray as xr

from dlatlas import cube as cube_module
from dlatlas import sweep as sweep_module
from dlatlas.cube import Piece, assemble, cube_digest, files_of, open_cube, write_cube
from dlatlas.errors import AtlasError, InputError
from dlatlas.params import Point
from dlatlas.study import Study, Variable, choice, count, number
from dlatlas.sweep import Sweep

VARIABLES = {
    "loss": Variable("loss", "1", "test", {"step": None}),
    "norm": Variable("norm of each layer", "1", "test", {"layer": None}),
    "error": Variable("error", "1", "test"),
}


@pytest.fixture
def sweep(monkeypatch):
    monkeypatch.setattr(sweep_module.Sweep, "_code", lambda self, shared: "code")
    own = {"depth": count(1, "depth"), "lr": number(1.0, "rate"), "rule": choice("sgd", ("sgd", "adam"), "rule")}
    study = Study(
        title="Toy", rows=("x",), family="", kind="solve", statement="", formula="", papers=(), claims=(), caption="",
        theory=lambda cube: cube, figure=lambda *a: None, shape=("depth",), parameters=own, variables=VARIABLES,
    )  # fmt: skip
    dims = {"depth": {"depth": [1, 3]}, "size": {"rule": ["sgd", "adam"], "lr": [0.5, 0.1]}, "seed": {"seed": [0, 1]}}
    return Sweep("toy", study, Point(dims=dims, fixed={}, measures=[], shard_runs=8), "smoke", {})


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


def test_every_result_lies_at_its_own_coordinates(sweep, pieces):
    cube = assemble(sweep, pieces, VARIABLES)
    assert cube["error"].dims == ("depth", "size", "seed")
    assert cube["error"].sel(depth=3, size=1, seed=1) == 7
    assert cube["lr"].values.tolist() == [0.5, 0.1]
    np.testing.assert_allclose(cube["loss"].sel(depth=3, size=0, seed=0, step=[0, 10]), [4, 4.1])


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
