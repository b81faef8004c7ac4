from types import SimpleNamespace

import numpy as np
import torch

from dltheory.measures.explicit_network import construction


def test_labels_are_fitted_to_round_off_in_float64_and_worse_in_float32():
    rng = np.random.default_rng(0)
    x, y = torch.tensor(rng.standard_normal((2, 40, 8))), torch.tensor(rng.integers(10, size=(2, 40)))
    trained = SimpleNamespace(data=lambda: (x, y), shared_data=False, keys=["one", "other"])
    found = construction(trained, [None, None])["construction"]
    assert found.shape == (2, 2)
    assert (found[:, 0] < 1e-9).all()
    assert (found[:, 1] > found[:, 0]).all()
