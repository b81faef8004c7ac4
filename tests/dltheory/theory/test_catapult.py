import numpy as np
import pytest

from dltheory.theory.catapult import catapult_map


def descent(u, v, lr, steps):
    """Gradient descent on the weights themselves: outputs and kernels before each step, then at the end."""
    outputs, kernels = [], []
    for _ in range(steps + 1):
        f = u @ v / np.sqrt(len(u))
        outputs.append(f)
        kernels.append((u @ u + v @ v) / len(u))
        u, v = u - lr * f * v / np.sqrt(len(u)), v - lr * f * u / np.sqrt(len(u))
    return np.array(outputs), np.array(kernels)


@pytest.mark.parametrize("eta", [1.0, 2.1, 2.7, 3.3])
@pytest.mark.parametrize("width", [8, 200])
def test_the_map_is_gradient_descent_on_the_weights(eta, width):
    rng = np.random.default_rng(width)
    u, v = rng.standard_normal((2, width))
    lr = eta * width / (u @ u + v @ v)
    outputs, kernels = descent(u, v, lr, 60)
    mapped = catapult_map(outputs[0], kernels[0], lr, width, 60)
    np.testing.assert_allclose(mapped["kernel"], kernels[-1], rtol=1e-9)
    np.testing.assert_allclose(mapped["f"], outputs[-1], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(mapped["peak"], np.max(outputs[:-1] ** 2) / 2, rtol=1e-9)
    assert mapped["peak_step"] == np.argmax(outputs[:-1] ** 2)


def test_one_step_by_hand():
    mapped = catapult_map(2.0, 3.0, 0.5, 4, 1)
    assert mapped["f"] == pytest.approx((1 - 1.5 + 0.25) * 2)
    assert mapped["kernel"] == pytest.approx(3 + 0.5 * (1.5 - 4))


def test_both_edges_are_bracketed():
    rng = np.random.default_rng(0)
    f, kernel = rng.standard_normal(200), 2 + 0.01 * rng.standard_normal(200)
    below, above, landing, beyond = (
        catapult_map(f, kernel, eta / kernel, 10**6, 2000) for eta in (1.99, 2.01, 3.99, 4.01)
    )
    assert np.all(below["peak_step"] == 0)
    assert np.all(above["peak_step"] > 0)
    assert np.all(np.isfinite(landing["kernel"]))
    assert np.all(np.isnan(beyond["kernel"]))


def test_below_two_the_loss_falls_at_every_width_and_below_four_it_stays_under_its_bound():
    rng = np.random.default_rng(1)
    u, v = rng.standard_normal((2, 500, 6))
    f, kernel = (u * v).sum(-1) / np.sqrt(6), ((u**2) + v**2).sum(-1) / 6
    assert np.all(catapult_map(f, kernel, 1.999 / kernel, 6, 300)["peak_step"] == 0)
    assert np.all(catapult_map(f, kernel, 3.9 / kernel, 6, 300)["peak"] <= 6 * kernel**2 / 8 * (1 + 1e-12))


def test_without_the_width_terms_the_output_is_a_geometric_series():
    assert catapult_map(0.5, 2.0, 1.5, np.inf, 10)["f"] == pytest.approx(0.5 * (-2.0) ** 10)


@pytest.mark.parametrize("rate", [0.3, 1.0, 1.5, 1.9])
def test_the_lazy_kernel_drops_the_more_the_larger_the_step(rate):
    """To first order in 1/n by f0^2 / (n k0^2) (4 - x) / (2 - x), x = h k0: a geometric series of f^2."""
    ended = catapult_map(1.3, 2.0, rate / 2.0, 1e7, 2000)
    drop = (1 - ended["kernel"] / 2.0) * 1e7
    assert float(drop) == pytest.approx(1.3**2 / 2.0**2 * (4 - rate) / (2 - rate), rel=1e-4)
