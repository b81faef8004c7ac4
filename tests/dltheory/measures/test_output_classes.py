import numpy as np
import pytest

from dltheory.measures.output_classes import grouped, spread

OUTPUTS = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0 + 1e-13], [1.0, 2.0 + 1e-6], [3.0, 4.0]])


def test_equal_outputs_are_grouped_and_nearly_equal_ones_are_not():
    found = grouped(OUTPUTS)
    assert found[0] == found[2]
    assert found[1] == found[4]
    assert len(set(found.tolist())) == 3


def test_the_spread_within_classes_is_relative_to_the_largest_output():
    assert spread(OUTPUTS, grouped(OUTPUTS)) == pytest.approx(1e-13 / 4, rel=0.1)
    assert spread(np.zeros((3, 2)), np.zeros(3, int)) == 0
