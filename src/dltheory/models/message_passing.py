"""Message passing with random weights: what it maps graphs to after each round."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Aggregation = Literal["sum", "mean", "max", "gcn"]

AGGREGATIONS = {
    "sum": "sum over neighbours, added to the node itself (GIN with epsilon 0)",
    "mean": "mean over neighbours, beside the node itself (GraphSAGE)",
    "max": "maximum over neighbours, beside the node itself (GraphSAGE)",
    "gcn": "sum over node and neighbours, weighted by the inverse roots of their degrees plus one (GCN)",
}
ACTIVATIONS = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0.0)}


def embeddings(
    adjacency: NDArray[np.bool_],
    present: NDArray[np.bool_],
    features: Floats,
    rng: np.random.Generator,
    aggregation: Aggregation,
    activation: str,
    width: int,
    rounds: int,
) -> Floats:
    """The sum of the nodes' states after each round, of one network with Gaussian weights.

    A round aggregates and applies a perceptron of one hidden layer (GCN: one layer), weights N(0, 1 / inputs), biases
    N(0, 1). One network serves all graphs.

    Args:
        adjacency: ``(graph, node, node)``.
        present: ``(graph, node)``.
        features: of the nodes ``(graph, node, feature)``.
        rng: draws the weights.
        aggregation: see `AGGREGATIONS`.
        activation: tanh or relu.
        width: of states and hidden layer.
        rounds: how many.

    Returns:
        ``(round, graph, width)``.

    Source: Xu et al. 2019, equation 4.1 (GIN); Hamilton et al. 2017; Kipf & Welling 2017, equation 2.
    """
    act, here = ACTIVATIONS[activation], present[..., None]
    links = adjacency.astype(float)
    state, sums = np.where(here, features, 0.0), []

    def layer(x: Floats) -> Floats:
        weights = rng.standard_normal((x.shape[-1], width)) / np.sqrt(x.shape[-1])
        return act(x @ weights + rng.standard_normal(width))

    for _ in range(rounds):
        if aggregation == "sum":
            gathered = state + links @ state
        elif aggregation == "gcn":
            scale = 1 / np.sqrt(links.sum(-1) + 1)
            gathered = scale[..., None] * ((links + np.eye(links.shape[-1])) @ (scale[..., None] * state))
        else:
            gathered = np.concatenate([state, _neighbours(links, state, aggregation)], axis=-1)
        state = layer(gathered)
        if aggregation != "gcn":
            state = layer(state)
        state = np.where(here, state, 0.0)
        sums.append(state.sum(1))
    return np.stack(sums)


def _neighbours(links: Floats, state: Floats, aggregation: Aggregation) -> Floats:
    degree = links.sum(-1)[..., None]
    if aggregation == "mean":
        return links @ state / np.maximum(degree, 1)
    highest = np.where(links[..., None] > 0, state[:, None], -np.inf).max(2)
    return np.where(degree > 0, highest, 0.0)
