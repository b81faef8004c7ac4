import numpy as np
import pytest
import xarray as xr

from dltheory.measures.relaxation import relaxation_exponent


@pytest.mark.parametrize("power", [-1.0, -0.5, 0.0])
def test_losses_that_decay_exponentially_have_the_exponent_of_their_rate(power):
    step, lead = np.arange(20_000), xr.DataArray([[0.2, 0.4, 0.8, 3.0]], dims=("draw", "share"))
    time = 50 * lead**power
    excess = np.exp(-xr.DataArray(step, dims="trace_step") / time).transpose("draw", "share", "trace_step")
    excess[:, 3] = 1.0  # beyond what counts
    np.testing.assert_allclose(relaxation_exponent(excess, lead, above=0, below=1), power, atol=0.01)
