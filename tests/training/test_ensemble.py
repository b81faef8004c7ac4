import shutil
import warnings

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from torch.func import functional_call

from dlatlas.declare import registry
from dlatlas.training import ensemble
from dlatlas.training.build import build
from dlatlas.training.ensemble import StackedEnsemble
from dlatlas.training.order import epoch_order, order_keys
from dlatlas.training.steps import checkpoint_steps

RULES = ("sgd", "momentum", "nesterov", "adam", "signsgd")


def train(stack):
    module = StackedEnsemble(build(stack))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(module)
    return module


def by_hand(stack, run, batches):
    """The plain PyTorch loop: one network, ``.backward()``, the library's own optimizer."""
    built = build(stack)
    weights = {name: value[run].clone().requires_grad_() for name, value in built.parameters.items()}
    p = stack.runs[run]
    optimizer = {
        "sgd": lambda w: torch.optim.SGD(w, p["lr"]),
        "momentum": lambda w: torch.optim.SGD(w, p["lr"], momentum=p["momentum"]),
        "nesterov": lambda w: torch.optim.SGD(w, p["lr"], momentum=p["momentum"], nesterov=True),
        "adam": lambda w: torch.optim.Adam(w, p["lr"], betas=(p["momentum"], p["beta2"]), eps=p["eps"]),
    }[p["optimizer"]](list(weights.values()))
    x, y = built.x[built.which[run]], built.y[built.which[run]]
    losses = []
    for chosen in batches:
        optimizer.zero_grad()
        output = functional_call(built.model, (weights, {}), (x[chosen],))
        loss = 0.5 * (output - y[chosen]).square().sum(1).mean()
        (loss + 0.5 * p["weight_decay"] * sum(w.square().sum() for w in weights.values())).backward()
        losses.append(loss.item())
        optimizer.step()
    return {name: value.detach() for name, value in weights.items()}, losses


@pytest.mark.parametrize("rule", RULES[:4])
def test_a_stack_trains_each_network_as_a_plain_loop_would(stack_of, rule):
    runs = [{"lr": lr, "seed": seed, "momentum": m} for lr, seed, m in [(0.05, 0, 0.9), (0.2, 1, 0.5), (0.01, 0, 0.3)]]
    stack = stack_of(runs, optimizer=rule, weight_decay=0.01)
    module = train(stack)
    for run in range(3):
        weights, losses = by_hand(stack, run, [slice(None)] * 20)
        for name, value in weights.items():
            torch.testing.assert_close(module.progress.parameters[name][run], value, rtol=1e-9, atol=1e-12)
        penalty = 0.5 * 0.01 * sum(v[run].square().sum() for v in module.built.parameters.values())
        assert module.progress.trace[0, run] == pytest.approx(losses[0] + float(penalty), rel=1e-9)


def test_minibatches_are_those_of_the_run_s_own_order_stream(stack_of):
    stack = stack_of([{"lr": 0.1, "seed": seed} for seed in range(2)], batch=5, steps=9)
    module = train(stack)
    for run in range(2):
        batches = []
        for epoch in range(3):
            order = epoch_order(order_keys([stack.key(run)]), epoch, 24)[0].numpy()
            batches += [order[i * 5 : i * 5 + 5] for i in range(4)]
        weights, losses = by_hand(stack, run, batches[:9])
        torch.testing.assert_close(module.progress.parameters["layers.0.weight"][run], weights["layers.0.weight"])
        np.testing.assert_allclose(module.progress.trace[:, run].numpy(), losses, rtol=1e-9)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(company=st.integers(1, 60), rule=st.sampled_from(RULES), data=st.data())
def test_a_run_alone_and_among_others_ends_equal(stack_of, company, rule, data):
    place = data.draw(st.integers(0, company))
    mine = {"seed": 3, "lr": 0.02}
    others = [{"seed": 100 + i, "lr": 0.001 * (1 + i)} for i in range(company)]
    how = {"optimizer": rule, "precision": "float32", "steps": 60, "batch": 6}
    together = train(stack_of([*others[:place], mine, *others[place:]], **how)).progress.parameters
    alone = train(stack_of([mine], **how)).progress.parameters
    for name, value in alone.items():
        torch.testing.assert_close(together[name][place], value[0], rtol=1e-4, atol=1e-5)


MODELS = {
    "mlp": {"inputs": 6, "width": 5},
    "scaled_two_layer": {"inputs": 6, "width": 8, "scale_exponent": 0.5},
    "conv_net": {"inputs": 9, "width": 2, "depth": 1},
    "linear_predictor": {"inputs": 6, "dimension": 6, "start": 0.5},
}

STABLE = {
    "sgd": 0.05, "momentum": 0.005, "nesterov": 0.005, "adam": 0.002, "signsgd": 0.001, "majority_vote": 0.001,
    "unit_speed_flow": 0.0005, "steepest_descent": 0.005, "mirror_descent": 0.002,
    "dual_acceleration": 0.0001,
}  # fmt: skip
"""Step sizes well inside each rule's stable range on these problems: beyond it rounding errors grow without bound."""

VOTES = {"workers": 3, "batch": 2, "aggregator": "vote", "attack": "random_sign", "adversaries": 1, "scale": 1.0}

GEOMETRY = {"steepest_descent": {"norm": "l4/3", "decay": 0.1}, "mirror_descent": {"norm": "l1.5", "decay": 0.1}}

COMPANIES = [(model, rule) for rule in registry.named("optimizers", ("dlatlas",)) for model in MODELS
             if (model == "linear_predictor") == (rule == "unit_speed_flow")]  # fmt: skip
"""Unit-speed flow keeps its clock among the parameters of the one model that has it."""


