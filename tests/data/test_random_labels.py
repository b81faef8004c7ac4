import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlatlas.data.dataset import Dataset
from dlatlas.data.random_labels import corrupt, random_inputs, randomise
from dlatlas.errors import InputError
from dlatlas.identity.streams import stream

labels = arrays(np.int64, st.integers(1, 200), elements=st.integers(0, 9))
fractions = st.floats(0, 1)


@given(labels, fractions, st.text(max_size=3))
def test_corrupt_draws_exactly_the_rounded_share_of_labels_again(y, fraction, key):
    """With 2^62 classes no drawn label is right by chance, so all that were drawn again can be counted."""
    noisy = corrupt(y, fraction, 2**62, stream(key, "data"))
    assert np.sum(noisy != y) == round(fraction * len(y))


@given(labels, fractions, st.text(max_size=3))
def test_corrupt_touches_the_same_places_whatever_the_number_of_classes(y, fraction, key):
    places = corrupt(y, fraction, 2**62, stream(key, "data")) != y
    noisy = corrupt(y, fraction, 10, stream(key, "data"))
    assert np.array_equal(noisy[~places], y[~places])
    assert noisy.dtype == y.dtype
    assert noisy.min() >= 0
    assert noisy.max() <= 9


@given(labels, fractions)
def test_corrupt_leaves_its_argument_alone(y, fraction):
    before = y.copy()
    corrupt(y, fraction, 10, stream("k", "data"))
    assert np.array_equal(y, before)


@given(labels)
def test_no_noise_changes_nothing(y):
    assert np.array_equal(corrupt(y, 0.0, 10, stream("k", "data")), y)


def test_random_labels_are_uniform_and_know_nothing_of_the_true_ones():
    y = np.repeat(np.arange(10), 2000)
    table = np.zeros((10, 10))
    np.add.at(table, (y, corrupt(y, 1.0, 10, stream("k", "data"))), 1)
    chi2 = ((table - 200) ** 2 / 200).sum()
    assert abs(chi2 - 90) < 4.5 * np.sqrt(2 * 90)


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_a_fraction_outside_zero_and_one_is_refused(fraction):
    with pytest.raises(InputError, match=r"^label_noise: expected a fraction from 0 to 1, found"):
        corrupt(np.zeros(3, np.int64), fraction, 10, stream("k", "data"))


def test_random_inputs_have_the_mean_and_covariance_of_the_data():
    generator, n = stream("k", "data"), 40_000
    mix = np.array([[1.0, 0.0, 0.0, 0.0], [0.5, 2.0, 0.0, 0.0], [0.0, -1.0, 0.1, 0.0], [1.0, 1.0, 1.0, 0.0]])
    x = (generator.exponential(size=(300, 4)) @ mix + [5, 0, -2, 7]).astype(np.float64)
    noise = random_inputs(x, generator, n)
    covariance = np.cov(x.T, bias=True)
    spread = np.sqrt(np.diag(covariance))
    assert np.allclose(noise[:, 3], 7)  # a constant input stays constant
    z = (noise.mean(axis=0) - x.mean(axis=0))[:3] / spread[:3] * np.sqrt(n)
    assert np.abs(z).max() < 4.5
    error = np.sqrt((covariance**2 + np.outer(spread**2, spread**2)) / n)
    difference = np.abs(np.cov(noise.T, bias=True) - covariance)
    assert np.all(difference <= 4.5 * error + 1e-12)


def test_random_inputs_are_gaussian_where_the_data_are_not():
    generator = stream("k", "data")
    x = generator.choice([-1.0, 1.0], size=(500, 1))
    fourth = np.mean(random_inputs(x - x.mean(), generator, 20_000) ** 4) / np.var(x) ** 2
    assert fourth == pytest.approx(3, abs=4.5 * np.sqrt(96 / 20_000))


def test_random_inputs_keep_shape_and_type():
    x = stream("k", "data").standard_normal((6, 1, 2, 2)).astype(np.float32)
    assert random_inputs(x, stream("k", "data")).shape == (6, 1, 2, 2)
    assert random_inputs(x, stream("k", "data"), 9).shape == (9, 1, 2, 2)
    assert random_inputs(x, stream("k", "data")).dtype == np.float32


def test_the_test_set_stays_clean():
    generator = stream("k", "data")
    x, y = generator.standard_normal((50, 3)), generator.integers(4, size=50)
    clean = Dataset(x, y, x + 1, y.copy())
    noisy = randomise(clean, 1.0, True, 4, generator)
    assert noisy.x_test is clean.x_test
    assert noisy.y_test is clean.y_test
    assert not np.array_equal(noisy.x, x)
    assert not np.array_equal(noisy.y, y)
    assert randomise(clean, 0.0, False, 4, generator).x is clean.x
