import numpy as np
import pytest

from dlatlas.errors import InputError
from dltheory.data.matrix_completion import matrix_completion


def made(folder, seed=0, **changes):
    return matrix_completion(folder=folder, generator=np.random.default_rng(seed), **changes)


def test_seen_and_unseen_entries_make_up_the_matrix(tmp_path):
    found = made(tmp_path, side=10, rank=3, observed=0.3)
    assert found.x.sum() == 30
    np.testing.assert_array_equal(found.x + found.x_test, 1)
    matrix = (found.y + found.y_test).reshape(10, 10)
    assert np.linalg.matrix_rank(matrix) == 3
    assert np.linalg.norm(matrix, 2) == pytest.approx(1)
    assert (found.y.reshape(10, 10)[found.x[0] == 0] == 0).all()


def test_a_symmetric_one_has_halving_eigenvalues(tmp_path):
    found = made(tmp_path, side=8, rank=3, observed=1.0, symmetric=True)
    values = np.linalg.eigvalsh(found.y.reshape(8, 8))[::-1]
    np.testing.assert_allclose(values, [1, 0.5, 0.25, 0, 0, 0, 0, 0], atol=1e-12)
    assert not found.x_test.any()


@pytest.mark.parametrize(("changes", "said"), [({"observed": 0.0}, "found 0.0"), ({"rank": 21}, "from 1 to 20")])
def test_what_cannot_be_is_refused(tmp_path, changes, said):
    with pytest.raises(InputError, match=said):
        made(tmp_path, **changes)
