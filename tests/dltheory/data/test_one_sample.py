import numpy as np

from dltheory.data.one_sample import one_sample


def test_the_one_sample_is_one_with_target_zero(tmp_path):
    data = one_sample(folder=tmp_path, generator=np.random.default_rng(0))
    np.testing.assert_array_equal(data.x, [[1.0]])
    np.testing.assert_array_equal(data.y, [[0.0]])
    assert data.x_test is None
    assert data.y_test is None
