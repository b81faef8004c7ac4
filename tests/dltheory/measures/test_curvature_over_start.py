"""The step of each run against the kernel of all outputs, and descent of linearised networks against linear algebra."""

import numpy as np
import pytest

from dlatlas.declare.lab import load_study


@pytest.fixture(scope="module")
def built(prepared_data):
    """Two linearised networks of 6 units, of two seeds, as the engine builds them."""
    from dlatlas.declare.parameter import THINGS, TRAINING
    from dlatlas.declare.registry import root
    from dlatlas.training.build import prepare_stack
    from dlatlas.training.stack import Stack

    study = load_study("dltheory.large_lr.catapult_deep_performance")
    small = {"model": "taylor_mlp", "width": 6, "n_train": 20, "linearised": True, "eta_lambda0": 1.5, "steps": 1}
    defaults = {name: parameter.default for name, parameter in study.all_parameters().items()}
    runs = [{**defaults, **small, "seed": seed} for seed in (0, 1)]
    shared = {name: runs[0][name] for name in (*TRAINING, *study.shape)}
    things = {name: root(room, shared[name], study.packages) for name, room in THINGS.items()}
    return prepare_stack(Stack(runs, shared, prepared_data, things=things), study)


def jacobian(seed, x):
    """Outputs and Jacobian ``(n * outputs, p)`` of the network at its start, dense."""
    import torch
    from torch.func import functional_call, jacrev

    from dlatlas.models.taylor_mlp import TaylorMLP

    net = TaylorMLP(width=6, seed=seed)
    start = {name: w.detach() for name, w in net.named_parameters()}
    rows = jacrev(lambda p: functional_call(net, p, (x,)).flatten())(start)
    with torch.no_grad():
        return net(x).flatten().numpy(), torch.cat([rows[name].flatten(1) for name in start], 1).numpy()


def test_the_step_is_in_units_of_the_top_eigenvalue_of_the_kernel_of_all_outputs(built):
    for run in (0, 1):
        _, J = jacobian(run, built.of_runs("x")[run].double())
        top = np.linalg.eigvalsh(J @ J.T / 20)[-1]
        assert float(built.hyper["lr"][run]) == pytest.approx(1.5 / top, rel=1e-4)


def test_the_linearised_network_descends_as_linear_algebra_says(built):
    """Its outputs after 5 steps: the errors times (1 - eta K / n)^5."""
    import torch
    from torch.func import functional_call, grad

    x, classes = built.of_runs("x")[0].double(), built.of_runs("y")[0]
    net = built.model.to_empty(device="cpu").double()
    p, held = ({name: v[0].double() for name, v in part.items()} for part in (built.parameters, built.buffers))
    lr = float(built.hyper["lr"][0])
    f, J = jacobian(0, x)
    y = np.eye(10)[classes].ravel()
    for _ in range(5):
        slope = grad(lambda q: built.loss(functional_call(net, (q, held), (x,)), classes))(p)
        p = {name: w - lr * slope[name] for name, w in p.items()}
    expected = y + np.linalg.matrix_power(np.eye(200) - lr / 20 * J @ J.T, 5) @ (f - y)
    with torch.no_grad():
        found = functional_call(net, (p, held), (x,)).flatten().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
