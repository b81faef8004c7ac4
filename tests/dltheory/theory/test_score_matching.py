"""The Wasserstein bound against quadrature, cases in which it is the distance, and the audit's numbers."""

import numpy as np
import pytest
from scipy.integrate import quad

from dltheory.theory.score_matching import lipschitz_integral, wasserstein_bound


@pytest.mark.parametrize(("spread", "modes"), [(1.0, 0.0), (0.25, 0.0), (3.0, 0.0), (0.25, 2.0), (0.4, 1.5)])
def test_the_lipschitz_constant_is_the_curvature_of_the_log_density_at_the_middle(spread, modes):
    def density(x, t):
        w, a = 1 + (spread - 1) * np.exp(-2 * t), modes * np.exp(-t)
        return np.log(np.exp(-((x - a) ** 2) / (2 * w)) + np.exp(-((x + a) ** 2) / (2 * w)))

    def curvature(t, h=1e-3):
        return (density(h, t) - 2 * density(0.0, t) + density(-h, t)) / h**2

    expected = quad(curvature, 0, 1.7)[0]
    assert float(lipschitz_integral(np.array(1.7), spread, modes)) == pytest.approx(expected, rel=1e-4)


def test_for_a_standard_normal_the_bound_is_the_distance_in_closed_form():
    """2 b (1 - e^-T) and b T: the audit has 0.20 and 0.80 at b = 0.1, T = 8."""
    for T in (0.5, 8.0):
        sde, flow = (wasserstein_bound(0.1, T, 0.0, 1.0, 0.0, weight) for weight in (2.0, 1.0))
        assert float(sde) == pytest.approx(0.2 * (1 - np.exp(-T)))
        assert float(flow) == pytest.approx(0.1 * T)


def test_two_modes_give_the_audit_s_numbers():
    """Modes at 2, variance 0.25, T = 2, flow: 58, 194, 583 for b = 0.03, 0.1, 0.3; flipped 0.0013, 0.0045, 0.013."""
    b = np.array([0.03, 0.1, 0.3])
    bound = wasserstein_bound(b, np.full(3, 2.0), np.zeros(3), np.full(3, 0.25), np.full(3, 2.0), 1.0)
    flipped = wasserstein_bound(b, np.full(3, 2.0), np.zeros(3), np.full(3, 0.25), np.full(3, 2.0), 1.0, -1.0)
    assert bound == pytest.approx([58, 194, 583], rel=0.02)
    assert flipped == pytest.approx([0.0013, 0.0045, 0.013], rel=0.05)
