import numpy as np
import xarray as xr

from dlatlas.judging.sample import Sample, Shuffle
from dlatlas.judging.statistics import slope, statistic
from dlatlas.judging.words import quantity

CUBE = xr.Dataset(
    {"y": (("width", "rate", "seed"), np.arange(24.0).reshape(2, 3, 4))},
    {"width": [8, 16], "rate": [0.1, 0.2, 0.3], "seed": range(4)},
)


def test_a_function_sees_dimensions_in_the_cube_s_order_whatever_is_shuffled():
    seen = []

    def function(y, theory):
        seen.append((y.dims, theory.dims))
        return (y.values * theory.values).sum((1, 2))

    theory = xr.Dataset({"factor": (("rate", "width"), np.arange(6.0).reshape(3, 2))})
    sample = Sample(CUBE, theory)
    still = Shuffle("rate", np.tile(np.arange(3), (5, 4, 1)))
    own = statistic(function, "y", "theory.factor", words="")
    np.testing.assert_allclose(own.values(sample.shuffled(still)), own.values(sample)[0])
    assert set(seen) == {(("draw", "width", "rate"),) * 2}


def test_words_of_a_statistic_of_one_s_own_say_its_settings():
    own = statistic(lambda y, low: y.mean(["width", "rate"]), "y", words="mean above {low:g}", low=2.0)
    assert quantity(own, cube=CUBE) == "mean above 2 [1]"
    assert quantity(own.changed(low=3.5), cube=CUBE) == "mean above 3.5 [1]"


def test_words_name_a_coordinate_by_its_symbol_and_a_prediction_without_its_prefix():
    assert quantity(slope("y", "rate"), cube=CUBE) == "slope of y against rate [1]"
    assert quantity(slope("y", "theory.late_rate"), cube=CUBE) == "slope of y against late rate [1]"
