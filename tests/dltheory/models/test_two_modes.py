import numpy as np
from scipy import stats

from dltheory.models import two_modes


def test_the_mixture_s_score_is_the_derivative_of_its_log_density():
    x, t, h = np.linspace(-4, 4, 41), 0.3, 1e-5
    sd = np.sqrt(1 + (two_modes.SD**2 - 1) * np.exp(-2 * t))
    mode = two_modes.MODE * np.exp(-t)

    def log_density(x):
        return np.log(0.8 * stats.norm.pdf(x, mode, sd) + 0.2 * stats.norm.pdf(x, -mode, sd))

    expected = (log_density(x + h) - log_density(x - h)) / (2 * h)
    np.testing.assert_allclose(two_modes.score(x, t), expected, atol=1e-6)
