from pathlib import Path

import pytest

from dlatlas.declare.parameter import THINGS, TRAINING
from dlatlas.declare.registry import root
from dlatlas.training.stack import Stack

DEFAULTS = {name: parameter.default for name, parameter in TRAINING.items()}
MLP = {"inputs": 6, "width": 5, "depth": 1, "outputs": 1, "activation": "tanh", "bias": True}
DATA = {"data": "gaussian_regression", "n_train": 24, "n_test": 4, "noise": 0.1}


@pytest.fixture
def stack_of():
    """``stack_of(runs, **shared)``: a stack of small networks on Gaussian regression."""

    def make(runs: list[dict], **shared) -> Stack:
        common = {**DEFAULTS, **MLP, **DATA, "seed": 0, "precision": "float64", "steps": 20, **shared}
        filled = [{**common, **run} for run in runs]
        words = {name: value for name, value in common.items() if isinstance(value, str)}
        shapes = {name: common[name] for name in ("batch", "steps", "workers", "checkpoints", "trace_every")}
        things = {name: root(room, common[name], ("dlatlas", "dltheory")) for name, room in THINGS.items()}
        return Stack(filled, {**words, **shapes}, Path("unused"), things=things)

    return make
