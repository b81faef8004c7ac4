import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from dlatlas.data.photo_patches import make, photo_patches
from dlatlas.errors import InputError
from dlatlas.identity.streams import stream


def test_the_file_is_as_it_was_first_made(sha256):
    x = make()["x"]
    assert x.shape == (4000, 144)
    assert x.dtype == np.float32
    assert sha256(x, "<f4") == "310cd91e72706cd2ea2603f03cb75a10cb15947eaead00402bed50484c465eed"


def test_every_patch_has_mean_zero_and_grey_levels_below_one():
    x = make()["x"].astype(np.float64)
    assert np.abs(x.mean(axis=1)).max() < 1e-7
    assert 0.05 < x.std() < 0.5
    assert np.abs(x).max() < 1


def test_a_patch_is_a_window_of_a_photograph():
    """Brute force: slide the first patches over both photographs and find them."""
    grey = [photo @ np.array([0.299, 0.587, 0.114]) / 255 for photo in load_sample_images().images]
    windows = [np.lib.stride_tricks.sliding_window_view(photo, (12, 12)) for photo in grey]
    for patch in make()["x"][:3].astype(np.float64):
        corner = patch[0] - patch[-1]
        candidates = [w[np.abs(w[..., 0, 0] - w[..., -1, -1] - corner) < 1e-5].reshape(-1, 144) for w in windows]
        found = np.concatenate(candidates)
        distance = np.abs(found - found.mean(axis=1, keepdims=True) - patch).max(axis=1)
        assert np.sum(distance < 1e-6) >= 1


def test_the_patches_are_natural_neighbouring_pixels_agree_until_they_are_shuffled():
    def neighbours(x):
        return np.corrcoef(x[:, :, 1:].ravel(), x[:, :, :-1].ravel())[0, 1]

    x = make()["x"].reshape(-1, 12, 12)
    shuffled = stream("k", "order").permuted(x.reshape(-1, 144), axis=1).reshape(x.shape)
    assert neighbours(x) > 0.3
    assert abs(neighbours(shuffled)) < 0.03


def test_targets_are_the_inputs_and_the_two_sets_share_no_patch(made):
    data = photo_patches(folder=made, generator=stream("a", "data"), n_train=500, n_test=200)
    assert data.x.shape == (500, 144)
    assert data.x_test.shape == (200, 144)
    assert np.array_equal(data.x, data.y)
    assert np.array_equal(data.x_test, data.y_test)
    file = [bytes(row) for row in make()["x"]]
    train, test = ([file.index(bytes(row)) for row in part] for part in (data.x, data.x_test))
    assert not set(train) & set(test)


def test_equal_streams_give_equal_patches(made):
    a, again, b = (photo_patches(folder=made, generator=stream(key, "data"), n_train=50) for key in "aab")
    assert np.array_equal(a.x, again.x)
    assert not np.array_equal(a.x, b.x)


def test_more_patches_than_there_are_is_refused(made):
    with pytest.raises(InputError, match=r"^photo_patches: n_test: expected a whole number from 0 to 500, found 501$"):
        photo_patches(folder=made, generator=stream("a", "data"), n_train=3500, n_test=501)
