import numpy as np
import pytest
import torch

from dlatlas.losses.squared import half_mse
from dlatlas.measures.trained import Trained
from dltheory.measures.kernel_descent import kernel_descent_gap


@pytest.fixture
def regression():
    """Two linear models after 30 steps of descent on half the mean squared error, and their kernels x . x'."""
    rng = np.random.default_rng(0)
    x, x_test = rng.standard_normal((2, 6, 3))
    y, start, rates = rng.standard_normal((6, 1)), rng.standard_normal((2, 3)), [0.1, 0.3]
    end = start.copy()
    for w, rate in zip(end, rates):
        for _ in range(30):
            w -= rate * x.T @ (x @ w - y[:, 0]) / 6
    tensors = {name: torch.from_numpy(value) for name, value in {"x": x, "y": y, "x_test": x_test, "y_test": y}.items()}
    trained = Trained(
        torch.nn.Linear(3, 1, bias=False), {"weight": torch.from_numpy(end[:, None])},
        {"weight": torch.from_numpy(start[:, None])}, {}, **tensors, loss=half_mse,
        hyper={"lr": torch.tensor(rates, dtype=torch.float64)}, keys=["a", "b"],
    )  # fmt: skip
    points = np.concatenate([x, x_test])
    return trained, np.tile(points @ points.T, (2, 1, 1))


def test_a_linear_model_follows_descent_with_its_kernel(regression):
    trained, kernels = regression
    np.testing.assert_allclose(kernel_descent_gap(trained, kernels, 30), 0, atol=1e-12)


def test_and_not_that_of_other_steps_or_another_kernel(regression):
    trained, kernels = regression
    assert (kernel_descent_gap(trained, kernels, 3) > 0.01).all()
    assert (kernel_descent_gap(trained, kernels + np.eye(12), 30) > 0.01).all()
