import copy

import pytest

from dlatlas.errors import AtlasError
from dlatlas.judging.check import compare

SAID = {"verdict": "supported", "claims": [{"name": "law", "estimate": 0.1, "interval": [0.05, None], "p": 0.01}]}


def changed(**values):
    record = copy.deepcopy(SAID)
    record["claims"][0] |= values
    return record


@pytest.mark.parametrize("again", [SAID, changed(estimate=0.1 * (1 + 1e-14)), changed(interval=(0.05, None))])
def test_a_verdict_computed_again_is_the_same_up_to_the_order_of_sums(again):
    compare("verdict.json", again, SAID)


@pytest.mark.parametrize(
    "again",
    [
        changed(estimate=0.1 * (1 + 1e-6)),
        changed(estimate=None),
        changed(interval=[0.05, 0.2]),
        changed(name="another"),
        {**SAID, "verdict": "undecided"},
        {**SAID, "claims": []},
    ],
)
def test_another_verdict_is_told_in_one_line(again):
    with pytest.raises(AtlasError, match="computed again") as told:
        compare("verdict.json", again, SAID)
    assert "\n" not in str(told.value)
