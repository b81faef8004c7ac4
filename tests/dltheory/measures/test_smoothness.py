from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dltheory.measures.smoothness import smooth_steps


def built(optimizer, norm):
    """Two runs on one example (3, -4, 0), whose norms are 7, 5 and 4."""
    return SimpleNamespace(
        stack={"optimizer": optimizer, "norm": norm},
        hyper={"lr": torch.tensor([1.0, 2.0])},
        x=torch.tensor([[[3.0, -4.0, 0.0]]]),
        which=np.array([0, 0]),
    )


@pytest.mark.parametrize(("norm", "dual"), [("l1", 4.0), ("l2", 5.0), ("linf", 7.0)])
def test_steps_of_steepest_descent_are_over_the_square_of_the_dual_norm(norm, dual):
    found = smooth_steps(built("steepest_descent", norm))["lr"]
    np.testing.assert_allclose(found, np.array([1.0, 2.0]) / dual**2, rtol=1e-6)


def test_mirror_descent_takes_a_hundredth():
    np.testing.assert_allclose(smooth_steps(built("mirror_descent", "l1"))["lr"], [0.01, 0.02], rtol=1e-6)
