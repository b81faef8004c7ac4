"""The cube of a million runs: how fast it is written and opened, and what one slice of it reads.

The results are made up (no training) and lie on disk as a sweep leaves them: shards of 4096 runs, whose runs are not
neighbours in the cube. Raw Zarr writes the same numbers, already in memory, with the same chunks, files and codec.
"""

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from timing import seconds
from zarr.storage import LocalStore, WrapperStore

from dlatlas.cubes.assembly import assemble, gather
from dlatlas.cubes.cube import quiet_zarr, write_cube
from dlatlas.declare.parameter import count, number
from dlatlas.declare.params import Point
from dlatlas.declare.study import Study
from dlatlas.declare.sweep import Sweep
from dlatlas.declare.variable import Variable
from dlatlas.identity.store import write_arrays, write_json

NUMBERS = 64
"""Numbers of the large variable of each run: 512 MB of a million runs."""
ROUNDS = 3
STUDY = Study(
    title="", rows=("bench",), kind="solve", says="", formula="", papers=(), claims=(), caption="",
    theory=lambda cube: cube, figure=lambda *rest: None, shape=("width",),
    parameters={"rate": number(1.0, "rate"), "width": count(1, "width")},
    variables={
        "curve": Variable("made up", dims={"time": None}),
        "loss": Variable("made up"),
    },
    module="dltheory.sampling.langevin_escape_kramers",  # whose code names the shards
)  # fmt: skip


def fabricate(home: Path, rates: int = 500, seeds: int = 1000) -> Sweep:
    """Writes the results of ``2 rates seeds`` runs under ``home/shards`` and returns their sweep."""
    axes = {"rate": np.linspace(0, 1, rates).tolist(), "width": [1, 2], "seed": list(range(seeds))}
    dims = {name: {name: values} for name, values in axes.items()}
    sweep = Sweep(STUDY, Point(dims=dims, fixed={}, measures=[], shard_runs=4096), "", Path("unused"))
    for shard in sweep.shards:
        arrays = {}
        for place, stack in enumerate(shard.stacks):
            values = {"curve": curve(stack.index), "loss": loss(stack.index)}
            values["status"] = np.zeros(len(stack.index), dtype=np.int8)
            arrays |= {f"{place}/{name}": value for name, value in values.items()}
        path = home / "shards" / f"{shard.digest}.json"
        sha256 = write_arrays(path.with_suffix(".safetensors"), arrays)
        write_json(path, {"sha256": sha256, "stacks": [{} for _ in shard.stacks]})
    return sweep


def curve(runs: NDArray[np.int64]) -> NDArray[np.float64]:
    """``(run, time)``: numbers that do not compress better than noise."""
    return np.sin((1.1 * runs[:, None] + 0.7) * np.sqrt(np.arange(NUMBERS) + 2))


def loss(runs: NDArray[np.int64]) -> NDArray[np.float64]:
    """``(run,)``."""
    return np.cos(1.3 * runs)


class Counting(WrapperStore):
    """A store that counts the bytes that are read of each file."""

    def __init__(self, store: LocalStore) -> None:
        super().__init__(store)
        self.read: dict[str, int] = {}

    async def get(self, key: str, *rest: Any, **options: Any) -> Any:  # noqa: ANN401
        """The store's own, counted."""
        found = await super().get(key, *rest, **options)
        if found is not None:
            self.read[key] = self.read.get(key, 0) + len(found)
        return found


def raw(cube: xr.Dataset, grids: dict[str, dict[str, Any]], path: Path) -> None:
    """The same arrays by Zarr alone."""
    group = zarr.open_group(path, mode="w", zarr_format=3)
    for name, grid in grids.items():
        group.create_array(name, shape=cube[name].shape, dtype=cube[name].dtype, **grid)[...] = cube[name].values


def rows() -> list[dict[str, Any]]:
    """Medians over rounds in which each takes its turn."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        sweep = fabricate(home)

        def write() -> None:
            write_cube(assemble(sweep, *gather(sweep, home, {})), home / "cube.zarr")

        write()
        with quiet_zarr():
            cube = xr.open_zarr(home / "cube.zarr")
            grids = {name: {key: cube[name].encoding[key] for key in ("chunks", "shards")} for name in cube.data_vars}
            loaded = cube.load()
            speeds, opened = [], []
            for _ in range(ROUNDS):
                theirs = seconds(lambda: raw(loaded, grids, home / "raw.zarr"))
                speeds.append(theirs / seconds(write))
                opened.append(1 / seconds(lambda: xr.open_zarr(home / "cube.zarr")))
            chunk = _slice(home / "cube.zarr")
    workload = f"cube of {sweep.size:,} runs, {loaded.nbytes / 1e6:.0f} MB"
    return [
        {"workload": workload, "against": against, "ratio": statistics.median(v), "low": min(v), "high": max(v),
         "goal": goal}
        for against, v, goal in (
            ("raw Zarr write, numbers already in memory", speeds, 0.5),
            ("one second to open it", opened, 1.0),
            ("bytes of the one chunk that holds a slice, over bytes read for it", [chunk], 1.0),
        )
    ]  # fmt: skip


def _slice(path: Path) -> float:
    """Bytes of the one chunk that holds a run's curve, uncompressed, over those that are read for it."""
    store = Counting(LocalStore(path, read_only=True))
    cube = xr.open_zarr(store, chunks=None)  # still lazy; Dask would read through a copy of the store
    store.read.clear()
    cube["curve"].isel(rate=-1, width=0, seed=3).load()
    return float(np.prod(cube["curve"].encoding["chunks"])) * 8 / sum(store.read.values())


if __name__ == "__main__":
    sys.stdout.write(json.dumps(rows(), indent=1) + "\n")
