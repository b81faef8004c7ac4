"""What a traced step would get silently wrong: it works as in a plain loop, or is refused in one line."""

import dataclasses
import functools
import itertools
import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from dlatlas.errors import InputError, UntrainableError
from dlatlas.identity.streams import torch_seed
from dlatlas.models import mlp
from dlatlas.training.build import build, prepare_stack
from dlatlas.training.ensemble import StackedEnsemble
from dlatlas.training.fit import stored

STEPS = 20


class Plain(nn.Module):
    """Two layers, as the tests' models begin."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.first, self.last = nn.Linear(inputs, width), nn.Linear(width, 1)

    def forward(self, x):
        return self.last(torch.tanh(self.first(x)))


class Frozen(Plain):
    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, width)
        self.first.weight.requires_grad_(False)


class FrozenBySeed(Plain):
    """Which parameter is frozen differs from run to run."""

    def __init__(self, inputs: int, width: int, seed: int):
        super().__init__(inputs, width)
        (self.first if seed else self.last).requires_grad_(False)


class Sliced(nn.Module):
    def __init__(self, inputs: int, width: int):
        super().__init__()
        shapes = [(width, inputs), (width, width), (1, width)]
        self.ws = nn.ParameterList(torch.randn(shape) / shape[1] ** 0.5 for shape in shapes)

    def forward(self, x):
        x = torch.tanh(x @ self.ws[0].T)
        for w in self.ws[1:-1]:
            x = torch.tanh(x @ w.T)
        return x @ self.ws[-1:][0].T


class OwnList(nn.ParameterList):
    """A list of somebody's own."""


class SlicedOwn(Sliced):
    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, width)
        self.ws = OwnList(self.ws)


class Tied(nn.Module):
    def __init__(self, inputs: int):
        super().__init__()
        self.one, self.two, self.last = nn.Linear(inputs, inputs), nn.Linear(inputs, inputs), nn.Linear(inputs, 1)
        self.two.weight = self.one.weight

    def forward(self, x):
        return self.last(torch.tanh(self.two(torch.tanh(self.one(x)))))


class InPlace(Plain):
    def forward(self, x):
        x *= 0.5
        return super().forward(x)


class InPlaceByWeight(Plain):
    def forward(self, x):
        x.mul_(self.first.weight.mean())
        return super().forward(x.relu_())


class DrawnByNumpy(Plain):
    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, width)
        with torch.no_grad():
            self.first.weight.copy_(torch.from_numpy(np.random.normal(size=(width, inputs))))
            self.last.weight.mul_(1 + random.random())


class Remembering(Plain):
    """It notes what it has seen, which changes no number."""

    def forward(self, x):
        self.seen = tuple(x.shape)
        self.features = torch.tanh(self.first(x))
        return self.last(self.features)


def module_of(stack, last=STEPS):
    module = StackedEnsemble(build(stack))
    for first, then in itertools.pairwise(sorted({0, last, *(step for step in module.due if step < last)})):
        module.training_step((first, then), first)
    return module


def network(stack, run, maker, names):
    """The network of a run as its init stream draws it."""
    number = torch_seed(stack.key(run, ("model", *names)), "init")
    torch.manual_seed(number)
    np.random.seed(number % 2**32)
    random.seed(number)
    return maker(**{name: stack.runs[run][name] for name in names}).double()


def plain_loop(stack, run, maker, names):
    """What PyTorch makes of one run; every step has the examples as they were."""
    built, mine = build(stack), network(stack, run, maker, names)
    x, y = built.x[built.which[run]], built.y[built.which[run]]
    optimizer = torch.optim.SGD(
        [value for value in mine.parameters() if value.requires_grad], stack.runs[run]["lr"],
        weight_decay=stack.runs[run]["weight_decay"],
    )  # fmt: skip
    for _ in range(STEPS):
        optimizer.zero_grad()
        (0.5 * (mine(x.clone()) - y).square().sum(1).mean()).backward()
        optimizer.step()
    return {name: value.detach() for name, value in mine.named_parameters()}


SOUND = {
    Plain: "inputs width", Frozen: "inputs width", FrozenBySeed: "inputs seed width", Sliced: "inputs width",
    SlicedOwn: "inputs width", Tied: "inputs", InPlace: "inputs width", InPlaceByWeight: "inputs width",
    DrawnByNumpy: "inputs width", Remembering: "inputs width",
}  # fmt: skip


