import pytest
import torch

from dlatlas.training.device import accelerator, device_name


@pytest.mark.parametrize(
    ("job", "visible", "cuda", "asked"),
    [
        (None, None, True, "auto"),
        (None, "0", False, "auto"),
        ("7", None, True, "cpu"),  # the GPUs of others, on a node without cgroups
        ("7", "NoDevFiles", True, "cpu"),
        ("7", "2", True, "gpu"),
        ("7", "2", False, "cpu"),
    ],
)
def test_a_job_uses_a_gpu_only_if_it_was_given_one(monkeypatch, capsys, job, visible, cuda, asked):
    for name, value in (("SLURM_JOB_ID", job), ("CUDA_VISIBLE_DEVICES", visible)):
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    assert accelerator() == asked
    assert ("computed on the processor" in capsys.readouterr().err) == ((job, visible, cuda) == ("7", "2", False))


def test_a_processor_is_named_so():
    if not torch.cuda.is_available():
        assert device_name() == "cpu"
