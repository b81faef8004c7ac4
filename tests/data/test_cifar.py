import numpy as np
import pytest

from dlatlas.data.cifar import BATCHES, cifar10, read_batch
from dlatlas.errors import InputError
from dlatlas.identity.streams import stream

DRAW = stream("cifar", "data")
X, Y = DRAW.integers(256, size=(18, 3072)).astype(np.uint8), DRAW.integers(10, size=18)
NAMES = [*BATCHES, "test_batch"]


def binary(x, y):
    return b"".join(bytes([label]) + image.tobytes() for image, label in zip(x, y))


@pytest.fixture(params=["binary", "python"])
def folder(request, tmp_path, python2_batch):
    """Six batches of three images, in either version."""
    place = tmp_path / "cifar10"
    place.mkdir()
    for number, name in enumerate(NAMES):
        x, y = X[3 * number : 3 * number + 3], Y[3 * number : 3 * number + 3].tolist()
        if request.param == "binary":
            (place / f"{name}.bin").write_bytes(binary(x, y))
        else:
            (place / name).write_bytes(python2_batch(x, y))
    return tmp_path


def load(folder, **hyper):
    return cifar10(folder=folder, generator=stream("k", "data"), **{"n_train": 15, "n_test": 3, **hyper})


def test_both_versions_give_the_published_order_standardised_by_channel(folder):
    data = load(folder)
    assert data.x.shape == (15, 3, 32, 32)
    assert data.x.dtype == np.float32
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    for channel in range(3):
        raw = X[:, 1024 * channel : 1024 * (channel + 1)].reshape(-1, 32, 32) / 255
        expected = (raw - mean[channel]) / std[channel]
        assert data.x[:, channel] == pytest.approx(expected[:15], abs=1e-5)
        assert data.x_test[:, channel] == pytest.approx(expected[15:], abs=1e-5)
    assert data.y.tolist() == Y[:15].tolist()
    assert data.y_test.tolist() == Y[15:].tolist()
    assert np.array_equal(load(folder, flat=True).x, data.x.reshape(15, 3072))


def test_a_subset_keeps_images_and_labels_together(folder):
    label = {bytes(x): y for x, y in zip(load(folder).x, load(folder).y)}
    part = load(folder, n_train=6)
    assert [label[bytes(x)] for x in part.x] == part.y.tolist()


def test_label_noise_leaves_the_test_set_clean(folder):
    noisy = load(folder, label_noise=1.0)
    assert noisy.y_test.tolist() == Y[15:].tolist()
    assert noisy.y.tolist() != Y[:15].tolist()


def test_absent_files_are_named_with_the_place_for_them(tmp_path):
    with pytest.raises(InputError) as fault:
        load(tmp_path)
    assert str(fault.value) == (
        f"{tmp_path / 'cifar10' / 'data_batch_1'}[.bin]: missing; put the six published files there (data_batch_1, "
        "data_batch_2, data_batch_3, data_batch_4, data_batch_5, test_batch, each .bin or of the python version), "
        "then run `dvc add data`"
    )


@pytest.mark.parametrize("size", [0, 1, 3072, 3 * 3073 - 1])
def test_a_truncated_binary_file_is_refused(tmp_path, size):
    (tmp_path / "b.bin").write_bytes(binary(X[:3], Y[:3])[:size])
    with pytest.raises(InputError) as fault:
        read_batch(tmp_path, "b")
    assert str(fault.value) == (
        f"{tmp_path / 'b.bin'}: expected a multiple of 3073 bytes (a label and 3072 pixels), found {size}"
    )


def test_a_label_that_is_no_class_is_refused_in_both_versions(tmp_path, python2_batch):
    (tmp_path / "a.bin").write_bytes(binary(X[:2], [3, 10]))
    (tmp_path / "b").write_bytes(python2_batch(X[:2], [3, 10]))
    for name in "ab":
        with pytest.raises(InputError, match=r"expected labels 0 to 9, found 3 to 10$"):
            read_batch(tmp_path, name)


def test_a_python_batch_of_the_wrong_size_is_refused(tmp_path, python2_batch):
    (tmp_path / "a").write_bytes(python2_batch(X[:2, :100], [1, 2]))
    (tmp_path / "b").write_bytes(python2_batch(X[:2], [1, 2, 3]))
    (tmp_path / "c").write_bytes(python2_batch(X[:2], [1, 2]).replace(b"U\x06labels", b"U\x06labelz"))
    for name, message in [
        ("a", r"expected 2 x 3072 pixels for its labels, found \(2, 100\)$"),
        ("b", r"expected 3 x 3072 pixels for its labels, found \(2, 3072\)$"),
        ("c", 'not a CIFAR batch: has no "labels"$'),
    ]:
        with pytest.raises(InputError, match=message):
            read_batch(tmp_path, name)
