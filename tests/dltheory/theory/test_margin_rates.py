import numpy as np
import xarray as xr

from dltheory.theory.margin_rates import margin_rates


def test_rates_are_those_of_t_and_have_no_value_at_the_start():
    found = margin_rates(xr.Dataset(coords={"step": [0, 100, 10_000]}))
    np.testing.assert_allclose(found["growth"], [np.nan, 4.60517, 9.21034], rtol=1e-6)
    np.testing.assert_allclose(found["log_rate"], [np.nan, 0.217147, 0.108574], rtol=1e-5)
    np.testing.assert_allclose(found["root_rate"], [np.nan, 0.460517, 0.0921034], rtol=1e-6)
