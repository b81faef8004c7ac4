import gzip

import numpy as np
import pytest

from dlatlas.data.mnist import FILES, mnist
from dlatlas.errors import InputError
from dlatlas.identity.streams import stream


@pytest.fixture
def folder(tmp_path, idx):
    """Two training images of every digit and one test image, two files zipped."""
    draw = stream("mnist", "data")
    (tmp_path / "mnist").mkdir()
    for position, count in ((0, 20), (2, 10)):
        images, labels = draw.integers(256, size=(count, 28, 28)), np.arange(count) % 10
        (tmp_path / "mnist" / FILES[position]).write_bytes(idx(images))
        (tmp_path / "mnist" / f"{FILES[position + 1]}.gz").write_bytes(gzip.compress(idx(labels)))
    return tmp_path


def load(folder, **hyper):
    return mnist(folder=folder, generator=stream("k", "data"), **{"n_train": 20, "n_test": 10, **hyper})


def test_pixels_are_standardised_by_the_published_constants(folder):
    data = load(folder)
    raw = np.frombuffer((folder / "mnist" / FILES[0]).read_bytes()[16:], np.uint8).reshape(20, 784)
    assert data.x.dtype == np.float32
    assert data.x == pytest.approx((raw / 255 - 0.1307) / 0.3081, abs=1e-6)
    assert data.y.tolist() == [*range(10), *range(10)]
    assert data.x_test.shape == (10, 784)
    assert np.array_equal(load(folder, flat=False).x.reshape(20, 784), data.x)
    assert load(folder, flat=False).x_test.shape == (10, 1, 28, 28)


def test_a_subset_keeps_images_and_labels_together(folder):
    label = {bytes(x): y for x, y in zip(load(folder).x, load(folder).y)}
    part = load(folder, n_train=7, n_test=3)
    assert [label[bytes(x)] for x in part.x] == part.y.tolist()
    assert part.x_test.shape == (3, 784)


def test_noise_leaves_the_test_set_clean(folder):
    clean, noisy = load(folder), load(folder, label_noise=1.0, input_noise=True)
    assert np.array_equal(clean.x_test, noisy.x_test)
    assert not np.array_equal(clean.x, noisy.x)
    assert not np.array_equal(clean.y, noisy.y)


def test_absent_files_are_named_with_the_place_for_them(tmp_path):
    with pytest.raises(InputError) as fault:
        load(tmp_path)
    assert str(fault.value) == (
        f"{tmp_path / 'mnist' / 'train-images-idx3-ubyte'}[.gz]: missing; put the four published files there "
        "(train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte), "
        "then run `dvc add data`"
    )


def test_images_without_their_labels_are_refused(folder, idx):
    (folder / "mnist" / FILES[1]).write_bytes(idx(np.arange(9)))
    with pytest.raises(InputError, match=f"{FILES[1]}: expected 20 labels, as many as images, found 9$"):
        load(folder)


def test_a_label_that_is_no_digit_is_refused(folder, idx):
    (folder / "mnist" / FILES[3]).write_bytes(idx(np.arange(10) + 1))
    with pytest.raises(InputError, match=f"{FILES[3]}: expected labels 0 to 9, found 10$"):
        load(folder)
