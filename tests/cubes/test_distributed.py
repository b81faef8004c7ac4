import numpy as np
import pytest
import xarray as xr

from dlatlas.cubes.cube import write_cube

distributed = pytest.importorskip("distributed")


@pytest.mark.slow
def test_two_workers_of_dask_compute_on_a_cube_what_one_process_does(tmp_path):
    values = np.random.default_rng(1).normal(size=(400, 5000))
    cube = xr.Dataset({"error": (("n", "seed"), values)}, {"n": np.arange(400), "seed": np.arange(5000)})
    write_cube(cube, tmp_path / "cube.zarr")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "local_directory": tmp_path / "dask"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        error = xr.open_zarr(tmp_path / "cube.zarr", chunks={})["error"]
        held = error.persist()
        distributed.wait(held)
        assert len({worker for workers in client.who_has(held.data).values() for worker in workers}) == 2
        curve = error.mean("seed").compute()
    np.testing.assert_allclose(curve, values.mean(axis=1), rtol=1e-12)
