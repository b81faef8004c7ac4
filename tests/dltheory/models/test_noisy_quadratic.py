"""The objective, its gradient and its noise."""

import numpy as np
import torch

from dltheory.data.gaussian_noise import gaussian_noise
from dltheory.losses.objective import objective
from dltheory.models.noisy_quadratic import NoisyQuadratic


def test_the_gradient_on_one_example_is_curvature_times_w_plus_noise_times_x():
    model = NoisyQuadratic(d=4, curvature=3.0, noise=2.0, start=1.0)
    x = torch.randn(1, 4, generator=torch.Generator().manual_seed(0))
    objective(model(x), torch.zeros(1)).backward()
    assert torch.allclose(model.w.grad, 3 * model.w + 2 * x[0])
    assert model.w.tolist() == [0.25, 0.5, 0.75, 1.0]


def test_the_value_is_the_mean_objective_whatever_the_noise():
    model = NoisyQuadratic(d=4, curvature=3.0, noise=2.0, start=1.0)
    x = torch.randn(9, 4, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(model(x), 1.5 * model.w.square().sum().expand(9))


def test_the_noise_is_standard_normal_and_new_at_every_draw(tmp_path):
    data = gaussian_noise(folder=tmp_path, generator=np.random.default_rng(0), d=4)
    x, y = data.draw(np.random.default_rng(1), 40_000)
    assert x.shape == (40_000, 4)
    assert y.shape == (40_000,)
    assert np.all(np.abs(x.mean(0)) < 4 / 200)
    assert np.all(np.abs(x.var(0) - 1) < 4 * np.sqrt(2) / 200)


def test_equal_generators_draw_equal_noise(tmp_path):
    data = gaussian_noise(folder=tmp_path, generator=np.random.default_rng(0), d=3)
    assert np.array_equal(data.draw(np.random.default_rng(5), 7)[0], data.draw(np.random.default_rng(5), 7)[0])
