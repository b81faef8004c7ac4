import pytest
import torch
from torch.func import functional_call, grad_and_value, stack_module_state, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from dlatlas.losses.cross_entropy import cross_entropy
from dlatlas.models.conv_net import ConvNet
from dlatlas.models.mlp import MLP
from dlatlas.training.graph import CORE, fusible, lean, seconds


def calls(graph):
    return [node for node in graph.graph.nodes if node.op == "call_function"]


@pytest.mark.parametrize("maker", [MLP, ConvNet])
def test_a_lean_step_gives_the_same_numbers_in_fewer_operations(maker):
    torch.manual_seed(0)
    nets = [maker().double() for _ in range(3)]
    weights = {name: value.detach() for name, value in stack_module_state(nets)[0].items()}
    x, y, lr = torch.randn(3, 5, 64, dtype=torch.float64), torch.randint(10, (3, 5)), torch.rand(3, dtype=torch.float64)

    def step(w, x, y, lr):
        gradient, loss = grad_and_value(lambda w: cross_entropy(functional_call(nets[0], w, (x,)), y))(w)
        return {name: value - lr * gradient[name] for name, value in w.items()}, loss

    traced = make_fx(vmap(step))(weights, x, y, lr)
    before = len(calls(traced))
    expected = traced(weights, x, y, lr)
    thin = lean(traced)
    found = thin(weights, x, y, lr)
    assert len(calls(thin)) < 0.75 * before
    torch.testing.assert_close(found[1], expected[1], rtol=0, atol=0)
    for name, value in expected[0].items():
        torch.testing.assert_close(found[0][name], value, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: a - (a * b).exp() * (a * b),
        lambda a, b: (a - a * b, (a * b).sum()),
        lambda a, b: a - 2 * b,
        lambda a, b: torch.sub(a, a * b, alpha=3),
        lambda a, b: a.mT.mT + b.mT.clone().mT,
        lambda a, b: a.expand(2, 3, 3) - (b * a).expand(2, 3, 3),
        lambda a, b: a.int() - (a.int() * b.int()),
    ],
)
def test_whatever_it_takes_out_the_function_stays(function):
    torch.manual_seed(1)
    a, b = 3 * torch.randn(3, 3, dtype=torch.float64), 3 * torch.randn(3, 3, dtype=torch.float64)
    torch.testing.assert_close(lean(make_fx(function)(a, b))(a, b), function(a, b), rtol=1e-14, atol=1e-14)


def test_a_step_is_weighed_by_calls_bytes_and_operations():
    a, b = torch.randn(7, 4, 5), torch.randn(7, 5, 6)
    product = make_fx(torch.bmm)(a, b)
    assert seconds(product) == pytest.approx(CORE.call + CORE.byte * 4 * 7 * 4 * 6 + CORE.operation * 2 * 7 * 4 * 5 * 6)
    image, kernel = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 3, 3)
    convolved = make_fx(lambda x, w: torch.nn.functional.conv2d(x, w, padding=1))(image, kernel)
    outputs = 2 * 4 * 8 * 8
    assert seconds(convolved) == pytest.approx(
        CORE.call + CORE.byte * 4 * outputs + CORE.operation * 2 * outputs * 3 * 9
    )


def test_a_view_weighs_nothing():
    assert seconds(make_fx(lambda a: a.mT[0].reshape(-1))(torch.randn(2, 3, 4))) <= CORE.call + CORE.byte * 4 * 12


def test_a_scatter_of_one_number_a_row_becomes_a_comparison_and_the_numbers_stay():
    torch.manual_seed(0)
    logits, y = torch.randn(3, 5, 10, dtype=torch.float64), torch.randint(10, (3, 5))
    gradient = vmap(grad_and_value(cross_entropy))
    traced = lean(make_fx(gradient)(logits, y))
    expected = traced(logits, y)
    found = fusible(traced)(logits, y)
    assert not any("scatter" in str(node.target) for node in traced.graph.nodes)
    assert all(torch.equal(one, other) for one, other in zip(found, expected))


def test_a_scatter_of_several_numbers_a_row_stays():
    def spread(index, source):
        return source.new_zeros(3, 10).scatter_add(1, index, source)

    index, source = torch.randint(10, (3, 5)), torch.randn(3, 5)
    traced = fusible(make_fx(spread)(index, source))
    assert any("scatter" in str(node.target) for node in traced.graph.nodes)
    assert torch.equal(traced(index, source), spread(index, source))
