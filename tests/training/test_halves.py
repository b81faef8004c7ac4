"""Stacks that do not fit into memory, and runs that raise."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlatlas.errors import AtlasError, InputError, UntrainableError
from dlatlas.training import halves
from dlatlas.training.halves import in_halves, joined


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Looking for garbage takes a tenth of a second; here there is none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(halves, "_free", lambda: None)
        yield


@given(size=st.integers(1, 40), room=st.integers(1, 40), bad=st.sets(st.integers(0, 39)))
def test_every_row_is_computed_once_in_parts_that_fit_and_bad_rows_fail_alone(size, room, bad):
    def compute(rows):
        if len(rows) > room:
            raise MemoryError
        if bad & set(rows.tolist()):
            raise ZeroDivisionError("bad\nrow")
        return {"square": rows.astype(float) ** 2, "row": rows}

    parts, failed = in_halves(np.arange(size), compute, "here")
    good = [row for row in range(size) if row not in bad]
    assert failed == {row: "ZeroDivisionError: bad row" for row in range(size) if row in bad}
    assert [row for rows, _ in parts for row in rows] == good
    assert all(len(rows) <= room for rows, _ in parts)
    if good:
        arrays = joined(parts, size)
        np.testing.assert_array_equal(arrays["square"], [row**2 if row not in bad else np.nan for row in range(size)])
        np.testing.assert_array_equal(arrays["row"], [row if row not in bad else -1 for row in range(size)])


def numpy_asks_too_much():
    np.empty(2**50)


def torch_asks_too_much():
    torch.empty(2**50)


def python_asks_too_much():
    raise MemoryError


def a_gpu_is_full():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of")


GREEDY = {
    numpy_asks_too_much: ": it asks for 8.00 PiB at once",
    torch_asks_too_much: ": it asks for 4194304.00 GiB at once",
    python_asks_too_much: "",
    a_gpu_is_full: ": it asks for 2.50 GiB at once",
}


@pytest.mark.parametrize("greedy", GREEDY, ids=lambda greedy: greedy.__name__)
@pytest.mark.parametrize("isolate", [True, False])
def test_one_run_that_does_not_fit_is_one_line_that_says_how_much_it_wants(greedy, isolate):
    with pytest.raises(AtlasError) as caught:
        in_halves(np.arange(4), lambda rows: greedy(), "study toy", isolate)
    assert str(caught.value) == f"study toy: one run alone does not fit into memory{GREEDY[greedy]}"


def test_what_we_tell_in_one_line_is_not_tried_again():
    calls = []

    def compute(rows):
        calls.append(len(rows))
        raise InputError("no such thing")

    with pytest.raises(InputError, match="no such thing"):
        in_halves(np.arange(4), compute, "here")
    assert calls == [4]


@pytest.mark.parametrize("whole", [True, False])
def test_networks_that_cannot_be_trained_fail_alone_or_together(whole):
    calls = []

    def compute(rows):
        calls.append(len(rows))
        if 2 in rows:
            raise UntrainableError("no such layer", whole)
        return {"row": rows}

    parts, failed = in_halves(np.arange(4), compute, "here")
    assert failed == dict.fromkeys(range(4) if whole else [2], "no such layer")
    assert [row for rows, _ in parts for row in rows] == ([] if whole else [0, 1, 3])
    assert calls == ([4] if whole else [4, 2, 2, 1, 1])
    with pytest.raises(UntrainableError, match="no such layer"):
        in_halves(np.arange(4), compute, "here", isolate=False)


def test_an_error_that_is_not_of_memory_is_passed_on_where_nothing_may_fail_alone():
    def compute(rows):
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError, match="a bug"):
        in_halves(np.arange(4), compute, "here", isolate=False)


SCRIPT = """
import json, resource, runpy, sys
from pathlib import Path
import torch
from dlatlas.declare import sweep
from dlatlas.measures import job as measures
from dlatlas.training import fit, job
job_tests, home, room = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
toy = runpy.run_path(job_tests)
sweep.Sweep.code = lambda self, shared: "code"
sizes = {"trained": [], "measured": []}
fit_stack, measure_stack = fit.fit_stack, measures.measure_stack

def train(stack, *rest):
    sizes["trained"].append(len(stack))
    return fit_stack(stack, *rest)

def measure(stack, *rest):
    sizes["measured"].append(len(stack))
    return measure_stack(stack, *rest)

fit.fit_stack, measures.measure_stack = train, measure
toy["compute"](toy["make"](kind="train", seed=[99], steps=[2]), home / "warm")  # all that is imported late
swept = toy["make"](kind="train", shard_runs=16, seed=range(16), n_train=[int(sys.argv[4])], steps=[2])
sizes["trained"].clear()
if room:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room * 2**20, -1))
(manifest,) = toy["compute"](swept, home)
shard = swept.shards[0]
measures.measure_shard(swept, shard, home / f"{shard.digest}.json", home / "m" / "m.json", home)
print(json.dumps({**sizes, "status": manifest["status"]}))
"""


def computed(home, megabytes, examples=100_000):
    """Trains and measures 16 runs in a process that gets so much memory more than it has once all is imported."""
    words = [sys.executable, "-c", SCRIPT, str(Path(__file__).with_name("test_job.py")), str(home)]
    return subprocess.run(
        [*words, str(megabytes), str(examples)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MALLOC_ARENA_MAX": "1"},
    )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space by /proc/self/statm")
def test_a_stack_that_does_not_fit_is_halved_and_ends_equal(tmp_path):
    done = {room: computed(tmp_path / str(room), room) for room in (0, 100)}
    told = {}
    for room, process in done.items():
        assert process.returncode == 0, process.stderr[-2000:]
        told[room] = json.loads(process.stdout.splitlines()[-1])
        assert told[room]["status"] == {"ok": 16, "diverged": 0, "failed": 0}
    assert told[0]["trained"] == told[0]["measured"] == [16]
    assert told[100]["trained"][0] == 16
    assert told[100]["trained"][1] == 8
    assert told[100]["measured"][:2] == [16, 8]
    for name in ("*.safetensors", "m/*.safetensors"):
        (one,), (two,) = (list((tmp_path / room).glob(name)) for room in ("0", "100"))
        from dlatlas.identity.store import read_arrays

        expected, found = read_arrays(one), read_arrays(two)
        assert set(found) == set(expected)
        for key, value in expected.items():
            np.testing.assert_allclose(found[key], value, rtol=1e-5, atol=1e-7, err_msg=key)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space by /proc/self/statm")
def test_a_run_that_alone_does_not_fit_is_one_line(tmp_path):
    done = computed(tmp_path, 100, examples=5_000_000)
    assert done.returncode != 0
    line = done.stderr.splitlines()[-1]
    assert "study toy: one run alone does not fit into memory: it asks for 114. MiB at once" in line
