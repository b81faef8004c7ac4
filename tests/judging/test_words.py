import pytest
import xarray as xr

from dlatlas.declare.lab import load_study
from dlatlas.judging.statistics import average, exponent, largest, most, smallest, statistic
from dlatlas.judging.words import quantity

CUBE = xr.Dataset({"a": ("x", [1.0, 2.0]), "b": ("x", [1.0, 2.0])}, {"x": [1, 2], "m": 3})
HERE = {"x": (1, None)}


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (most(abs(exponent("a", "x") + 0.5), exponent("b", "x")),
         "largest of: |(log-log slope of a against x + 0.5)|, log-log slope of b against x [1]"),
        (average("a", where=HERE) / average("b", where=HERE), "mean of a / mean of b, x of 1 or more [1]"),
        (average("a", where=HERE) - average("a"), "mean of a (x of 1 or more) - mean of a [1]"),
        (average("a", where={**HERE, "m": 3}) - average("a", where={"x": 2, "m": 3}),
         "mean of a (x of 1 or more) - mean of a (x = 2), m = 3 [1]"),
        (statistic(lambda a, peak: a, "a", words="height at {peak}", peak="x = 1"), "height at x = 1 [1]"),
    ],
)  # fmt: skip
def test_a_place_that_all_parts_share_is_said_once(of, words):
    assert quantity(of, cube=CUBE) == words


def test_a_ratio_is_said_with_the_labels_of_what_it_is_made_of():
    study = load_study("dltheory.overparametrization.double_descent")
    ratio = largest("over_bound", {"p": 12}) / smallest("over_bound", {"p": 30})
    assert quantity(ratio - 1, study=study, cube=xr.Dataset()) == (
        "(largest noise part over its lower bound (p = 12) / smallest noise part over its lower bound (p = 30)) - 1 [1]"
    )
    assert (
        quantity(-average("over_bound"), study=study, cube=xr.Dataset())
        == "-(mean of noise part over its lower bound) [1]"
    )
