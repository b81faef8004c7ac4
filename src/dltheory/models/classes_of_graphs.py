"""Which graphs come apart after some rounds, by random message-passing networks and by colour refinement."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dltheory.data.graphs import Adjacency, connected, regular, skip_links
from dltheory.measures.output_classes import grouped, spread
from dltheory.models.message_passing import embeddings
from dltheory.theory.weisfeiler_lehman import pairs_apart, rounds_of_classes

if TYPE_CHECKING:
    from dlatlas.training.stack import Stack

ROUNDS = 5
READS = {"gcn": "degree"}
"""What an aggregation knows of a node beside its features."""
SKIPS = (2, 3, 4, 5, 6, 9, 11, 12, 13, 16)
"""Of the circular skip links on 41 nodes in Murphy et al. 2019."""


def graphs_of(name: str, nodes: int, rng: np.random.Generator) -> Adjacency:
    """The graphs of a run: all small connected ones, 24 random cubic ones, or ten circular skip links."""
    if name == "connected":
        return connected(nodes)
    return skip_links(41, SKIPS) if name == "skip_links" else regular(16, 3, 24, rng)


def classes(stack: "Stack") -> dict[str, NDArray[np.float64]]:
    """Classes of random networks' outputs after each round, and in how many pairs they differ from the test's.

    Args:
        stack: of ``graphs`` of one kind, with ``nodes``, ``aggregation``, ``activation``, ``features`` and ``width``;
            runs of the same seed see the same random graphs.

    Returns:
        ``classes``, ``merged`` and ``split`` pairs and the ``gap`` within a class of the test, each ``(run, round)``.

    Source: Xu, Hu, Leskovec & Jegelka 2019, lemma 2 and theorem 3.
    """
    found = {name: np.full((len(stack), ROUNDS), np.nan) for name in ("classes", "merged", "split", "gap")}
    known: dict[str, tuple[Adjacency, dict[str, Any]]] = {}
    for run, h in enumerate(stack.runs):
        key = stack.key(run, ("graphs",)) if h["graphs"] == "regular" else ""
        if key not in known:
            graphs = graphs_of(str(h["graphs"]), int(h["nodes"]), stack.generator(run, "graphs", ("graphs",)))
            known[key] = graphs, rounds_of_classes(*graphs, ROUNDS)
        (adjacency, present), tests = known[key]
        x = {"constant": np.ones(present.shape), "degree": adjacency.sum(-1).astype(float)}.get(str(h["features"]))
        if x is None:
            x = stack.generator(run, "features").standard_normal(present.shape)
        outputs = embeddings(
            adjacency, present, x[..., None], stack.generator(run, "weights"), str(h["aggregation"]),
            str(h["activation"]), int(h["width"]), ROUNDS,
        )  # fmt: skip
        reads = "degree" if "degree" in (h["features"], READS.get(str(h["aggregation"]))) else "constant"
        for k, output in enumerate(outputs):
            wl, net = tests["degree" if h["features"] == "degree" else "constant"][k], grouped(output)
            found["classes"][run, k] = net.max() + 1
            found["merged"][run, k], found["split"][run, k] = pairs_apart(net, wl), pairs_apart(wl, net)
            found["gap"][run, k] = spread(output, tests[reads][k])
    return found
