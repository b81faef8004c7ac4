import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group

from dlatlas.measures.neural_collapse import (
    class_means,
    cosines,
    nearest_mean_disagreement,
    self_duality,
    unequal_norms,
    variability,
)


def drawn(seed=0, classes=4, n=15, d=7, scatter=0.5):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), n)
    means = rng.standard_normal((classes, d))
    return means[labels] + scatter * rng.standard_normal((len(labels), d)), labels


def test_covariances_add_up_to_the_total():
    features, labels = drawn()
    found = class_means(features, labels, 4)
    np.testing.assert_allclose(found.within + found.between, np.cov(features.T, bias=True))


def test_variability_is_the_trace_with_the_pseudo_inverse():
    features, labels = drawn()
    found = class_means(features, labels, 4)
    expected = np.trace(found.within @ np.linalg.pinv(found.between, rcond=1e-10)) / 4
    assert variability(found, 4) == pytest.approx(expected)


def test_variability_is_that_of_one_dimension():
    """Means -1 and 1 with variance v: tr(S_W / S_B) / 2 = v / 2."""
    features = np.array([[-1.1], [-0.9], [0.7], [1.3]])
    found = class_means(features, np.array([0, 0, 1, 1]), 2)
    assert variability(found, 2) == pytest.approx((0.01 + 0.09) / 2 / 2)


@given(st.integers(0, 1000))
def test_rotations_and_scales_change_nothing(seed):
    features, labels = drawn(seed)
    turned = 3.0 * features @ ortho_group.rvs(7, random_state=seed)
    one, two = class_means(features, labels, 4), class_means(turned, labels, 4)
    assert variability(one, 4) == pytest.approx(variability(two, 4))
    np.testing.assert_allclose(cosines(one.means), cosines(two.means), atol=1e-12)
    assert unequal_norms(one.means) == pytest.approx(unequal_norms(two.means))


def test_collapsed_features_on_a_frame_have_all_four_at_zero():
    labels = np.repeat(np.arange(3), 5)
    frame = np.eye(6)[:3]
    found = class_means(frame[labels], labels, 3)
    assert variability(found, 3) == 0
    np.testing.assert_allclose(cosines(found.means), 0)
    np.testing.assert_allclose(cosines(found.means - found.centre), -1 / 2)
    assert unequal_norms(found.means) == 0
    assert self_duality(2 * frame, found.means) == pytest.approx(0)
    assert nearest_mean_disagreement(frame[labels] @ frame.T, frame[labels], found.means) == 0


def test_self_duality_of_orthogonal_weights_is_the_root_of_two():
    assert self_duality(np.eye(4)[:2], np.eye(4)[2:]) == pytest.approx(np.sqrt(2))


def test_disagreement_is_counted():
    features, means = np.array([[0.1], [0.9], [0.8]]), np.array([[0.0], [1.0]])
    logits = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert nearest_mean_disagreement(logits, features, means) == pytest.approx(1 / 3)
