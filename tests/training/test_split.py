import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlatlas.planning.plan import Plan, Settings
from dlatlas.training import device
from dlatlas.training.fit import fit_stack
from dlatlas.training.split import fit_split
from dlatlas.training.stack import stack_of

ROOT = Path(__file__).parents[2]
STUDY = "catapult_phase"


@pytest.fixture(scope="module")
def sweep():
    return Plan(Settings.read({"scale": "smoke", "studies": STUDY}, ROOT)).sweep(STUDY)


@pytest.fixture
def stack(sweep, tmp_path):
    plan = sweep.shards[0].stacks[0]
    return stack_of(sweep, replace(plan, index=plan.index[:7]), tmp_path)


@pytest.mark.slow
def test_two_processes_train_what_one_does(stack, sweep, tmp_path):
    whole = fit_stack(stack, sweep.study, tmp_path / "whole")
    split = fit_split(stack, sweep.study.module, tmp_path / "split", ["", ""])
    assert set(whole) == set(split)
    for name, value in whole.items():
        assert split[name].dtype == value.dtype
        np.testing.assert_allclose(split[name], value, rtol=1e-9, err_msg=name)
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_one_process_is_told(stack, sweep, tmp_path):
    spoilt = replace(stack, things={**stack.things, "model": "dlatlas.models.mlp:NoSuchModel"})
    with pytest.raises(Exception, match="defines no NoSuchModel"):
        fit_split(spoilt, sweep.study.module, tmp_path / "split", ["", ""])


def test_a_stack_is_split_over_the_gpus_that_slurm_gave(monkeypatch):
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert device.gpus() == []
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert device.gpus() == ["2", "3"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,3"
