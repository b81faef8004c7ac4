import numpy as np
import pytest
import xarray as xr

from dlatlas.cubes.cube import with_fixed
from dlatlas.declare.lab import load_study
from dltheory.large_lr import catapult_deep_performance as page

NAME = "catapult_deep_performance"
OBSERVABLES = page.STUDY.observables
RATES = [0.5, 0.71, 1.0, 1.41, 1.9, 2.7, 3.8, 5.4, 7.6, 9.5, 11.0, 13.0, 16.0]
STEPS = [0, 1, 4, 20, 75, 300]


@pytest.fixture
def cube(smoke_cube):
    """Networks whose curvature falls to 1.9/eta and whose error is least at 7.6, linearised ones that diverge at 2."""
    small = smoke_cube(NAME)
    rng = np.random.default_rng(0)
    rate = xr.DataArray(RATES, {"eta_lambda0": RATES}, "eta_lambda0")
    step = xr.DataArray(STEPS, {"step": STEPS}, "step")
    twin = xr.DataArray([False, True], {"linearised": [False, True]}, "linearised")
    noise = 0.01 * rng.standard_normal((len(RATES), 8))
    seed = xr.DataArray(noise, {"eta_lambda0": RATES, "seed": range(8)}, ("eta_lambda0", "seed"))
    alive = xr.where(twin, rate < 2, rate < 12)
    learnt = 1 - np.exp(-rate * step / 20)
    curvature = 1 + (np.minimum(0.95, 1.9 / rate) * (1 + seed) - 1) * learnt
    error = 0.9 - learnt * (0.7 + 0.15 * np.exp(-(np.log(rate / 7.6) ** 2))) + 0.1 * seed
    ones = xr.ones_like(seed * alive)
    loss = xr.where(alive | (step == 0), 1 - learnt, np.nan)
    cube = xr.Dataset(
        {
            "curvature": (curvature * ones).where(alive & ~twin),
            "test_error": (error * ones).where(alive | (step == 0)),
            "train_loss": loss * ones,
            "status": xr.where(alive, 0, 1).astype(np.int8) * ones.astype(np.int8),
        },
        attrs=small.attrs,
    )
    return with_fixed(cube)


def worse_beyond(cube):
    return {"test_error": cube["test_error"].where(cube["eta_lambda0"] < 2, cube["test_error"] + 0.3)}


PLANTED = {
    "flatter than 2/η": lambda cube: {"curvature": cube["curvature"] * 1.2},
    "falls as 1/η": lambda cube: {"curvature": cube["curvature"] * cube["eta_lambda0"]},
    "flat below 2": lambda cube: {"curvature": cube["curvature"] / cube["eta_lambda0"]},
    "trains up to 12/λ₀": lambda cube: {"train_loss": cube["train_loss"].where(cube["eta_lambda0"] < 5)},
    "best at equal steps": worse_beyond,
    "best at equal time": worse_beyond,
}


def test_a_cube_as_the_theory_has_it_supports_every_claim(cube, outcomes):
    found = outcomes(NAME, cube)
    assert set(found.values()) == {"supported"}, found


@pytest.mark.parametrize("claim", PLANTED)
def test_the_opposite_of_a_claim_is_refuted(cube, outcomes, claim):
    assert outcomes(NAME, cube.assign(PLANTED[claim](cube)), claim) == {claim: "refuted"}


def test_equal_time_is_read_off_where_all_runs_have_gone_as_far(cube):
    """Of a variable that is ln(eta t), every run gives that of the smallest step at the end."""
    log_time = np.log(cube["eta_lambda0"] * cube["step"].clip(min=1))
    cube = cube.assign(curvature=log_time * xr.ones_like(cube["test_error"]))
    found = page.at_equal_time(cube, page.theory(cube), "curvature")
    np.testing.assert_allclose(found.values, np.log(0.5 * 300), rtol=1e-12)


def test_a_run_that_diverges_later_still_has_a_value_at_equal_time(cube):
    late = cube.where((cube["step"] < 300) | (cube["eta_lambda0"] < 2))
    networks = OBSERVABLES["timed_error"](late, page.theory(cube)).isel(linearised=0, eta_lambda0=slice(6, 10))
    assert float(networks.max()) < page.GUESS - 0.05


def test_dead_networks_have_not_trained_and_lost_ones_guess(cube):
    dead = cube.assign(train_loss=xr.where(cube["eta_lambda0"] > 4, 0.5, cube["train_loss"]))
    assert not page.trains(dead, None).isel(linearised=0, eta_lambda0=slice(7, None)).values.any()
    assert (OBSERVABLES["last_error"](cube, None).isel(eta_lambda0=-1) == page.GUESS).values.all()


@pytest.fixture(scope="module")
def built(prepared_data):
    """Two linearised networks of 6 units, of two seeds, as the engine builds them."""
    from dlatlas.declare.parameter import THINGS, TRAINING
    from dlatlas.declare.registry import root
    from dlatlas.training.build import prepare_stack
    from dlatlas.training.stack import Stack

    study = load_study(page.__name__)
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


def test_curvature_is_known_well_and_left_out_of_linearised_networks(smoke_cube):
    cube = smoke_cube(NAME)
    plain = cube.sel(linearised=False).isel(step=[-1])
    assert float((plain["residual"] / plain["curvature"]).where(page.trains(plain, None)).quantile(0.9)) < 0.02
    assert cube["curvature"].sel(linearised=True).isnull().all()
