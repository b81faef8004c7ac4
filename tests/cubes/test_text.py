"""Text in a store: what other readers than Python's make of it, and of that in older cubes."""

import json
import shutil
import subprocess
import warnings

import numpy as np
import pytest
import xarray as xr

from dlatlas.cubes.cube import cube_digest, open_cube, quiet_zarr, write_cube

NAMES = ["sgd", "größer", ""]

READER = """
import * as zarr from "zarrita";
import { readFile } from "node:fs/promises";
const store = { async get(key) { try { return await readFile(process.argv[2] + key); } catch { return undefined; } } };
const root = zarr.root(store), found = {};
for (const name of process.argv.slice(3)) {
  const array = await zarr.open.v3(root.resolve(name), { kind: "array" });
  const { data, shape } = await zarr.get(array);
  const values = Array.from(data, value => typeof value === "bigint" ? Number(value) : value);
  found[name] = { shape, type: array.dtype, data: values };
}
console.log(JSON.stringify(found));
"""


@pytest.fixture
def cube():
    text = np.array(NAMES)
    return xr.Dataset(
        {"loss": (("optimizer", "seed"), np.arange(6.0).reshape(3, 2), {"units": "1"})},
        {
            "optimizer": ("optimizer", text, {"long_name": "update rule"}),
            "rule": ("optimizer", text[::-1], {"long_name": "another"}),
            "seed": [3, 4],
        },
        {"fixed": "{}"},
    )


def test_text_is_written_for_every_reader_and_read_as_it_was(cube, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_cube(cube, tmp_path / "cube.zarr")
    for name in ("optimizer", "rule"):
        held = json.loads((tmp_path / "cube.zarr" / name / "zarr.json").read_text())
        assert held["data_type"] == "string"
        assert held["codecs"][0]["name"] == "vlen-utf8"
    found = open_cube(tmp_path / "cube.zarr")
    xr.testing.assert_identical(found.load(), cube)
    assert (found["optimizer"].dtype, found["rule"].dtype) == (cube["optimizer"].dtype, cube["rule"].dtype)
    assert float(xr.open_zarr(tmp_path / "cube.zarr").loss.sel(optimizer="größer", seed=4)) == 3


def test_equal_text_gives_equal_bytes(cube, tmp_path):
    for name in ("a", "b"):
        write_cube(cube, tmp_path / name)
    assert cube_digest(tmp_path / "a") == cube_digest(tmp_path / "b")


def test_cubes_with_text_of_fixed_length_still_open(cube, tmp_path):
    with quiet_zarr():
        cube.to_zarr(tmp_path / "old.zarr", zarr_format=3, consolidated=True)
    held = json.loads((tmp_path / "old.zarr" / "optimizer" / "zarr.json").read_text())
    assert held["data_type"]["name"] == "fixed_length_utf32"
    xr.testing.assert_identical(open_cube(tmp_path / "old.zarr").load(), cube)


@pytest.fixture(scope="module")
def zarrita(tmp_path_factory):
    """A folder with zarrita, a reader in JavaScript, or the reason why there is none."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("no node and npm: a reader that is not Python's cannot be tried")
    home = tmp_path_factory.mktemp("zarrita")
    words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "zarrita@0.7.5"]
    try:
        done = subprocess.run(words, cwd=home, capture_output=True, text=True, check=False, timeout=60)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not fetch zarrita within a minute")
    if done.returncode:
        pytest.skip(f"npm cannot fetch zarrita: {done.stderr.strip().splitlines()[-1:]}")
    (home / "read.mjs").write_text(READER)
    return home


def test_a_reader_that_is_not_python_reads_numbers_and_text(cube, zarrita, tmp_path):
    write_cube(cube, tmp_path / "cube.zarr")
    words = ["node", "read.mjs", str(tmp_path / "cube.zarr"), "optimizer", "rule", "seed", "loss"]
    done = subprocess.run(words, cwd=zarrita, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["optimizer"]["data"] == NAMES
    assert found["rule"]["data"] == NAMES[::-1]
    assert found["seed"]["data"] == [3, 4]
    assert found["loss"] == {"shape": [3, 2], "type": "float64", "data": [0, 1, 2, 3, 4, 5]}
