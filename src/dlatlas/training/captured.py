"""Steps of a stack as CUDA graphs: however many operations a step has, its launch costs one call."""

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from dlatlas.training.feed import Given

SIZES = (8, 4, 2, 1)
"""Steps in one graph: the results are copied back to where the next replay reads them once a graph, not once a step."""

Carried = Any
"""Parameters and state, any nesting of tensors."""

Step = Callable[[Carried, Given], tuple[Carried, Tensor]]
"""(carried, what one step is given) -> (carried, losses ``(run,)``), without side effects."""


class Captured:
    """A step, replayed: what it carries from one to the next stays where it is and is overwritten."""

    def __init__(self, step: Step, carried: Carried, given: Given) -> None:
        """Records one graph of each size.

        Args:
            step: what is recorded.
            carried: where the training stands; these tensors will be written to.
            given: what the coming steps are given; its shapes are kept.

        Raises:
            torch.OutOfMemoryError: the steps do not fit into the GPU's memory.
            RuntimeError: an operation cannot be recorded.
        """
        self._carried = carried
        self._given = given.each(lambda value: value[:1].expand(SIZES[0], *value.shape[1:]).clone())
        self._graphs: dict[int, tuple[torch.cuda.CUDAGraph, Tensor]] = {}
        self._rehearse(step)
        pool = None
        for size in SIZES:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=pool):
                losses = self._record(step, size)
            pool = graph.pool()
            self._graphs[size] = (graph, losses)

    def _rehearse(self, step: Step) -> None:
        """Two steps: libraries allocate what they need, and what a recording will need is known before it begins.

        A recording that runs out of memory leaves torch's allocator unusable.
        """
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before, side = torch.cuda.memory_allocated(), torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            once = step(self._carried, self._given.each(itemgetter(0)))
            twice = step(once[0], self._given.each(itemgetter(0)))
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        needed = torch.cuda.max_memory_allocated() - before
        del once, twice
        torch.cuda.empty_cache()
        if (free := torch.cuda.mem_get_info()[0]) < 1.1 * needed:
            raise torch.OutOfMemoryError(f"tried to allocate {needed} bytes for recording a step, {free} are free")

    def _record(self, step: Step, size: int) -> Tensor:
        carried, losses = self._carried, []
        for number in range(size):
            carried, loss = step(carried, self._given.each(itemgetter(number)))
            losses.append(loss)
        torch._foreach_copy_(tree_leaves(self._carried), tree_leaves(carried))
        return torch.stack(losses)

    def advance(self, given: Given) -> Tensor:
        """As many steps as are given; their losses, ``(step, run)``."""
        done, losses = 0, []
        while done < len(given.now):
            size = next(size for size in SIZES if size <= len(given.now) - done)
            for kept, new in zip(self._given.tensors(), given.tensors()):
                kept[:size].copy_(new[done : done + size])
            graph, found = self._graphs[size]
            graph.replay()
            losses.append(found.clone())
            done += size
        return torch.cat(losses)
