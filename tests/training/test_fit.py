"""An interrupted training: what is kept of it, and what is not trusted."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlatlas.identity.store import read_sealed, write_sealed
from dlatlas.training.build import build
from dlatlas.training.ensemble import StackedEnsemble
from dlatlas.training.fit import _restore, fit_stack, save_state

RUNS = [{"seed": 0}, {"seed": 1, "lr": 0.05}]


class Bare:
    """A study without ``setup``."""

    setup = None


def module_of(stack, steps=0):
    module = StackedEnsemble(build(stack))
    for chunk in pairwise(sorted({0, steps, *(step for step in module.due if step < steps)})):
        module.training_step(chunk, 0)
    return module


def snapshot(module):
    return copy.deepcopy((module.progress, module.kept))


def equal(one, two):
    """Every number of two (progress, kept), NaN equal to NaN."""
    flat = [[], []]
    for state, found in zip((one, two), flat):
        progress, kept = state
        found.append(torch.tensor(progress.step))
        found += [progress.trace, progress.peak, progress.peak_step, progress.diverged_at]
        for group in (progress.parameters, *progress.state.values(), *(kept[step] for step in sorted(kept))):
            found += [group[name] for name in sorted(group)]
    return len(flat[0]) == len(flat[1]) and all(torch.equal(a.nan_to_num(9), b.nan_to_num(9)) for a, b in zip(*flat))


@pytest.fixture
def saved(stack_of, tmp_path):
    """A stack, its fresh state, its state after 12 of 20 steps, and the file in which the latter is kept."""
    stack = stack_of(RUNS, optimizer="adam", checkpoints=4)
    module = module_of(stack, 12)
    path = tmp_path / "x.progress"
    save_state(module, path)
    return stack, snapshot(module_of(stack)), snapshot(module), path


def test_a_whole_state_is_restored(saved):
    stack, fresh, later, path = saved
    module = module_of(stack)
    _restore(module, path)
    assert equal(snapshot(module), later)
    assert not equal(snapshot(module), fresh)
    assert path.exists()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10**9), cut=st.booleans())
def test_a_state_cut_or_changed_anywhere_is_discarded_as_a_whole(saved, position, cut):
    stack, fresh, _, path = saved
    whole = path.read_bytes()
    content = bytearray(whole)
    position %= len(content)
    content[position] ^= 1 << (position % 8)
    path.write_bytes(content[:position] if cut else content)
    module = module_of(stack)
    _restore(module, path)
    assert equal(snapshot(module), fresh)
    assert not path.exists()
    path.write_bytes(whole)


def missing(arrays):
    del arrays["state/second/layers.1.bias"]


def superfluous(arrays):
    arrays["parameters/layers.9.weight"] = np.zeros((2, 1))


def other_shape(arrays):
    arrays["parameters/layers.0.weight"] = arrays["parameters/layers.0.weight"][:, :-1]


def other_runs(arrays):
    arrays["peak"] = np.append(arrays["peak"], 0.0)


def other_type(arrays):
    arrays["parameters/layers.0.weight"] = arrays["parameters/layers.0.weight"].astype(np.float32)


def other_start(arrays):
    arrays["kept/0/layers.0.weight"] = arrays["kept/0/layers.0.weight"] + 1


def lost_checkpoint(arrays):
    for name in [name for name in arrays if name.startswith("kept/3/")]:
        del arrays[name]


def too_late(arrays):
    arrays["step"] = np.array([21])


def no_step(arrays):
    del arrays["step"]


def step_of_no_number(arrays):
    arrays["step"] = np.zeros((0,), dtype=np.int64)


SPOILT = [
    missing, superfluous, other_shape, other_runs, other_type, other_start, lost_checkpoint, too_late, no_step,
    step_of_no_number,
]  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILT, ids=lambda spoil: spoil.__name__)
def test_a_state_of_other_content_is_discarded_as_a_whole(saved, spoil):
    stack, fresh, _, path = saved
    arrays = read_sealed(path)
    assert "kept/3/layers.0.weight" in arrays
    spoil(arrays)
    write_sealed(path, arrays)
    module = module_of(stack)
    _restore(module, path)
    assert equal(snapshot(module), fresh)
    assert not path.exists()


@pytest.mark.parametrize("spoil", [None, other_shape, "cut"])
def test_whatever_lies_there_the_training_ends_with_equal_numbers(saved, spoil, tmp_path):
    stack, _, _, path = saved
    if spoil == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif spoil:
        arrays = read_sealed(path)
        spoil(arrays)
        write_sealed(path, arrays)
    expected = fit_stack(stack, Bare, tmp_path / "none")
    found = fit_stack(stack, Bare, path)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    assert not path.exists()
