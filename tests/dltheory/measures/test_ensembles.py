import numpy as np
import xarray as xr

from dltheory.measures.ensembles import averaged, line_to, share


def test_the_error_of_a_mean_of_independent_predictors_lies_on_the_line_to_its_limit():
    """Predictors 2 + noise of variance 9 about a truth of 0: E_K = 4 + 9 / K."""
    members = [1, 2, 4]
    cube = xr.Dataset(
        {"ensemble": ("members", [4 + 9 / k for k in members]), "error": 13.0, "kernel": 4.0, "bare": 1.0},
        {"members": members},
    )
    np.testing.assert_allclose(share(cube, cube), [1, 0.5, 0.25, 0])
    np.testing.assert_allclose(averaged(cube, cube), [13, 8.5, 6.25, 4])
    np.testing.assert_allclose(line_to("kernel", cube, cube), averaged(cube, cube))
    np.testing.assert_allclose(line_to("bare", cube, cube), [13, 7, 4, 1])
