import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from dlatlas.errors import InputError
from dltheory.theory.random_feature_ridge import ACTIVATIONS, Masses, effective_ridge, error_parts, excess_error, masses

LINEAR = masses("linear")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """On a busy machine threads that spin make small matrices a hundred times slower."""
    with threadpool_limits(1):
        yield


def test_masses_equal_their_closed_forms():
    relu, even = masses("relu"), masses("abs")
    expected = (1 / (2 * np.pi), 1 / 4, 1 / (4 * np.pi))
    assert (relu.constant, relu.linear, relu.quadratic) == pytest.approx(expected, rel=1e-10)
    assert (even.constant, even.linear, even.quadratic) == pytest.approx(
        (2 / np.pi, 0, 1 / np.pi), rel=1e-10, abs=1e-20
    )
    assert relu.total == pytest.approx(1 / 2)
    assert (even.total, LINEAR.total) == pytest.approx((1, 1))


def test_linearities_are_those_of_the_audit():
    found = {name: masses(name).linearity for name in ACTIVATIONS}
    assert found == pytest.approx({"linear": 1, "tanh": 0.930, "relu": 1 / (2 - 2 / np.pi), "abs": 0}, abs=5e-4)
    assert masses("tanh").linear == pytest.approx(0.3669, abs=5e-5)
    assert masses("tanh").total == pytest.approx(0.3943, abs=5e-5)


def test_masses_of_tanh_agree_with_monte_carlo():
    z = np.random.default_rng(0).standard_normal(400_000)
    for samples, truth in ((np.tanh(z) ** 2, masses("tanh").total), (np.tanh(z) * z, masses("tanh").linear ** 0.5)):
        assert abs(samples.mean() - truth) < 4 * samples.std() / np.sqrt(len(z))


def test_linear_features_without_ridge_are_least_squares():
    """Hastie et al. 2022, theorem 1: noise d/(n - d) for n > d, (1 - n/d) + noise n/(d - n) for n < d; p >> d."""
    d, noise = 100, 3.0
    for n, expected in ((150, noise * 100 / 50), (400, noise * 100 / 300), (60, 0.4 + noise * 60 / 40)):
        assert excess_error(LINEAR, n, 10**7, d, 1e-9, noise) == pytest.approx(expected, rel=1e-3)


def test_linear_features_with_ridge_are_ridge_regression_in_the_marchenko_pastur_law():
    """Dobriban & Wager 2018, from the law's own quadrature at n = 2 d; p >> d."""
    d, ridge, noise = 200, 0.7, 2.0
    c = 0.5  # d / n, eigenvalues of x^T x / n
    low, high = (1 - np.sqrt(c)) ** 2, (1 + np.sqrt(c)) ** 2
    angle = (np.arange(20_000) + 0.5) * np.pi / 20_000
    s = (low + high) / 2 + (high - low) / 2 * np.cos(angle)
    weight = np.sqrt((high - s) * (s - low)) / (2 * np.pi * c * s) * (high - low) / 2 * np.sin(angle) * np.pi / 20_000
    assert weight.sum() == pytest.approx(1, abs=1e-6)
    n = 2 * d
    shift = ridge * d / n  # features x / sqrt d: (x^T x / d + ridge)
    expected = weight @ ((shift / (s + shift)) ** 2 + noise * c * s / (s + shift) ** 2)
    assert excess_error(LINEAR, n, 10**8, d, ridge, noise) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "n", "ridge", "members"),
    [("tanh", 40, 1e-8, 1), ("tanh", 150, 1e-2, 1), ("relu", 300, 1e-8, 1), ("abs", 90, 0.1, 1),
     ("linear", 300, 1e-8, 1), ("tanh", 150, 1e-8, 5), ("relu", 90, 1e-2, 5)],
)  # fmt: skip
def test_simulated_regressions_have_the_predicted_error(name, n, ridge, members):
    """The standard error over 16 draws, and 6 % for the limit: at d = 60 it is not reached."""
    d, p, noise, errors = 60, 220, 2.0, []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        x, unseen, teacher = rng.standard_normal((n, d)), rng.standard_normal((400, d)), rng.standard_normal(d)
        teacher /= np.linalg.norm(teacher)
        y = x @ teacher + np.sqrt(noise) * rng.standard_normal(n)
        mean = 0.0
        for _ in range(members):
            F = rng.standard_normal((d, p)) / np.sqrt(d)
            Z, Z_unseen = (ACTIVATIONS[name](inputs @ F) / np.sqrt(p) for inputs in (x, unseen))
            mean = mean + Z_unseen @ np.linalg.solve(Z.T @ Z + ridge * np.eye(p), Z.T @ y) / members
        errors.append(np.mean((mean - unseen @ teacher) ** 2))
    predicted = excess_error(masses(name), n, p, d, ridge, noise, members)
    assert abs(np.mean(errors) - predicted) < 4 * np.std(errors, ddof=1) / 4 + 0.06 * predicted


