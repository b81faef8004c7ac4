import numpy as np
import pytest

from dltheory.theory.nested_variance import nested_variance, threshold_width


def planted(rng, draws, bias=0.7, of_sets=1.3, of_starts=0.8, shape=(3, 4, 5)):
    """Outputs of known components: their sums over outputs are 5 times the squares of the arguments."""
    sets, starts, outputs = shape
    return (
        bias
        + of_sets * rng.standard_normal((draws, sets, 1, outputs))
        + of_starts * rng.standard_normal((draws, sets, starts, outputs))
    )


@pytest.mark.parametrize("shape", [(2, 2, 5), (3, 4, 5), (6, 2, 5)])
def test_components_are_right_on_average(shape):
    """Monte Carlo with 4,000 designs, |z| < 4."""
    found = nested_variance(planted(np.random.default_rng(0), 4000, shape=shape))
    for values, truth in zip(found, (0.7**2, 1.3**2, 0.8**2)):
        assert abs(values.mean() - 5 * truth) / (values.std() / np.sqrt(4000)) < 4


def test_they_sum_to_the_mean_square():
    errors = planted(np.random.default_rng(1), 7)
    np.testing.assert_allclose(sum(nested_variance(errors)), (errors**2).sum(-1).mean((-2, -1)))


def test_they_are_products_of_different_sets_and_starts():
    """Brute force: bias from pairs of sets, bias + sets from pairs of starts on one set, all from each with itself."""
    errors = planted(np.random.default_rng(2), 1)[0]
    sets, starts, _ = errors.shape
    across, same, alone = [], [], []
    for a in range(sets):
        for i in range(starts):
            for b in range(sets):
                for j in range(starts):
                    kind = across if a != b else alone if i == j else same
                    kind.append(errors[a, i] @ errors[b, j])
    expected = np.mean(across), np.mean(same) - np.mean(across), np.mean(alone) - np.mean(same)
    np.testing.assert_allclose(nested_variance(errors), expected)


@pytest.mark.parametrize(("n", "inputs", "outputs"), [(200, 64, 10), (50, 3, 1)])
def test_parameters_at_the_threshold_are_counted_one_by_one(n, inputs, outputs):
    h = threshold_width(n, inputs, outputs)
    assert inputs * h + h + h * outputs + outputs == pytest.approx(n * outputs)


def test_the_width_of_the_audit():
    assert threshold_width(200, 64, 10) == pytest.approx(26.5, abs=0.04)
