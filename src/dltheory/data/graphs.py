"""Graphs for tests of expressive power: all small connected ones, regular ones, circular skip links."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlatlas.errors import InputError

if TYPE_CHECKING:
    import networkx as nx

Adjacency = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Adjacency matrices ``(graph, node, node)`` and which nodes there are ``(graph, node)``."""


def padded(graphs: "Sequence[nx.Graph]") -> Adjacency:
    """Graphs as one array, the smaller ones padded."""
    import networkx as nx

    most = max(len(graph) for graph in graphs)
    adjacency, present = np.zeros((len(graphs), most, most), bool), np.zeros((len(graphs), most), bool)
    for i, graph in enumerate(graphs):
        n = len(graph)
        adjacency[i, :n, :n] = nx.to_numpy_array(graph) > 0
        present[i, :n] = True
    return adjacency, present


def connected(nodes: int) -> Adjacency:
    """All connected graphs of so many nodes, up to isomorphism, from NetworkX's atlas (853 with seven nodes).

    Raises:
        InputError: more than seven nodes; the atlas has no more.
    """
    import networkx as nx

    if not 1 <= nodes <= 7:
        raise InputError(f"nodes: expected from 1 to 7, the graphs of the atlas, found {nodes}")
    return padded([graph for graph in nx.graph_atlas_g() if len(graph) == nodes and nx.is_connected(graph)])


def regular(nodes: int, degree: int, number: int, rng: np.random.Generator) -> Adjacency:
    """Random regular graphs; no message passing can tell them apart."""
    import networkx as nx

    seeds = rng.integers(0, 2**31, number)
    return padded([nx.random_regular_graph(degree, nodes, seed=int(seed)) for seed in seeds])


def skip_links(nodes: int, skips: Sequence[int]) -> Adjacency:
    """A cycle with links from each node to the one so many ahead, for each skip (Murphy et al. 2019): 4-regular."""
    import networkx as nx

    return padded([nx.circulant_graph(nodes, [1, skip]) for skip in skips])