@pytest.mark.slow
@pytest.mark.parametrize(("model", "rule"), COMPANIES)
def test_a_run_ends_after_1000_steps_as_it_does_among_511_others(stack_of, model, rule):
    """Rules that use the sign of a gradient, or a root, are followed in float64, where rounding does not flip it."""
    signs = rule in ("signsgd", "majority_vote", *GEOMETRY)
    how = {"model": model, "optimizer": rule, "steps": 1000, "batch": 6, "precision": "float64" if signs else "float32"}
    how |= {"n_train": 240} | MODELS[model] | (VOTES if rule == "majority_vote" else {}) | GEOMETRY.get(rule, {})
    mine = {"seed": 3, "lr": STABLE[rule]}
    alone = train(stack_of([mine], **how)).progress

    @settings(max_examples=1, deadline=None, phases=[Phase.generate])
    @given(place=st.integers(0, 511), seed=st.integers(0, 2**32 - 1), wild=st.sampled_from([0.0, 0.05]))
    def law(place, seed, wild):
        assume(seed)  # not the simplest example that hypothesis begins with
        chance = np.random.default_rng(seed)
        rates = np.where(chance.random(511) < wild, 1e6, STABLE[rule] * chance.uniform(0.01, 1, 511))
        company = [{"seed": int(s), "lr": float(lr)} for s, lr in zip(chance.integers(4, 2**31, 511), rates)]
        together = train(stack_of([*company[:place], mine, *company[place:]], **how)).progress
        for name, value in alone.parameters.items():
            torch.testing.assert_close(together.parameters[name][place], value[0], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(together.trace[:, place], alone.trace[:, 0], rtol=1e-5, atol=1e-5)
        assert together.diverged_at[place] == -1

    law()
    moved = [(value[0] - alone_from[0]).abs().max() for value, alone_from in zip(alone.parameters.values(),
             build(stack_of([mine], **how)).parameters.values())]  # fmt: skip
    assert max(moved) > 0.01


def test_a_diverging_run_leaves_its_neighbours_alone(stack_of):
    calm = [{"lr": 0.05, "seed": 0}, {"lr": 0.05, "seed": 1}]
    wild = {"lr": 1e6, "seed": 2}
    together = train(stack_of([calm[0], wild, calm[1]], steps=60))
    alone = train(stack_of(calm, steps=60))
    assert together.progress.diverged_at.tolist()[::2] == [-1, -1]
    assert together.progress.diverged_at[1] > 0
    for name, value in alone.progress.parameters.items():
        torch.testing.assert_close(together.progress.parameters[name][[0, 2]], value)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling needs g++")
def test_a_compiled_step_gives_the_same_numbers(stack_of, monkeypatch):
    stack = stack_of(
        [{"lr": 0.01 * (1 + seed), "seed": seed} for seed in range(4)], optimizer="adam", batch=6, steps=30
    )
    traced = train(stack)
    monkeypatch.setattr(ensemble, "COMPILE_FROM", 0.0)
    compiled = train(stack)
    assert type(traced._compiled) is not type(compiled._compiled)
    for name, value in traced.progress.parameters.items():
        torch.testing.assert_close(compiled.progress.parameters[name], value, rtol=1e-9, atol=1e-12)


def test_a_step_that_cannot_be_compiled_runs_as_it_was_traced(stack_of, monkeypatch):
    def broken(*args, **kwargs):
        def raising(*inputs):
            raise RuntimeError("no compiler")

        return raising

    expected = train(stack_of([{"lr": 0.1}]))
    monkeypatch.setattr(ensemble, "COMPILE_FROM", 0.0)
    monkeypatch.setattr(ensemble.torch, "compile", broken)
    found = train(stack_of([{"lr": 0.1}]))
    for name, value in expected.progress.parameters.items():
        assert torch.equal(found.progress.parameters[name], value)


def test_the_loss_is_traced_before_each_update_and_its_peak_kept(stack_of):
    module = train(stack_of([{"lr": 3.0, "seed": 0}], steps=7, trace_every=2))
    every = train(stack_of([{"lr": 3.0, "seed": 0}], steps=7))
    assert module.progress.trace.shape == (4, 1)
    torch.testing.assert_close(module.progress.trace[:, 0], every.progress.trace[::2, 0])
    finite = every.progress.trace[:, 0].nan_to_num(-torch.inf)
    assert module.progress.peak[0] == finite.max()
    assert module.progress.peak_step[0] == finite.argmax()


@settings(max_examples=200)
@given(st.integers(1, 10**6), st.integers(1, 40))
def test_checkpoints_begin_at_0_end_at_the_last_step_and_grow(steps, number):
    kept = checkpoint_steps(steps, number)
    assert kept[0] == 0
    assert kept[-1] == steps
    assert kept == sorted(set(kept))
    assert len(kept) <= number + 1


def test_checkpoints_are_log_spaced():
    assert checkpoint_steps(1000, 4) == [0, 1, 10, 100, 1000]


def test_the_weights_are_drawn_from_the_run_s_own_stream(stack_of):
    one = build(stack_of([{"seed": 4}])).parameters
    two = build(stack_of([{"seed": 3}, {"seed": 4}, {"seed": 4, "lr": 0.5}])).parameters
    for name, value in one.items():
        assert torch.equal(two[name][1], value[0])
        assert torch.equal(two[name][2], value[0])  # the step size does not enter the initial weights
    assert not torch.equal(two["layers.0.weight"][0], two["layers.0.weight"][1])


def test_building_leaves_torch_s_own_generator_alone(stack_of):
    torch.manual_seed(5)
    build(stack_of([{"seed": 4}]))
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))


@pytest.mark.parametrize("place", registry.named("optimizers", ("dlatlas",)).values())
def test_every_rule_that_is_found_loads(place):
    assert callable(registry.load(place).update)
