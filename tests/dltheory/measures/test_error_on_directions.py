from types import SimpleNamespace

import numpy as np
import torch

from dlatlas.training.stack import Stack
from dltheory.measures.error_on_directions import CLASSES, error_on_directions


def test_products_of_errors_are_kept_on_average():
    """Two runs a seed, 300 seeds: inner products of what is kept against those of the errors, |z| < 4."""
    rng, seeds, tests = np.random.default_rng(1), 300, 6
    runs = [{"seed": seed, "tests": tests} for seed in range(seeds) for _ in range(2)]
    classes = rng.integers(CLASSES, size=tests)
    pair = rng.standard_normal((2, tests, CLASSES)) + 0.5
    trained = SimpleNamespace(
        outputs=lambda split: torch.tensor(np.tile(pair, (seeds, 1, 1))),
        stacked_targets=lambda split: torch.tensor(np.tile(classes, (len(runs), 1))),
    )
    kept = error_on_directions(trained, Stack(runs, {"tests": tests}, folder=None))["error"].reshape(seeds, 2, -1)
    errors = pair - np.eye(CLASSES)[classes]
    for a, b in ((0, 0), (0, 1), (1, 1)):
        found = (kept[:, a].astype(float) * kept[:, b]).sum(-1)
        truth = (errors[a] * errors[b]).sum() / tests
        assert abs(found.mean() - truth) / (found.std() / np.sqrt(seeds)) < 4
