import numpy as np
import pytest

from dlatlas.data.mnist1d import make, mnist1d, signals, stretch
from dlatlas.errors import InputError
from dlatlas.identity.streams import stream


def test_the_data_are_the_frozen_file_of_the_paper(sha256):
    """Digests of the labels, and of the inputs rounded to float32, of mnist1d_data.pkl (sha256 e9525767...)."""
    file = make()
    assert sha256(file["y"], "<i8") == "6feec4a017698c7fe237c8854cbd2e338c6dd5c16240f6fa79daefaaa129e169"
    assert sha256(file["x"], "<f4") == "0b2b548d14a498bf71ce4d5e7df61d47851b3e5dd7e7f581a1011383cb03467c"


def test_making_the_data_leaves_numpys_own_stream_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    signals(samples=10)
    assert np.array_equal(np.random.get_state()[1], before)


def test_signals_are_standardised_and_classes_balanced():
    x, y = signals(samples=200, seed=1)
    assert x.shape == (200, 40)
    assert x.mean() == pytest.approx(0, abs=1e-12)
    assert x.std() == pytest.approx(1, abs=1e-12)
    assert np.bincount(y).tolist() == [20] * 10


def test_stretching_keeps_a_straight_line_and_the_ends():
    assert stretch(np.linspace(2, 5, 7), 31) == pytest.approx(np.linspace(2, 5, 31))
    bent = stretch(np.array([1.0, -2.0, 4.0]), 5)
    assert bent.tolist() == [1.0, -0.5, -2.0, 1.0, 4.0]


def test_the_published_split_is_kept_in_its_order(made):
    data, file = mnist1d(folder=made, generator=stream("a", "data")), make()
    assert np.array_equal(data.x, file["x"][:4000])
    assert np.array_equal(data.y, file["y"][:4000])
    assert np.array_equal(data.x_test, file["x"][4000:])
    assert np.array_equal(data.y_test, file["y"][4000:])


def test_a_smaller_training_set_is_a_random_part_of_the_published_one(made):
    published = {bytes(x): y for x, y in zip(make()["x"][:4000], make()["y"])}
    data = mnist1d(folder=made, generator=stream("a", "data"), n_train=300)
    keys = [bytes(x) for x in data.x]
    assert len(set(keys)) == 300
    assert [published[key] for key in keys] == data.y.tolist()
    assert len(data.x_test) == 1000
    again = mnist1d(folder=made, generator=stream("a", "data"), n_train=300)
    other = mnist1d(folder=made, generator=stream("b", "data"), n_train=300)
    assert np.array_equal(data.x, again.x)
    assert not np.array_equal(data.x, other.x)


def test_labels_and_inputs_can_be_made_noise(made):
    clean = mnist1d(folder=made, generator=stream("a", "data"))
    noisy = mnist1d(folder=made, generator=stream("a", "data"), label_noise=0.15, input_noise=True)
    assert 0 < np.sum(clean.y != noisy.y) <= 600
    assert noisy.x.std() == pytest.approx(clean.x.std(), rel=0.02)
    assert not np.any(np.all(clean.x == noisy.x, axis=1))
    assert np.array_equal(clean.x_test, noisy.x_test)


def test_more_examples_than_published_are_refused(made):
    with pytest.raises(InputError, match=r"^mnist1d: n_train: expected a whole number from 1 to 4000, found 4001$"):
        mnist1d(folder=made, generator=stream("a", "data"), n_train=4001)
