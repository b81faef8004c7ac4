from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dltheory.data.graphs import connected, padded, skip_links
from dltheory.theory.weisfeiler_lehman import classes, pairs_apart, refine


def numbers(graphs, rounds, degrees=False):
    adjacency, present = graphs
    return [int(classes(c).max()) + 1 for c in refine(adjacency, present, adjacency.sum(-1) * degrees, rounds)[1:]]


def test_the_classes_of_the_853_connected_graphs_on_seven_nodes_are_the_known_ones():
    """Counted by an independent implementation in the audit of the catalogue."""
    assert len(connected(7)[0]) == 853
    assert numbers(connected(7), 5) == [236, 768, 832, 836, 836]
    assert numbers(connected(7), 4, degrees=True) == [768, 832, 836, 836]


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_classes_are_those_of_networkx(rounds):
    graphs = [g for g in nx.graph_atlas_g() if len(g) == 6]
    for graph in graphs:
        nx.set_node_attributes(graph, "same", "colour")
    hashes = [nx.weisfeiler_lehman_graph_hash(g, node_attr="colour", iterations=rounds) for g in graphs]
    adjacency, present = padded(graphs)
    found = classes(refine(adjacency, present, np.zeros(present.shape, int), rounds)[-1])
    same = np.array(hashes)[:, None] == np.array(hashes)
    np.testing.assert_array_equal(found[:, None] == found, same)


def test_regular_graphs_stay_of_one_colour():
    pair = padded([nx.cycle_graph(6), nx.disjoint_union(nx.cycle_graph(3), nx.cycle_graph(3))])
    assert numbers(pair, 4) == [1] * 4
    assert numbers(skip_links(41, (2, 3, 5)), 4) == [1] * 4


def test_padding_is_not_seen():
    small, large = nx.path_graph(3), nx.path_graph(5)
    alone, together = padded([small]), padded([small, large])
    one = refine(*alone, np.zeros((1, 3), int), 2)[-1][0]
    both = refine(*together, np.zeros((2, 5), int), 2)[-1][0]
    assert both[3:].tolist() == [-1, -1]
    assert len(set(one)) == len(set(both[:3])) == 2


@given(st.integers(0, 10_000))
def test_renaming_nodes_changes_no_class(seed):
    graph = nx.gnp_random_graph(8, 0.4, seed=seed)
    order = np.random.default_rng(seed).permutation(8)
    renamed = nx.relabel_nodes(graph, dict(enumerate(order.tolist())))
    adjacency, present = padded([graph, nx.convert_node_labels_to_integers(renamed, ordering="sorted")])
    history = refine(adjacency, present, np.zeros((2, 8), int), 4)
    assert all(classes(colours).tolist() == [0, 0] for colours in history)


@given(st.integers(0, 10_000))
def test_rounds_only_refine(seed):
    adjacency, present = padded([nx.gnp_random_graph(7, 0.3, seed=seed + i) for i in range(12)])
    history = [classes(c) for c in refine(adjacency, present, np.zeros(present.shape, int), 5)]
    assert all(pairs_apart(later, earlier) == 0 for earlier, later in pairwise(history))


def test_pairs_apart_is_counted_pair_by_pair():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 4, (2, 30))
    counted = sum(one[i] == one[j] and other[i] != other[j] for i in range(30) for j in range(i))
    assert pairs_apart(one, other) == counted
    assert pairs_apart(one, one) == 0