@pytest.mark.parametrize("maker", SOUND, ids=lambda maker: maker.__name__)
@pytest.mark.parametrize("data", [{}, {"seed": 0}], ids=["own data", "shared data"])
def test_it_trains_as_a_plain_loop_does(stack_of, monkeypatch, maker, data):
    monkeypatch.setattr(mlp, "MLP", maker)
    names = SOUND[maker].split()
    runs = [{"seed": seed, "lr": lr, **data} for seed, lr in [(0, 0.05), (1, 0.2), (0, 0.1)]]
    stack = stack_of(runs, weight_decay=0.01, steps=STEPS)
    module = module_of(stack)
    assert module.without_gradient == set()
    for run in range(3):
        expected = plain_loop(stack, run, maker, names)
        assert list(module.progress.parameters) == list(expected)
        for name, value in expected.items():
            torch.testing.assert_close(module.progress.parameters[name][run], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", ["momentum", "adam", "signsgd", "steepest_descent"])
def test_what_is_frozen_stays_bit_for_bit_and_the_results_say_so(stack_of, monkeypatch, rule):
    monkeypatch.setattr(mlp, "MLP", FrozenBySeed)
    module = module_of(stack_of([{"seed": seed} for seed in (0, 1, 2)], optimizer=rule, norm="l2", decay=0.0, lr=0.01,
                                weight_decay=0.1))  # fmt: skip
    results = stored(module, module.built.hyper)
    for name in ("first.weight", "first.bias", "last.weight", "last.bias"):
        kept = results[f"parameters/{name}"]
        stays = np.array([(kept[run, -1] == kept[run, 0]).all() for run in range(3)])
        frozen = np.array([False, True, True]) if "first" in name else np.array([True, False, False])
        np.testing.assert_array_equal(stays, frozen)
        np.testing.assert_array_equal(results[f"trained/{name}"], (~frozen).astype(np.int8))


def test_a_frozen_parameter_takes_no_part_in_the_rule(stack_of, monkeypatch):
    monkeypatch.setattr(mlp, "MLP", Frozen)
    module = module_of(stack_of([{"seed": 0}], optimizer="adam"))
    assert set(module.progress.state["first"]) == {"first.bias", "last.weight", "last.bias"}


class Idle(Plain):
    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, width)
        self.unused = nn.Parameter(torch.ones(3))


def test_a_parameter_without_gradient_is_one_warning(stack_of, monkeypatch):
    monkeypatch.setattr(mlp, "MLP", Idle)
    stack = stack_of([{"seed": seed} for seed in range(3)])
    with pytest.warns(match=r"^model mlp: unused: no gradient in any of 3 runs"):
        module = module_of(stack)
    assert module.without_gradient == {"unused"}
    results = stored(module, module.built.hyper)
    assert results["trained/unused"].tolist() == [2, 2, 2]
    assert results["trained/first.weight"].tolist() == [1, 1, 1]


class Half(Idle):
    """One run in three uses it."""

    def __init__(self, inputs: int, width: int, seed: int):
        super().__init__(inputs, width)
        self.register_buffer("use", torch.tensor(float(seed == 1)))

    def forward(self, x):
        return super().forward(x) + self.use * self.unused.sum()


def test_a_gradient_in_one_run_between_is_enough(stack_of, monkeypatch):
    monkeypatch.setattr(mlp, "MLP", Half)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert module_of(stack_of([{"seed": seed} for seed in range(3)])).without_gradient == set()


class Counting(Plain):
    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, width)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) / self.calls


class CountingLate(Counting):
    """Its counter shows only after a hundred calls."""

    def forward(self, x):
        self.calls += 1
        return Plain.forward(self, x) * (1 if self.calls < 100 else 0.5)


CALLS = itertools.count(1)


class CountingElsewhere(Plain):
    def forward(self, x):
        return super().forward(x) / next(CALLS)


class NumpyNoise(Plain):
    def forward(self, x):
        return super().forward(x + float(np.random.normal()))


class PythonNoise(Plain):
    def forward(self, x):
        return super().forward(x + random.gauss(0, 1))


class TorchNoise(Plain):
    def forward(self, x):
        return super().forward(x + torch.randn_like(x))


class OwnNoise(Plain):
    def forward(self, x):
        return super().forward(x + float(np.random.default_rng().normal()))


class Dropping(Plain):
    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, width)
        self.last = nn.Sequential(nn.Dropout(0.5), self.last)


class Normalised(Plain):
    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, width)
        self.first = nn.Sequential(nn.Linear(inputs, width), nn.BatchNorm1d(width))


class Clipping(Plain):
    def forward(self, x):
        self.first.weight.data.clamp_(-0.1, 0.1)
        return super().forward(x)


class Branching(Plain):
    def forward(self, x):
        x = super().forward(x)
        return x if x.mean() > 0 else 2 * x


class BranchingOnData(Plain):
    def forward(self, x):
        return super().forward(x if x.mean() > 0 else 2 * x)


class Copying(Plain):
    def forward(self, x):
        return super().forward(x) + x @ nn.Parameter(self.first.weight).mean(0)[:, None]


