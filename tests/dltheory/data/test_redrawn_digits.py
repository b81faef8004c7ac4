from pathlib import Path

import numpy as np
import pytest

from dlatlas.data.digits import make
from dlatlas.errors import InputError
from dlatlas.identity.pointer import digest
from dlatlas.identity.streams import stream
from dlatlas.planning.plan import Plan, Settings
from dltheory.data.redrawn_digits import redrawn_digits

ROOT = Path(__file__).parents[3]


def drawn(made, key="a", **options):
    return redrawn_digits(folder=made, generator=stream(key, "data"), **{"tests": 300, **options})


def rows(x):
    return set(map(bytes, np.ascontiguousarray(x)))


def test_training_sets_differ_and_the_test_set_does_not(made):
    one, two = drawn(made, "a"), drawn(made, "b")
    assert np.array_equal(one.x_test, two.x_test)
    assert np.array_equal(one.y_test, two.y_test)
    shared = len(rows(one.x) & rows(two.x))
    assert shared < 60  # 200 * 200 / 1497 = 27 on average
    assert not np.array_equal(one.x_test, drawn(made, "a", seed=1).x_test)


def test_no_test_example_is_trained_on(made):
    data = drawn(made, n_train=1497)
    assert len(data.x) + len(data.x_test) == 1797
    distinct = len(rows(make()["x"]))
    assert len(rows(data.x) | rows(data.x_test)) == distinct


def test_every_pixel_has_mean_zero(made):
    data = drawn(made, n_train=1497)
    everything = np.concatenate([data.x, data.x_test]).astype(np.float64)
    assert data.x.dtype == np.float32
    assert np.abs(everything.mean(axis=0)).max() < 1e-6
    assert np.ptp(everything, axis=0).max() == pytest.approx(1 / 0.376049)


def test_noise_is_in_training_labels_alone(made):
    clean, noisy = drawn(made, label_noise=0.0), drawn(made, label_noise=0.1)
    assert np.array_equal(clean.x, noisy.x)
    assert np.array_equal(clean.y_test, noisy.y_test)
    assert 12 <= np.sum(clean.y != noisy.y) <= 20


@pytest.mark.parametrize("wrong", [{"n_train": 1498}, {"tests": 1797}, {"label_noise": 1.5}])
def test_what_is_impossible_is_said(made, wrong):
    with pytest.raises(InputError):
        drawn(made, **wrong)


def test_they_are_made_again_when_the_file_of_the_digits_is():
    plan = Plan(Settings.read({"studies": "bias_variance_versus_width"}, ROOT))
    assert plan.data("bias_variance_versus_width") == {"redrawn_digits": digest(ROOT / "data.dvc", "digits")}
    assert digest(ROOT / "data.dvc", "digits") != digest(ROOT / "data.dvc", "mnist")
