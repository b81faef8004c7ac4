import numpy as np
import pytest

from dltheory.data.graphs import connected
from dltheory.models.message_passing import ACTIVATIONS, AGGREGATIONS, embeddings


def run(adjacency, present, x, **changes):
    given = {"aggregation": "sum", "activation": "tanh", "width": 6, "rounds": 3, **changes}
    return embeddings(adjacency, present, x, np.random.default_rng(5), **given)


def by_hand(adjacency, x, aggregation, activation, width, rounds):
    """One graph, node by node."""
    rng, n, state, sums = np.random.default_rng(5), len(adjacency), x, []
    act = ACTIVATIONS[activation]
    around = [np.flatnonzero(row) for row in adjacency]
    for _ in range(rounds):
        rows = []
        for v in range(n):
            near = state[around[v]]
            if aggregation == "sum":
                rows.append(state[v] + near.sum(0))
            elif aggregation == "gcn":
                d = [len(around[u]) + 1 for u in range(n)]
                rows.append(sum(state[u] / np.sqrt(d[u] * d[v]) for u in [v, *around[v]]))
            else:
                rows.append(np.concatenate([state[v], near.mean(0) if aggregation == "mean" else near.max(0)]))
        state = np.array(rows)
        for _ in range(1 if aggregation == "gcn" else 2):
            weights = rng.standard_normal((state.shape[1], width)) / np.sqrt(state.shape[1])
            state = act(state @ weights + rng.standard_normal(width))
        sums.append(state.sum(0))
    return np.array(sums)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_each_graph_is_treated_as_if_node_by_node(aggregation, activation):
    adjacency, present = connected(5)
    x = np.random.default_rng(1).standard_normal((*present.shape, 2))
    found = run(adjacency, present, x, aggregation=aggregation, activation=activation)
    for i in (0, 7, len(adjacency) - 1):
        expected = by_hand(adjacency[i], x[i], aggregation, activation, 6, 3)
        np.testing.assert_allclose(found[:, i], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_renaming_nodes_and_padding_change_nothing(aggregation):
    adjacency, present = connected(5)
    x = np.random.default_rng(1).standard_normal((*present.shape, 2))
    order = np.random.default_rng(2).permutation(5)
    found = run(adjacency, present, x, aggregation=aggregation)
    moved = run(adjacency[:, order][:, :, order], present[:, order], x[:, order], aggregation=aggregation)
    np.testing.assert_allclose(moved, found, rtol=1e-12)
    wide = np.pad(adjacency, ((0, 0), (0, 2), (0, 2))), np.pad(present, ((0, 0), (0, 2)))
    more = run(*wide, np.pad(x, ((0, 0), (0, 2), (0, 0)), constant_values=9.0), aggregation=aggregation)
    np.testing.assert_allclose(more, found, rtol=1e-12)