def test_infinitely_many_members_are_kernel_regression_with_jacots_larger_ridge():
    """(arXiv 2002.08404): the larger ridge solves r = ridge + r/p tr K (K + r)^-1, for a K drawn here."""
    d, n, p, ridge, noise = 300, 200, 500, 0.05, 1.0
    of = masses("tanh")
    x = np.random.default_rng(0).standard_normal((n, d))
    values = np.linalg.eigvalsh(of.linear * x @ x.T / d) + of.rest
    larger = ridge
    for _ in range(500):
        larger = ridge + larger / p * np.sum(values / (values + larger))
    ensemble = excess_error(of, n, p, d, ridge, noise, members=np.inf)
    assert ensemble == pytest.approx(excess_error(of, n, 10**7, d, larger, noise), rel=0.01)


def test_the_mean_of_k_predictors_exceeds_the_limit_by_one_over_k():
    one, ten, limit = (excess_error(masses("tanh"), 450, 500, 50, 1e-8, 5.0, k) for k in (1, 10, np.inf))
    assert (one - limit) / (ten - limit) == pytest.approx(10)


def test_the_peaks_diverge_at_n_equal_p_and_for_linear_features_at_n_equal_d():
    for activation, n in (("tanh", 500), ("abs", 500), ("linear", 50)):
        heights = [excess_error(masses(activation), n, 500, 50, ridge, 5.0) for ridge in (1e-4, 1e-6, 1e-8)]
        assert np.diff(np.log(heights)) == pytest.approx(np.log(10), rel=0.25)  # like ridge^(-1/2)


@pytest.mark.parametrize(
    ("name", "n", "p", "ridge"), [("relu", 60, 30, 1e-3), ("relu", 60, 60, 0.03), ("tanh", 60, 150, 0.01)]
)
def test_nested_draws_of_data_features_and_noise_have_the_predicted_parts(name, n, p, ridge):
    """Variances between labels, features and data sets, all of them drawn; 4 standard errors, and 8 % for the limit."""
    d, noise, sets, draws, labels, tests = 60, 0.8, 16, 4, 3, 100
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        teacher, unseen = rng.standard_normal(d), rng.standard_normal((tests, d))
        teacher /= np.linalg.norm(teacher)
        f = np.empty((sets, draws, labels, tests))
        for s in range(sets):
            x = rng.standard_normal((n, d))
            for k in range(draws):
                F = rng.standard_normal((d, p)) / np.sqrt(d)
                Z, U = (ACTIVATIONS[name](inputs @ F) / np.sqrt(p) for inputs in (x, unseen))
                y = (x @ teacher)[:, None] + np.sqrt(noise) * rng.standard_normal((n, labels))
                f[s, k] = (U @ np.linalg.solve(Z.T @ Z + ridge * np.eye(p), Z.T @ y)).T
        by_label = f.var(2, ddof=1).mean()
        by_features = f.mean(2).var(1, ddof=1).mean() - by_label / labels
        means = f.mean((1, 2)) - unseen @ teacher
        cross = means @ means.T / tests
        bias = (cross.sum() - np.trace(cross)) / (sets * (sets - 1))
        by_data = np.trace(cross) / sets - bias - by_features / draws - by_label / labels / draws
        found.append((by_label, by_features, by_data, bias))
    mean, error = np.mean(found, 0), np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    parts = error_parts(masses(name), n, p, d, ridge, noise)
    predicted = np.array([parts.noise, parts.init, parts.sampling, parts.bias])
    assert np.all(np.abs(mean - predicted) < 4 * error + 0.08 * predicted), (mean, predicted, error)
    assert np.all(4 * error < 0.35 * predicted)  # it can tell


@pytest.mark.parametrize(("p", "ridge", "members"), [(50, 1e-6, 1), (80, 0.1, 1), (300, 1e-3, 1)])
def test_the_parts_add_up_to_the_error(p, ridge, members):
    parts = error_parts(masses("relu"), 80, p, 100, ridge, 0.5)
    total = excess_error(masses("relu"), 80, p, 100, ridge, 0.5, members)
    assert parts.noise + parts.init + parts.sampling + parts.bias == pytest.approx(total)


def test_the_parts_of_least_norm_regression_are_closed_forms():
    """Isotropic inputs, n < d: the mean predictor is n/d of the teacher, its error 1 - n/d (Hastie et al. 2022)."""
    parts = error_parts(LINEAR, 60, 10**8, 100, 1e-9, 3.0)
    found = (parts.noise, parts.init, parts.sampling, parts.bias)
    assert found == pytest.approx((3 * 60 / 40, 0, 0.4 * 0.6, 0.4**2), rel=1e-4, abs=1e-5)


