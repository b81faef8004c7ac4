import numpy as np
import pytest

from dltheory.data.circle_waves import FREQUENCIES, amplitudes, circle_waves


@pytest.mark.parametrize("amplitude", ["equal", "rising"])
@pytest.mark.parametrize("harmonics", [1, 32])
def test_the_target_has_these_waves_and_no_other(tmp_path, amplitude, harmonics):
    found = circle_waves(
        folder=tmp_path, generator=np.random.default_rng(0), n_train=80, amplitude=amplitude, harmonics=harmonics
    )
    spectrum = 2 * np.abs(np.fft.rfft(found.y[:, 0])) / 80
    np.testing.assert_allclose(spectrum[list(FREQUENCIES)], amplitudes(amplitude))
    assert np.delete(spectrum, FREQUENCIES).max() < 1e-12
    assert (found.y**2).mean() == pytest.approx(1.0)
    np.testing.assert_allclose((found.x**2).sum(1), 1.0)
    assert found.x.shape == (80, 2 * harmonics)


def test_the_target_may_end_at_a_lower_frequency_and_the_test_set_lies_between(tmp_path):
    found = circle_waves(folder=tmp_path, generator=np.random.default_rng(0), n_train=12, highest=2)
    for y in (found.y, found.y_test):
        spectrum = 2 * np.abs(np.fft.rfft(y[:, 0])) / 12
        np.testing.assert_allclose(spectrum[[1, 2]], amplitudes("equal", 2))
        assert np.delete(spectrum, [1, 2]).max() < 1e-12
    np.testing.assert_allclose((found.x * found.x_test).sum(1), np.cos(np.pi / 12))
