import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlatlas.data.directions import directions
from dlatlas.data.gaussian import gaussian_classes, gaussian_regression
from dlatlas.errors import InputError
from dlatlas.identity.streams import stream

NOWHERE = None
keys, sizes, dimensions = st.text(max_size=4), st.integers(1, 60), st.integers(1, 20)


def regression(key="k", **hyper):
    return gaussian_regression(folder=NOWHERE, generator=stream(key, "data"), **hyper)


def classes(key="k", **hyper):
    return gaussian_classes(folder=NOWHERE, generator=stream(key, "data"), **hyper)


@given(keys, sizes, dimensions, st.floats(0.01, 100))
def test_without_noise_the_targets_are_the_teacher_s(key, n, d, signal):
    data = regression(key, n_train=n, inputs=d, n_test=5, signal=signal)
    (teacher,) = directions(stream(key, "data"), d)
    assert np.linalg.norm(teacher) == pytest.approx(1)
    for x, y in ((data.x, data.y), (data.x_test, data.y_test)):
        assert y.shape == (len(x), 1)
        assert y[:, 0] == pytest.approx(signal * x @ teacher, abs=1e-10 * signal)


def test_enough_examples_without_noise_give_the_teacher_back():
    data = regression(n_train=80, inputs=20, signal=3.0)
    estimate = np.linalg.lstsq(data.x, data.y, rcond=None)[0][:, 0]
    assert estimate == pytest.approx(3 * directions(stream("k", "data"), 20)[0], abs=1e-10)


def test_noise_is_of_the_given_size_on_the_training_targets_alone():
    data = regression(n_train=20_000, inputs=10, noise=0.5, signal=2.0)
    teacher = 2 * directions(stream("k", "data"), 10)[0]
    residual = data.y[:, 0] - data.x @ teacher
    assert residual.std() == pytest.approx(0.5, rel=4.5 / np.sqrt(2 * 20_000))
    assert data.y_test[:, 0] == pytest.approx(data.x_test @ teacher, abs=1e-12)
    assert data.y.var() == pytest.approx(2**2 + 0.5**2, rel=4.5 * np.sqrt(2 / 20_000))


def test_inputs_are_standard_normal_and_the_noise_leaves_them_alone():
    data = regression(n_train=20_000, inputs=5)
    covariance = data.x.T @ data.x / 20_000
    assert np.abs(covariance - np.eye(5)).max() < 4.5 * np.sqrt(2 / 20_000)
    assert np.array_equal(data.x, regression(n_train=20_000, inputs=5, noise=1.0).x)


@given(keys, sizes, dimensions, st.floats(1e-3, 50))
def test_every_example_has_the_margin_that_was_asked_for(key, n, d, margin):
    data = classes(key, n_train=n, inputs=d, n_test=n, margin=margin)
    (teacher,) = directions(stream(key, "data"), d)
    for x, y in ((data.x, data.y), (data.x_test, data.y_test)):
        assert set(np.unique(y)) <= {-1.0, 1.0}
        assert np.min(y[:, 0] * (x @ teacher)) >= margin * (1 - 1e-12) - 1e-12


def test_the_margin_is_not_exaggerated():
    """The nearest of n half-normal distances is about sqrt(pi / 2) / n: the sample's margin is close to the bound."""
    data = classes(n_train=20_000, inputs=5, margin=0.3)
    (teacher,) = directions(stream("k", "data"), 5)
    assert 0.3 <= np.min(data.y[:, 0] * (data.x @ teacher)) < 0.3 + 10 / 20_000


def test_the_classes_are_balanced_and_the_other_directions_standard_normal():
    data, n = classes(n_train=20_000, inputs=5, margin=2.0), 20_000
    (teacher,) = directions(stream("k", "data"), 5)
    assert abs(data.y.sum()) < 4.5 * np.sqrt(n)
    rest = data.x - np.outer(data.x @ teacher, teacher)
    assert np.abs(rest.T @ rest / n - (np.eye(5) - np.outer(teacher, teacher))).max() < 4.5 * np.sqrt(2 / n)


def test_label_noise_flips_half_of_the_labels_it_draws_again():
    clean, noisy = classes(n_train=4000), classes(n_train=4000, label_noise=0.4)
    flipped = np.mean(clean.y != noisy.y)
    assert flipped == pytest.approx(0.2, abs=4.5 * np.sqrt(0.4 * 0.25 / 4000))
    assert np.array_equal(clean.x, noisy.x)
    assert np.array_equal(clean.y_test, noisy.y_test)


@settings(max_examples=10)
@given(keys)
def test_equal_streams_give_equal_data(key):
    for make in (regression, classes):
        a, b, c = make(key), make(key), make(key + "x")
        assert np.array_equal(a.x, b.x)
        assert np.array_equal(a.y, b.y)
        assert not np.array_equal(a.x, c.x)


@pytest.mark.parametrize("margin", [0, -1.0, float("nan")])
def test_a_margin_that_is_not_positive_is_refused(margin):
    with pytest.raises(InputError, match=r"^gaussian_classes: margin: expected a positive number, found"):
        classes(margin=margin)
