import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlatlas.data.digits import digits, make
from dlatlas.errors import InputError
from dlatlas.identity.streams import stream


def rows(x):
    return sorted(map(bytes, np.ascontiguousarray(x)))


def test_the_file_holds_the_published_pixels_and_labels(sha256):
    file = make()
    assert file["x"].shape == (1797, 64)
    assert file["x"].dtype == np.float32
    assert np.array_equal(np.unique(file["x"]), np.arange(17) / 16)
    assert np.bincount(file["y"]).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert sha256(file["x"], "<f4") == "9f578524b6cec1fc800cc52dfc87ebe56264983d490aa72a4bd928ba2570ec77"
    assert sha256(file["y"], "<i8") == "a3c91c262eddcf7ba8f0e37507c30284493c9b20412ffe4af30d536401f7ba21"


def test_train_and_test_share_out_all_examples(made):
    data = digits(folder=made, generator=stream("a", "data"), n_train=1200)
    assert (len(data.x), len(data.y), len(data.x_test), len(data.y_test)) == (1200, 1200, 597, 597)
    pixels = np.round((np.concatenate([data.x, data.x_test]) * 0.376049 + 0.305260) * 16) / 16
    assert rows(pixels.astype(np.float32)) == rows(make()["x"])


def test_the_inputs_are_standardised(made):
    data = digits(folder=made, generator=stream("a", "data"), n_train=1796)
    assert data.x.dtype == np.float32
    assert data.y.dtype == np.int64
    everything = np.concatenate([data.x, data.x_test]).astype(np.float64)
    assert everything.mean() == pytest.approx(0, abs=1e-5)
    assert everything.std() == pytest.approx(1, abs=1e-5)


@settings(max_examples=10, deadline=None)
@given(st.text(max_size=5), st.integers(1, 1796), st.sampled_from([0.0, 0.3, 1.0]), st.booleans())
def test_equal_streams_give_equal_data(made, key, n_train, label_noise, input_noise):
    first, second = (
        digits(folder=made, generator=stream(key, "data"), n_train=n_train, label_noise=label_noise,
               input_noise=input_noise) for _ in range(2)
    )  # fmt: skip
    for name in ("x", "y", "x_test", "y_test"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


def test_another_stream_gives_another_split(made):
    first, second = (digits(folder=made, generator=stream(key, "data")) for key in "ab")
    assert not np.array_equal(first.y, second.y)
    assert np.array_equal(np.bincount(np.r_[first.y, first.y_test]), np.bincount(np.r_[second.y, second.y_test]))


def test_noise_changes_neither_the_split_nor_the_test_set(made):
    clean = digits(folder=made, generator=stream("a", "data"))
    noisy = digits(folder=made, generator=stream("a", "data"), label_noise=0.5, input_noise=True)
    labels = digits(folder=made, generator=stream("a", "data"), label_noise=0.5)
    assert np.array_equal(clean.x_test, noisy.x_test)
    assert np.array_equal(clean.y_test, noisy.y_test)
    assert np.array_equal(clean.x, labels.x)
    assert np.array_equal(noisy.y, labels.y)
    assert np.mean(clean.y != labels.y) == pytest.approx(0.45, abs=4 * np.sqrt(0.09 * 0.5 / 1000))
    assert not np.any(np.all(clean.x == noisy.x, axis=1))


def test_images_are_the_same_pixels_in_another_shape(made):
    flat = digits(folder=made, generator=stream("a", "data"))
    image = digits(folder=made, generator=stream("a", "data"), flat=False)
    assert image.x.shape == (1000, 1, 8, 8)
    assert np.array_equal(image.x.reshape(1000, 64), flat.x)


@pytest.mark.parametrize("n_train", [0, 1797, -3, 2.5])
def test_an_impossible_split_is_told_in_one_line(made, n_train):
    with pytest.raises(InputError) as fault:
        digits(folder=made, generator=stream("a", "data"), n_train=n_train)
    assert str(fault.value) == f"digits: n_train: expected a whole number from 1 to 1796, found {n_train}"
