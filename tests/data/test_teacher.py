import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf, eval_hermitenorm, factorial

from dlatlas.data.directions import directions
from dlatlas.data.teacher import LINKS, single_index_teacher, two_layer_teacher
from dlatlas.errors import InputError
from dlatlas.identity.streams import stream

FORMULAS = {
    "linear": lambda t: t,
    "relu": lambda t: (t + abs(t)) / 2,
    "tanh": lambda t: (np.exp(2 * t) - 1) / (np.exp(2 * t) + 1),
    "erf": lambda t: erf(t / 2**0.5),
    "sign": lambda t: np.where(t > 0, 1.0, -1.0),
    **{f"hermite{k}": lambda t, k=k: eval_hermitenorm(k, t) / factorial(k) ** 0.5 for k in (2, 3, 4)},
}


def single(key="k", **hyper):
    return single_index_teacher(folder=None, generator=stream(key, "data"), **hyper)


def committee(key="k", **hyper):
    return two_layer_teacher(folder=None, generator=stream(key, "data"), **hyper)


def test_every_link_has_a_formula_here():
    assert set(FORMULAS) == set(LINKS)


@settings(deadline=None)
@given(st.text(max_size=3), st.sampled_from(sorted(LINKS)), st.integers(1, 15), st.booleans())
def test_without_noise_a_single_index_target_is_the_link_of_one_projection(key, link, d, sphere):
    data = single(key, n_train=20, n_test=10, inputs=d, link=link, sphere=sphere)
    (w,) = directions(stream(key, "data"), d)
    for x, y in ((data.x, data.y), (data.x_test, data.y_test)):
        assert y.shape == (len(x), 1)
        assert y[:, 0] == pytest.approx(FORMULAS[link](x @ w), abs=1e-10)


@settings(deadline=None)
@given(st.text(max_size=3), st.sampled_from(sorted(LINKS)), st.integers(1, 6), st.integers(0, 9))
def test_without_noise_a_committee_s_target_is_the_sum_over_its_units(key, link, width, more):
    data = committee(key, n_train=20, n_test=10, inputs=width + more, teacher_width=width, link=link)
    units = directions(stream(key, "data"), width + more, width)
    expected = sum(FORMULAS[link](data.x @ w) for w in units) / width**0.5
    assert data.y[:, 0] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("link", ["linear", "hermite2", "hermite3", "sign"])
def test_targets_of_unit_links_have_second_moment_one_however_many_units(link):
    """Orthonormal units see independent N(0, 1), so E y^2 = E phi^2 = 1 for links of mean zero and unit norm."""
    y = committee(n_train=100_000, n_test=1, inputs=6, teacher_width=4, link=link).y
    assert abs(np.mean(y**2) - 1) < 4.5 * np.std(y**2) / np.sqrt(len(y))


@pytest.mark.parametrize(
    ("link", "exponent"), [("linear", 1), ("tanh", 1), ("hermite2", 2), ("hermite3", 3), ("hermite4", 4)]
)
def test_the_information_exponent_is_the_first_hermite_polynomial(link, exponent):
    t, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    coefficients = [np.sum(weights * LINKS[link](t) * eval_hermitenorm(k, t)) for k in range(1, exponent + 1)]
    assert coefficients[:-1] == pytest.approx([0] * (exponent - 1), abs=1e-10)
    assert abs(coefficients[-1]) > 0.1


def test_inputs_on_the_sphere_have_norm_sqrt_d():
    x = single(inputs=7, n_train=50, sphere=True).x
    assert np.linalg.norm(x, axis=1) == pytest.approx(np.full(50, 7**0.5))
    assert np.linalg.norm(single(inputs=7, n_train=50).x, axis=1).std() > 0.3


def test_noise_is_on_the_training_targets_alone():
    clean, noisy = single(n_train=20_000), single(n_train=20_000, noise=0.3)
    assert np.array_equal(clean.x, noisy.x)
    assert (noisy.y - clean.y).std() == pytest.approx(0.3, rel=4.5 / np.sqrt(40_000))
    assert np.array_equal(clean.y_test, noisy.y_test)


def test_fresh_batches_come_from_the_same_teacher_and_from_the_generator_they_are_given():
    source = committee(online=True, inputs=9, teacher_width=3)
    units = directions(stream("k", "data"), 9, 3)
    x, y = source.draw(stream("k", "order", 4), 30)
    again, _ = source.draw(stream("k", "order", 4), 30)
    other, _ = source.draw(stream("k", "order", 5), 30)
    assert np.array_equal(x, again)
    assert not np.array_equal(x, other)
    assert y[:, 0] == pytest.approx(erf(x @ units.T / 2**0.5).sum(axis=1) / 3**0.5)
    assert np.array_equal(source.x_test, committee(inputs=9, teacher_width=3).x_test)
    noisy = single(online=True, noise=2.0)
    assert (noisy.draw(stream("k", "order"), 4000)[1] ** 2).mean() == pytest.approx(4.5, rel=0.1)


def test_equal_streams_give_equal_data():
    a, again, b = single("a"), single("a"), single("b")
    assert np.array_equal(a.x, again.x)
    assert np.array_equal(a.y, again.y)
    assert not np.array_equal(a.x, b.x)


def test_an_unknown_link_is_answered_with_the_nearest():
    with pytest.raises(
        InputError, match=r'^single_index_teacher: link: unknown function "hermit2"; did you mean "hermite2"\?$'
    ):
        single(link="hermit2")


def test_more_units_than_dimensions_are_refused():
    with pytest.raises(InputError, match=r"^two_layer_teacher: teacher_width: expected 1 to 4 \(inputs\), found 5$"):
        committee(inputs=4, teacher_width=5)
