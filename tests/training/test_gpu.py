"""On a GPU: the numbers of the processor, the same twice, whatever records or compiles the step."""

import gc
import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from dlatlas.declare.study import Study
from dlatlas.training import ensemble, fit
from dlatlas.training.build import build
from dlatlas.training.device import arithmetic
from dlatlas.training.ensemble import StackedEnsemble
from dlatlas.training.fit import fit_stack
from dlatlas.training.halves import in_halves, joined

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")

STUDY = Study(
    title="", rows=(), kind="train", says="", formula="", papers=(), parameters={}, claims=(),
    theory=lambda cube: cube, figure=lambda *rest: None, caption="",
)  # fmt: skip
RULES = ("sgd", "momentum", "nesterov", "adam")
RUNS = [{"lr": 0.01 * (1 + seed), "seed": seed} for seed in range(5)]


def train(stack, device="gpu"):
    module = StackedEnsemble(build(stack))
    with warnings.catch_warnings(), arithmetic(stack["precision"]):
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            accelerator=device, devices=1, max_epochs=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(module)
    return module


def same(one, other, **tolerance):
    for name, value in one.progress.parameters.items():
        torch.testing.assert_close(other.progress.parameters[name].cpu(), value.cpu(), **tolerance)
    torch.testing.assert_close(other.progress.trace.cpu(), one.progress.trace.cpu(), **tolerance)
    assert list(one.kept) == list(other.kept)


@pytest.mark.parametrize("batch", [0, 5])
@pytest.mark.parametrize("rule", RULES)
def test_it_trains_as_the_processor_does(stack_of, rule, batch):
    stack = stack_of(RUNS, optimizer=rule, batch=batch, steps=43)
    module = train(stack)
    assert module._captured is not None
    same(train(stack, "cpu"), module, rtol=1e-9, atol=1e-11)


def test_fresh_examples_and_noisy_votes_are_those_of_the_processor(stack_of):
    votes = {"workers": 3, "batch": 2, "aggregator": "vote", "attack": "random_sign", "adversaries": 1, "scale": 1.0}
    stack = stack_of(RUNS, optimizer="majority_vote", steps=43, **votes)
    same(train(stack, "cpu"), train(stack), rtol=1e-9, atol=1e-11)


def test_recorded_steps_give_the_numbers_of_launched_ones(stack_of, monkeypatch):
    stack = stack_of(RUNS, optimizer="adam", batch=5, steps=43)
    recorded = train(stack)
    monkeypatch.setattr(StackedEnsemble, "_recorded", lambda self, given: None)
    launched = train(stack)
    assert launched._captured is None
    same(launched, recorded, rtol=0, atol=0)


def test_a_compiled_step_gives_the_same_numbers(stack_of, monkeypatch):
    stack = stack_of(RUNS, optimizer="adam", batch=5, steps=43)
    traced = train(stack)
    monkeypatch.setattr(ensemble, "COMPILE_FROM", 0.0)
    same(traced, train(stack), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bf16", "float64"])
@pytest.mark.parametrize("model", ["mlp", "conv_net"])
def test_the_same_twice_bit_for_bit(stack_of, model, precision):
    how = {"inputs": 9, "width": 4, "depth": 1} if model == "conv_net" else {}
    stack = stack_of(RUNS, model=model, batch=5, precision=precision, steps=60, **how)
    same(train(stack), train(stack), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("precision", "least", "most"), [("float32", 0, 2e-6), ("tf32", 1e-6, 3e-3), ("bf16", 1e-5, 3e-2)]
)
def test_tensor_cores_round_as_much_as_their_formats_say(stack_of, precision, least, most):
    """Unit round-off 2^-24, 2^-11 and 2^-9 in the products of one step."""
    how = {"width": 256, "steps": 1, "inputs": 256, "n_train": 512}
    exact = train(stack_of(RUNS, **how)).progress
    found = train(stack_of(RUNS, precision=precision, **how)).progress
    start = build(stack_of(RUNS, **how)).parameters
    for name, value in exact.parameters.items():
        step = value.cpu() - start[name]
        error = (found.parameters[name].cpu().double() - start[name].float().double() - step).norm() / step.norm()
        assert error < most + 3e-6 * start[name].norm() / step.norm()
        assert least <= error or not name.startswith("layers.0.w")


def test_a_run_ends_after_1000_steps_as_it_does_among_511_others(stack_of):
    how = {"steps": 1000, "batch": 6, "precision": "float32", "n_train": 240}
    mine = {"seed": 3, "lr": 0.05}
    company = [{"seed": 10 + i, "lr": 0.0001 * i} for i in range(511)]
    together = train(stack_of([*company[:200], mine, *company[200:]], **how)).progress
    for name, value in train(stack_of([mine], **how)).progress.parameters.items():
        torch.testing.assert_close(together.parameters[name][200], value[0], rtol=1e-5, atol=1e-5)


def test_a_training_killed_and_resumed_ends_with_equal_numbers(stack_of, tmp_path, monkeypatch):
    stack = stack_of(RUNS, optimizer="adam", batch=5, steps=400)
    whole = fit_stack(stack, STUDY, tmp_path / "whole")
    monkeypatch.setattr(fit, "SAVE_EVERY", 0.0)
    losses = StackedEnsemble._losses

    def killed(self, first, last):
        if last > 200:
            raise SystemExit
        return losses(self, first, last)

    monkeypatch.setattr(StackedEnsemble, "_losses", killed)
    with pytest.raises(SystemExit):
        fit_stack(stack, STUDY, tmp_path / "killed")
    assert (tmp_path / "killed").is_file()
    monkeypatch.setattr(StackedEnsemble, "_losses", losses)
    resumed = fit_stack(stack, STUDY, tmp_path / "killed")
    for name, value in whole.items():
        np.testing.assert_array_equal(resumed[name], value)


def test_a_stack_that_does_not_fit_is_trained_in_halves(stack_of, tmp_path):
    runs = [{"lr": 0.01, "seed": seed} for seed in range(64)]
    stack = stack_of(runs, width=2048, inputs=256, n_train=256, steps=8, precision="float32")
    whole = fit_stack(stack, STUDY, tmp_path / "progress")
    parts = []

    def compute(rows):
        parts.append(len(rows))
        return fit_stack(replace(stack, runs=[stack.runs[row] for row in rows]), STUDY, tmp_path / "progress")

    gc.collect()
    torch.cuda.empty_cache()
    ballast = torch.empty(torch.cuda.mem_get_info()[0] - 400_000_000, dtype=torch.uint8, device="cuda")
    found, failed = in_halves(np.arange(64), compute, "study")
    del ballast
    assert not failed
    found = joined(found, 64)
    assert parts[0] == 64
    assert len(parts) > 2
    for name, value in whole.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_diverging_run_leaves_its_neighbours_alone(stack_of):
    calm = [{"lr": 0.05, "seed": 0}, {"lr": 0.05, "seed": 1}]
    together = train(stack_of([calm[0], {"lr": 1e6, "seed": 2}, calm[1]], steps=60)).progress
    alone = train(stack_of(calm, steps=60)).progress
    assert together.diverged_at.tolist()[::2] == [-1, -1]
    assert 0 < together.diverged_at[1] < math.inf
    for name, value in alone.parameters.items():
        torch.testing.assert_close(together.parameters[name][[0, 2]], value)