def test_without_ridge_features_add_n_over_p_minus_n_beyond_the_peak_and_noise_is_p_over_n_minus_p_before():
    for p in (120, 240, 800):
        parts = error_parts(masses("relu"), 80, p, 100, 1e-10, 0.5)
        assert parts.init == pytest.approx(np.sqrt(parts.bias) * 80 / (p - 80), rel=1e-5)
        assert parts.noise / 0.5 == pytest.approx(parts.sampling / parts.bias + 80 / (p - 80), rel=1e-5)
        assert (parts.sampling, parts.bias) == pytest.approx((0.114763, 0.281132), rel=1e-4)  # whatever p
    assert error_parts(masses("relu"), 80, 50, 100, 1e-10, 0.5).noise == pytest.approx(0.5 * 50 / 30, rel=1e-5)


def test_noise_and_initialisation_diverge_at_n_equal_p_as_the_inverse_root_of_the_ridge_and_nothing_else_does():
    far, near = (error_parts(masses("relu"), 80, 80, 100, ridge, 0.5) for ridge in (1e-8, 1e-10))
    assert (near.noise / far.noise, near.init / far.init) == pytest.approx((10, 10), rel=0.01)
    assert (near.sampling / far.sampling, near.bias / far.bias) == pytest.approx((1, 1), rel=0.01)


def test_linear_features_peak_in_p_at_n_only_if_inputs_outnumber_samples():
    """Else their rank stays below n. The peak at n = d is one in n."""
    few, many = ([excess_error(LINEAR, 40, p, d, 1e-7, 0.5) for p in (20, 40, 80)] for d in (20, 60))
    assert max(few) == pytest.approx(min(few), rel=1e-3)
    assert many[1] > 100 * max(many[0], many[2])


def test_the_effective_ridge_of_equal_eigenvalues_solves_a_quadratic():
    n, p, a, ridge = 40, 60, 0.7, 0.2
    b = ridge - a + n * a / p  # r^2 - (ridge - a + n a / p) r - ridge a = 0
    expected = (b + np.sqrt(b**2 + 4 * ridge * a)) / 2
    assert effective_ridge(np.full(n, a), p, ridge) == pytest.approx(expected, rel=1e-12)
    assert effective_ridge(np.full(n, a), 10**9, ridge) == pytest.approx(ridge, rel=1e-6)
    assert effective_ridge(np.full(n, a), 20, 1e-12) == pytest.approx(a, rel=1e-6)  # half of all directions
    assert effective_ridge(np.full(n, a), 80, 1e-9) == pytest.approx(2e-9, rel=1e-6)  # ridge p / (p - n)


def test_the_mean_over_features_is_kernel_regression_with_the_effective_ridge_and_not_with_the_ridge():
    n, p, d, ridge, draws = 40, 12, 20, 0.02, 3000
    rng = np.random.default_rng(0)
    x, unseen = rng.standard_normal((n, d)), rng.standard_normal((200, d))
    y, mean = x[:, 0], 0.0
    for _ in range(draws):
        F = rng.standard_normal((d, p)) / np.sqrt(d)
        Z, U = (np.maximum(inputs @ F, 0) / np.sqrt(p) for inputs in (x, unseen))
        mean = mean + U @ np.linalg.solve(Z.T @ Z + ridge * np.eye(p), Z.T @ y) / draws
    F = rng.standard_normal((d, 400_000 // d)) / np.sqrt(d)  # the kernel by many features, not by its formula
    Z, U = (np.maximum(inputs @ F, 0) / np.sqrt(F.shape[1]) for inputs in (x, unseen))
    K, outer = Z @ Z.T, U @ Z.T
    larger = effective_ridge(np.linalg.eigvalsh(K), p, ridge)
    right, wrong = (
        np.mean((outer @ np.linalg.solve(K + r * np.eye(n), y) - mean) ** 2) / np.mean(mean**2) for r in (larger, ridge)
    )
    assert right < 0.01 < 0.1 < wrong, (right, wrong)


def test_an_unknown_activation_and_a_ridge_of_zero_are_named():
    with pytest.raises(InputError, match="activation: expected one of linear, tanh, relu, abs, found 'elu'"):
        masses("elu")
    with pytest.raises(InputError, match="ridge: expected a positive number, found 0"):
        excess_error(Masses(0, 1, 0, 0), 10, 10, 10, 0, 0)
    with pytest.raises(InputError, match="ridge: expected a positive number, found 0"):
        effective_ridge(np.ones(3), 5, 0)


@pytest.mark.parametrize("n", [20, 30, 90])
def test_features_of_degree_two_without_ridge_are_least_squares_on_all_pairs(n):
    """A linear teacher is out of reach of x_i x_j and noise to it: (1 + noise) n / (n - d (d + 1) / 2) in all."""
    d, noise = 5, 0.7
    found = excess_error(Masses(0.0, 0.0, 1.0, 0.0), n, 10**9, d, 1e-10, noise)
    assert found == pytest.approx((1 + noise) * n / (n - 15) - noise, rel=1e-4)