class CopyingDict(Plain):
    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, width)
        self.more = nn.ParameterDict({"a": torch.ones(1)})

    def forward(self, x):
        return super().forward(x) * self.more.copy()["a"]


class Lazy(Plain):
    def __init__(self, width: int):
        super().__init__(1, width)
        self.first = nn.LazyLinear(width)


class Unlike(nn.Module):
    """Another network each time that it is made."""

    def __init__(self, inputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(np.random.default_rng().normal(size=(1, inputs))))

    def forward(self, x):
        return x @ self.weight.T


class AllFrozen(Plain):
    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, width)
        self.requires_grad_(False)


class Empty(nn.Module):
    def forward(self, x):
        return x


class Misshapen(Plain):
    def __init__(self, inputs: int, width: int):
        super().__init__(inputs + 1, width)


def no_network(inputs: int):
    """A model that is none."""
    return inputs


REFUSED = {
    Counting: r"Counting changes its attribute calls in forward, from 1 to 2, which a traced step holds constant",
    CountingLate: r"CountingLate changes its attribute calls in forward, from 1 to 2",
    CountingElsewhere: r"called twice on the same examples it gives the losses",
    NumpyNoise: r"NumpyNoise draws from NumPy's global generator in forward",
    PythonNoise: r"PythonNoise draws from Python's global generator in forward",
    TorchNoise: r"TorchNoise draws from torch's global generator in forward",
    OwnNoise: r"called twice on the same examples it gives the losses",
    Dropping: r"last\.0 \(Dropout\) draws from torch's global generator in forward",
    Normalised: r"first\.1 \(BatchNorm1d\) changes its buffer running_mean in forward",
    Clipping: r"first \(Linear\) changes its parameter weight in forward",
    Branching: r"test_rehearsal\.py, line \d+, in forward: it decides by the value of a tensor.*; use torch\.where",
    BranchingOnData: r"test_rehearsal\.py, line \d+, in forward: it (decides by|reads) the value of a tensor",
    Copying: r"step 1: the loss of the stack is .*, of a plain loop .*: .* uses a copy of a parameter",
    CopyingDict: r"parameter more\.a: the gradient in a stack has norm 0, in a plain loop",
    Lazy: r"first \(LazyLinear\) has no shape before it sees data; give it the size of its input \(Linear\)",
    Unlike: r"made twice from one seed it is two networks",
    AllFrozen: r"expected a parameter that can be trained, found all parameters have requires_grad=False",
    Empty: r"expected a parameter that can be trained, found none",
    Misshapen: r"test_rehearsal\.py, line \d+, in forward: RuntimeError: mat1 and mat2 shapes cannot be multiplied",
    no_network: r"expected a torch\.nn\.Module, found int",
}


@pytest.mark.parametrize("maker", REFUSED, ids=lambda maker: maker.__name__)
@pytest.mark.parametrize("how", [{}, {"batch": 5}], ids=["all examples", "batches"])
def test_it_is_refused_in_one_line(stack_of, monkeypatch, maker, how):
    monkeypatch.setattr(mlp, "MLP", maker)
    with pytest.raises(UntrainableError, match=rf"^model mlp: {REFUSED[maker]}") as caught:
        module_of(stack_of([{"seed": 0}, {"seed": 1}], steps=STEPS, **how))
    assert "\n" not in str(caught.value)


