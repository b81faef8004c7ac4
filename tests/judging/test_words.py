import xarray as xr

from dlatlas.declare.lab import load_study
from dlatlas.judging.statistics import average, largest, smallest
from dlatlas.judging.verdict import quantity


def test_a_ratio_is_said_with_the_labels_of_what_it_is_made_of():
    study = load_study("dltheory.overparametrization.double_descent")
    ratio = largest("over_bound", {"p": 12}) / smallest("over_bound", {"p": 30})
    assert quantity(ratio - 1, study=study, cube=xr.Dataset()) == (
        "largest noise part over its lower bound (p = 12) / smallest noise part over its lower bound (p = 30) - 1 [1]"
    )
    assert (
        quantity(-average("over_bound"), study=study, cube=xr.Dataset())
        == "-(mean of noise part over its lower bound) [1]"
    )
