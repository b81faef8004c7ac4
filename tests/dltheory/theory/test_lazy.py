import numpy as np
import pytest
import torch
from torch.func import functional_call, jacrev, jvp

from dltheory.models.scaled_two_layer import ScaledTwoLayer
from dltheory.theory.lazy import linearised_descent, two_layer_kernel

RNG = np.random.default_rng(0)
X, Z, Y = RNG.standard_normal((7, 3)), RNG.standard_normal((5, 3)), RNG.standard_normal(7)


def network(**options) -> tuple[ScaledTwoLayer, dict[str, torch.Tensor]]:
    net = ScaledTwoLayer(inputs=3, width=20, scale_exponent=0.5, **options)
    return net, {name: value.detach() for name, value in net.named_parameters()}


def gradients(net: ScaledTwoLayer, p: dict[str, torch.Tensor], inputs: np.ndarray) -> np.ndarray:
    rows = jacrev(lambda q: functional_call(net, q, (torch.tensor(inputs),))[:, 0])(p)
    return torch.cat([part.flatten(1) for part in rows.values()], 1).numpy()


@pytest.mark.parametrize("features", [False, True])
def test_the_kernel_is_the_product_of_automatic_gradients(features):
    net, p = network(features_only=features)
    kernel = two_layer_kernel(X, Z, p["w"].numpy(), p["a"].numpy(), 0.0 if features else 1.0)
    np.testing.assert_allclose(kernel, gradients(net, p, X) @ gradients(net, p, Z).T, rtol=1e-12)


def test_the_diagonal_of_a_wide_kernel_is_its_expectation():
    """Monte Carlo over units against Gauss-Hermite quadrature of E[h^2 + (1 - h^2)^2 |x|^2], h = tanh(g)."""
    x = np.array([[1.0, 1.0, 1.0]])
    units = 200_000
    w, a = RNG.standard_normal((units, 3)) / np.sqrt(3), RNG.standard_normal(units)
    h = np.tanh(w @ x[0])
    values = h**2 + a**2 * (1 - h**2) ** 2 * 3
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    t = np.tanh(nodes)
    exact = weights @ (t**2 + 3 * (1 - t**2) ** 2) / weights.sum()
    kernel = two_layer_kernel(x, x, w, a)[0, 0]
    assert abs(kernel - exact) < 4 * values.std() / np.sqrt(units)


def test_the_closed_form_is_gradient_descent_on_the_taylor_expansion():
    net, start = network()
    rate, steps = 0.3, 25
    lr = rate  # rate N / alpha^2 with alpha = N^(1/2)

    def linear(p, inputs):
        step = {name: p[name] - start[name] for name in start}
        value, slope = jvp(lambda q: functional_call(net, q, (inputs,)), (start,), (step,))
        return (value + slope)[:, 0]

    p, x, z, y = dict(start), torch.tensor(X), torch.tensor(Z), torch.tensor(Y)
    for _ in range(steps):
        loss = lambda q: ((linear(q, x) - y) ** 2).mean() / 2  # noqa: E731
        gradient = torch.func.grad(loss)(p)
        p = {name: p[name] - lr * gradient[name] for name in p}
    kernels = (two_layer_kernel(inputs, X, start["w"].numpy(), start["a"].numpy()) for inputs in (X, Z))
    twin = linearised_descent(*kernels, Y, rate, np.array([0, steps]))
    np.testing.assert_allclose(twin[1], linear(p, z).numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(twin[0], np.zeros(5))


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0, 1.3, 1.95])
def test_steps_up_to_the_edge_of_stability_are_the_recursion(share):
    """Rates beyond n over the top eigenvalue overshoot, and the residual changes sign at every step."""
    w, a = RNG.standard_normal((400, 3)), RNG.standard_normal(400)
    kernel, cross = two_layer_kernel(X, X, w, a), two_layer_kernel(Z, X, w, a)
    rate, weights, found = share * len(Y) / np.linalg.eigvalsh(kernel)[-1], np.zeros(len(Y)), []
    for _ in range(21):
        found.append(cross @ weights)
        weights = weights - rate / len(Y) * (kernel @ weights - Y)
    np.testing.assert_allclose(linearised_descent(kernel, cross, Y, rate, np.arange(21)), found, rtol=1e-9, atol=1e-12)


def test_after_very_many_steps_the_closed_form_is_the_kernel_interpolant():
    w, a = RNG.standard_normal((400, 3)), RNG.standard_normal(400)
    kernel, cross = two_layer_kernel(X, X, w, a), two_layer_kernel(Z, X, w, a)
    late = linearised_descent(kernel, cross, Y, 0.5, np.array([1e9]))[0]
    np.testing.assert_allclose(late, cross @ np.linalg.solve(kernel, Y), rtol=1e-7)
