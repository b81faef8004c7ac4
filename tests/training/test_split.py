import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlatlas.declare.study import load_study
from dlatlas.planning.plan import Plan, Settings
from dlatlas.training import device
from dlatlas.training.fit import fit_stack
from dlatlas.training.split import fit_split
from dlatlas.training.stack import stack_of

ROOT = Path(__file__).parents[2]
STUDY = "catapult_phase"


@pytest.fixture
def stack(tmp_path):
    sweep = Plan(Settings.read({"scale": "smoke", "studies": STUDY}, ROOT)).sweep(STUDY)
    plan = sweep.shards[0].stacks[0]
    return stack_of(sweep, replace(plan, index=plan.index[:7]), tmp_path)


@pytest.mark.slow
def test_two_processes_train_what_one_does(stack, tmp_path):
    whole = fit_stack(stack, load_study(STUDY), tmp_path / "whole")
    split = fit_split(stack, STUDY, tmp_path / "split", ["", ""])
    assert set(whole) == set(split)
    for name, value in whole.items():
        assert split[name].dtype == value.dtype
        np.testing.assert_allclose(split[name], value, rtol=1e-9, err_msg=name)
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_one_process_is_told(stack, tmp_path):
    spoilt = replace(stack, shared={**stack.shared, "model": "no_such_model"})
    with pytest.raises(Exception, match="no_such_model"):
        fit_split(spoilt, STUDY, tmp_path / "split", ["", ""])


def test_a_stack_is_split_over_the_gpus_that_slurm_gave(monkeypatch):
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert device.gpus() == []
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert device.gpus() == ["2", "3"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,3"
