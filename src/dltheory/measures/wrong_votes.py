"""How often a majority vote of noisy signs is wrong where a training has come to."""

from typing import Any

import numpy as np

DRAWS = 200
"""Votes held at one state of one run to count the errors of each coordinate."""


def wrong_votes(trained: Any, stack: Any) -> dict[str, np.ndarray]:  # noqa: ANN401
    """Signal-to-noise ratio of every coordinate, and how often the vote of the training's own rule gets it wrong.

    Args:
        trained: a stack of ``NoisyQuadratic``.
        stack: with ``workers``, ``aggregator`` and ``attack``; of other aggregators than ``vote`` no error is counted.

    Returns:
        ``snr`` S = h |w| / sigma and ``vote_error``, the share of `DRAWS` votes, both ``(run, d)``.
    """
    import torch

    from dlatlas.identity.streams import stream
    from dlatlas.optimizers.majority_vote import AGGREGATORS, sent

    w, h, noise = trained.parameters["w"], trained.buffers["curvature"], trained.buffers["noise"]
    signal = h[:, None] * w
    error = torch.full(w.shape, torch.nan)
    moved = not torch.equal(w, trained.initial["w"])
    for run, key in enumerate(trained.keys if stack["aggregator"] == "vote" else []):
        rng, shape = stream(key, "measure", int(moved)), (int(stack["workers"]), DRAWS, w.shape[1])
        gradients = signal[run] + noise[run] * torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
        coins = torch.from_numpy(rng.random(shape, dtype=np.float32)) if stack["attack"] == "random_sign" else gradients
        adversaries, scale = trained.hyper["adversaries"][run], trained.hyper["scale"][run]
        voted = AGGREGATORS["vote"](sent(gradients, adversaries, stack["attack"], coins, scale))
        error[run] = (voted != signal[run].sign()).float().mean(0)
    return {"snr": (signal.abs() / noise[:, None]).numpy(), "vote_error": error.numpy()}
