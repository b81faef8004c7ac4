import networkx as nx
import numpy as np
import pytest

from dlatlas.errors import InputError
from dltheory.data.graphs import connected, padded, regular, skip_links


@pytest.mark.parametrize(("nodes", "number"), [(3, 2), (4, 6), (5, 21), (6, 112), (7, 853)])
def test_connected_graphs_are_as_many_as_known(nodes, number):
    """OEIS A001349."""
    adjacency, present = connected(nodes)
    assert adjacency.shape == (number, nodes, nodes)
    assert present.all()
    assert (adjacency == adjacency.transpose(0, 2, 1)).all()


def test_more_nodes_than_the_atlas_has_are_refused():
    with pytest.raises(InputError, match="nodes: expected from 1 to 7, the graphs of the atlas, found 8"):
        connected(8)


def test_regular_graphs_have_that_degree():
    adjacency, present = regular(16, 3, 5, np.random.default_rng(0))
    assert (adjacency.sum(-1) == 3).all()
    assert present.shape == (5, 16)
    assert (adjacency[0] != adjacency[1]).any()


def test_skip_links_are_4_regular_and_not_isomorphic():
    adjacency, _ = skip_links(41, (2, 3))
    assert (adjacency.sum(-1) == 4).all()
    assert not nx.is_isomorphic(*(nx.from_numpy_array(a.astype(int)) for a in adjacency))


def test_padding_adds_nodes_without_links():
    adjacency, present = padded([nx.path_graph(2), nx.path_graph(4)])
    assert present.sum(1).tolist() == [2, 4]
    assert adjacency[0].sum() == 2
