"""The Weisfeiler-Lehman test: colour refinement of many graphs at once, with colours that they share."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def refine(adjacency: NDArray[np.bool_], present: NDArray[np.bool_], start: Ints, rounds: int) -> Ints:
    """Colour refinement (1-WL): a node's new colour is its old one with the multiset of its neighbours'.

    Colours are numbered jointly, so that equal colours mean the same in all graphs and two nodes have one colour if
    and only if so many rounds cannot tell them apart.

    Args:
        adjacency: ``(graph, node, node)``, symmetric.
        present: ``(graph, node)``; graphs with fewer nodes are padded.
        start: initial colours ``(graph, node)``, non-negative.
        rounds: how many.

    Returns:
        ``(round, graph, node)``, the first of them the initial colours; -1 where there is no node.

    Source: Weisfeiler & Leman 1968; Xu et al. 2019, section 2.
    """
    colours = np.where(present, start, -1)
    history = [_renumbered(colours[..., None], present)]
    for _ in range(rounds):
        old = history[-1]
        seen = np.sort(np.where(adjacency & present[:, None, :], old[:, None, :], -1), axis=-1)
        history.append(_renumbered(np.concatenate([old[..., None], seen], axis=-1), present))
    return np.stack(history)


def _renumbered(words: Ints, present: NDArray[np.bool_]) -> Ints:
    colours = np.full(present.shape, -1)
    colours[present] = np.unique(words[present], axis=0, return_inverse=True)[1].ravel()
    return colours


def classes(colours: Ints) -> Ints:
    """The class of each graph: graphs with the same multiset of colours are in one.

    Args:
        colours: ``(graph, node)``.

    Returns:
        Numbers from 0 ``(graph,)``.
    """
    return np.unique(np.sort(colours, axis=-1), axis=0, return_inverse=True)[1].ravel()


def rounds_of_classes(adjacency: NDArray[np.bool_], present: NDArray[np.bool_], rounds: int) -> dict[str, list[Ints]]:
    """The classes of graphs after each round of the test, begun with one colour (``constant``) and with degrees."""
    degrees = adjacency.sum(-1)
    starts = {"constant": np.zeros_like(degrees), "degree": degrees}
    return {
        name: [classes(colours) for colours in refine(adjacency, present, start, rounds)[1:]]
        for name, start in starts.items()
    }


def pairs_apart(one: Ints, other: Ints) -> int:
    """How many pairs share a class of ``one`` and not of ``other``: 0 if ``one`` is at least as fine as ``other``."""
    both = np.unique(np.stack([one, other]), axis=1, return_counts=True)[1]
    within = np.unique(one, return_counts=True)[1]
    return int((within * (within - 1) // 2).sum() - (both * (both - 1) // 2).sum())
