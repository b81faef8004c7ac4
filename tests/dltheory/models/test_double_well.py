"""Walkers: forces against automatic differentiation, times against theory, randomness by run."""

import numpy as np
import pytest
import torch

from dlatlas.identity.streams import stream
from dltheory.models.double_well import descend, force, waits
from dltheory.theory.kramers import mean_exit_time, mean_exit_time_tube


def go(beta, keys, d=1, k_saddle=8.0, walkers=400, dt=0.005):
    generators = [stream(key, "draws") for key in keys]
    return waits(
        np.asarray(beta, float), generators, d=d, k_well=8.0, k_saddle=k_saddle, walkers=walkers, passages=1, dt=dt
    )


@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_force_is_minus_the_gradient_of_the_landscape(d):
    z = torch.randn(d, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(d), requires_grad=True)
    x, y = z[0], z[1:]
    energy = ((x**2 - 1) ** 2 + 0.5 * (3 + 5 * x**2) * (y**2).sum(0)).sum()
    (gradient,) = torch.autograd.grad(energy, z)
    along, across = force(x.detach().numpy(), y.detach().numpy(), 8.0, 3.0)
    assert np.allclose(np.concatenate([along[None], across]), -gradient.numpy())


@pytest.mark.parametrize(("d", "k_saddle"), [(1, 8.0), (2, 4.0), (5, 4.0)])
def test_mean_waits_and_times_to_the_top_are_the_exact_ones(d, k_saddle):
    wait, top = go([1.0, 2.0], ["a", "b"], d, k_saddle, walkers=1500)
    for run, beta in enumerate((1.0, 2.0)):
        error = wait[run].std() / np.sqrt(1500)
        assert abs(wait[run].mean() - mean_exit_time_tube(beta, d, 8.0, k_saddle)) < 4 * error
        if d == 1:
            assert abs(top[run].mean() - mean_exit_time(beta, target=0.0)) < 4 * top[run].std() / np.sqrt(1500)


def test_a_run_has_the_same_waits_alone_as_among_others():
    together, _ = go([1.0, 0.5, 2.0], ["a", "b", "c"], walkers=30)
    alone, _ = go([0.5], ["b"], walkers=30)
    assert np.array_equal(together[1], alone[0])


def test_the_top_is_reached_before_the_transition_is_complete():
    wait, top = go([0.5], ["a"])
    assert np.all(top[0] <= wait[0, :, 0])


def test_gradient_descent_ends_in_the_well_of_its_own_basin():
    x = np.linspace(-2, 2, 41, dtype=np.float32)[np.arange(41) != 20]
    y = np.full((1, len(x)), 0.8, np.float32)
    assert np.allclose(descend(x, y, 8.0, 4.0, 0.01, 50.0), np.sign(x), atol=1e-4)
