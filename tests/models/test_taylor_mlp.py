import torch
from torch.func import functional_call, jvp

from dlatlas.models.taylor_mlp import TaylorMLP

SIZES = {"inputs": 5, "width": 7, "depth": 2, "outputs": 3}


def test_the_expansion_is_the_first_order_one_and_both_start_alike():
    plain, twin = TaylorMLP(**SIZES, seed=4), TaylorMLP(**SIZES, seed=4, linearised=True)
    start = dict(plain.named_parameters())
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 5, generator=generator, dtype=torch.float64)
    step = {name: 0.3 * torch.randn(w.shape, generator=generator, dtype=w.dtype) for name, w in start.items()}
    value, slope = jvp(lambda p: functional_call(plain, p, (x,)), (start,), (step,))
    moved = functional_call(twin, {name: w + step[name] for name, w in start.items()}, (x,))
    torch.testing.assert_close(twin(x), plain(x))
    torch.testing.assert_close(moved, value + slope)


def test_outputs_have_the_mean_square_of_the_inputs():
    """The first layer has gain 1; each ReLU halves the mean square and each later layer doubles it."""
    x = torch.randn(1, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    f = torch.stack([TaylorMLP(5, 40, 2, 50, seed=seed)(x).detach() for seed in range(200)])
    expected = float((x**2).mean())
    assert abs(float((f**2).mean()) / expected - 1) < 0.1