def test_batch_norm_without_running_averages_trains(stack_of, monkeypatch):
    class Stateless(Plain):
        def __init__(self, inputs: int, width: int):
            super().__init__(inputs, width)
            self.first = nn.Sequential(nn.Linear(inputs, width), nn.BatchNorm1d(width, track_running_stats=False))

    monkeypatch.setattr(mlp, "MLP", Stateless)
    stack = stack_of([{"seed": 0}], steps=STEPS, lr=0.1)
    expected = plain_loop(stack, 0, Stateless, ["inputs", "width"])
    for name, value in module_of(stack).progress.parameters.items():
        torch.testing.assert_close(value[0], expected[name], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("maker", [Plain, NumpyNoise, Unlike, DrawnByNumpy], ids=lambda maker: maker.__name__)
def test_the_global_generators_stand_afterwards_where_they_stood(stack_of, monkeypatch, maker):
    monkeypatch.setattr(mlp, "MLP", maker)
    stack = stack_of([{"seed": 0}])
    drawn = []
    for _ in range(2):
        torch.manual_seed(5), np.random.seed(5), random.seed(5)
        if drawn:
            try:
                module_of(stack)
            except UntrainableError:
                assert maker in (NumpyNoise, Unlike)
        drawn.append((float(torch.rand(())), np.random.random(), random.random()))
    assert drawn[0] == drawn[1]


def test_a_resumed_stack_is_looked_at_from_its_start(stack_of, monkeypatch):
    """Near its end losses are rounding; and what is copied must be what was copied before."""
    monkeypatch.setattr(mlp, "MLP", InPlace)
    whole, cut = (StackedEnsemble(build(stack_of([{"seed": 0}], steps=STEPS, checkpoints=1))) for _ in range(2))
    whole.training_step((0, STEPS), 0)
    cut.training_step((0, 12), 0)
    later = StackedEnsemble(build(stack_of([{"seed": 0}], steps=STEPS, checkpoints=1)))
    later.progress, later.kept = cut.progress, cut.kept
    later.training_step((12, STEPS), 0)
    for name, value in whole.progress.parameters.items():
        assert torch.equal(later.progress.parameters[name], value)


def test_a_rule_that_is_no_function_is_refused_by_its_losses(stack_of, monkeypatch):
    from dlatlas.optimizers import sgd

    calls = itertools.count()
    true = sgd.SGD

    def update(gradients, state, parameters, hyper):
        faster = {**hyper, "lr": hyper["lr"] * (1 + 100 * (next(calls) > 2))}
        return true.update(gradients, state, parameters, faster)

    monkeypatch.setattr(sgd, "SGD", type(true)(init=true.init, update=update))
    with pytest.raises(UntrainableError, match=r"^model mlp: step \d: the loss of the stack is .*, of a plain loop"):
        module_of(stack_of([{"seed": 0}], lr=0.01))


def test_a_rule_that_draws_from_a_global_generator_is_refused(stack_of, monkeypatch):
    from dlatlas.optimizers import sgd

    true = sgd.SGD

    def update(gradients, state, parameters, hyper):
        return true.update(gradients, state, parameters, {**hyper, "lr": hyper["lr"] * np.random.random()})

    monkeypatch.setattr(sgd, "SGD", type(true)(init=true.init, update=update))
    with pytest.raises(UntrainableError, match=r"^model mlp: its update rule draws from NumPy's global generator"):
        module_of(stack_of([{"seed": 0}]))


def test_a_loss_that_draws_from_a_global_generator_is_refused(stack_of, monkeypatch):
    from dlatlas.losses import squared

    true = squared.half_mse
    monkeypatch.setattr(squared, "half_mse", lambda output, target: true(output, target) * random.random())
    with pytest.raises(UntrainableError, match=r"^model mlp: its loss draws from Python's global generator"):
        module_of(stack_of([{"seed": 0}]))


def test_what_a_data_set_draws_from_global_generators_is_seeded(stack_of, monkeypatch):
    from dlatlas.data import gaussian

    true = gaussian.gaussian_regression

    @functools.wraps(true)
    def noisy(**arguments):
        made = true(**arguments)
        return dataclasses.replace(made, y=made.y + np.random.normal(size=made.y.shape))

    calm = build(stack_of([{"seed": 0}, {"seed": 1}])).y
    monkeypatch.setattr(gaussian, "gaussian_regression", noisy)
    one, two = (build(stack_of([{"seed": 0}, {"seed": 1}])).y for _ in range(2))
    assert torch.equal(one, two)
    noise = one - calm
    assert noise[0].std() > 0.5
    assert not torch.allclose(noise[0], noise[1])


def test_fresh_examples_from_a_global_generator_are_refused(stack_of, monkeypatch):
    from dlatlas.data import gaussian
    from dlatlas.data.dataset import Online

    @functools.wraps(gaussian.gaussian_regression)
    def online(**arguments):
        return Online(lambda generator, n: (np.random.normal(size=(n, 6)), np.zeros((n, 1))))

    monkeypatch.setattr(gaussian, "gaussian_regression", online)
    with pytest.raises(InputError, match=r"^data set 'gaussian_regression': it draws from NumPy's global generator"):
        module_of(stack_of([{"seed": 0}], batch=4))


def test_a_setup_that_draws_from_a_global_generator_is_refused(stack_of):
    class Study:
        module = "toy"

        @staticmethod
        def setup(built):
            return {"lr": np.random.random(len(built.stack))}

    with pytest.raises(
        InputError, match=r"^toy: setup draws from NumPy's global generator; allowed: built\.stack\.gen"
    ):
        prepare_stack(stack_of([{"seed": 0}]), Study)


def test_a_slice_has_its_gradient_in_the_measures_too(stack_of, monkeypatch):
    """They call the same emptied network."""
    monkeypatch.setattr(mlp, "MLP", Sliced)
    stack = stack_of([{"seed": 0}])
    built, plain = build(stack), network(stack, 0, Sliced, ["inputs", "width"])
    x, weights = built.x[0], {name: value[0] for name, value in built.parameters.items()}
    found = torch.func.grad(lambda p: torch.func.functional_call(built.model, p, (x,)).sum())(weights)
    plain(x).sum().backward()
    for name, value in plain.named_parameters():
        torch.testing.assert_close(found[name], value.grad)
        assert value.grad.any()
