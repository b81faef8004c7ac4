"""Nested designs against plain ridge regression on every data set and draw of the features."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from dlatlas.training.stack import Stack
from dltheory.models.relu_regression import nested_designs


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As in a job of the workflow; on a busy machine threads that spin make small matrices a hundred times slower."""
    with threadpool_limits(1):
        yield


@pytest.mark.parametrize("ratio", [0.5, 1.5])
def test_a_run_is_plain_ridge_regression_on_every_set_and_draw(ratio):
    n, d, sets, draws, tests, ridge, variance = 12, 5, 3, 12, 7, 0.05, 0.4
    p = round(n * ratio)
    shared = {"n": n, "d": d, "ratio": ratio, "sets": sets, "draws": draws, "tests": tests}
    runs = [{**shared, "variance": variance, "seed": 3, "ridge": each} for each in (1.0, ridge)]
    stack = Stack(runs, shared, folder=None)
    found = {name: values[1] for name, values in nested_designs(stack).items()}
    data = stack.generator(0, "data", names=("n", "d", "sets", "tests"))
    draw = stack.generator(0, "features", names=("n", "d", "ratio"))
    teacher, unseen = data.standard_normal(d), data.standard_normal((tests, d))
    teacher /= np.linalg.norm(teacher)
    f, noise, pairs = np.empty((sets, draws, tests)), 0.0, 0.0
    for s in range(sets):
        x = data.standard_normal((n, d))
        F = draw.standard_normal((draws, d, p)) / np.sqrt(d)
        by_label = np.empty((draws, tests, n))
        for k in range(draws):
            Z, U = (np.maximum(inputs @ F[k], 0) / np.sqrt(p) for inputs in (x, unseen))
            padded = np.vstack([Z, np.sqrt(ridge) * np.eye(p)])
            for j, labels in enumerate(np.eye(n)):
                by_label[k, :, j] = U @ np.linalg.lstsq(padded, np.append(labels, np.zeros(p)), rcond=None)[0]
        f[s] = by_label @ (x @ teacher) - unseen @ teacher
        noise += variance * (by_label**2).sum(-1).mean() / sets
        two = by_label.reshape(6, 2, tests, n).mean(1)
        pairs += np.mean((two @ (x @ teacher) - unseen @ teacher) ** 2 + variance * (two**2).sum(-1)) / sets
    assert found["noise"] == pytest.approx(noise)
    assert found["error"] == pytest.approx(np.mean(f**2) + noise)
    assert found["ensemble"][1] == pytest.approx(pairs)
    assert found["noise"] + found["init"] + found["sampling"] + found["bias"] == pytest.approx(found["error"])
    assert found["init"] == pytest.approx(np.mean([one.var(0, ddof=1).mean() for one in f]))
    products = [np.mean(f[a].mean(0) * f[b].mean(0)) for a in range(sets) for b in range(sets) if a != b]
    assert found["bias"] == pytest.approx(np.mean(products))
